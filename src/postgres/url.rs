use reqwest::Url;
use sqlx::postgres::PgSslMode;

use crate::config::nearest;

const HONOURED: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "options",
];

#[derive(Debug)]
pub(super) struct Foreign {
    names: &'static [&'static str],
    ignored: Ignored,
    pub(super) instead: &'static str,
}

/// Other values are refused.
#[derive(Debug)]
enum Ignored {
    Always,
    /// With one of these values, also of the environment variable.
    If(&'static [&'static str]),
    Never,
}

use Ignored::{Always, If, Never};

const fn foreign(names: &'static [&'static str], ignored: Ignored, instead: &'static str) -> Foreign {
    Foreign {
        names,
        ignored,
        instead,
    }
}

const UNKNOWN_SSL_MODE: &str = "its sslmode is not known: say verify-full, verify-ca, require or disable";

const NO_GSSAPI: &str = "GSSAPI and SSPI are not supported: sign in with a password or a certificate";

#[rustfmt::skip]
static FOREIGN: [Foreign; 28] = [
    foreign(&["channel_binding"], If(&["disable", "prefer"]), "channel binding is not supported: use sslmode=verify-full, which nobody in between can pass either"),
    foreign(&["require_auth"], If(&[]), "how the server asks for the password is not checked: use sslmode=verify-full, so that only your server asks"),
    foreign(&["requirepeer"], If(&[]), "the owner of a socket is not checked: put it into a directory that others cannot write to"),
    foreign(&["sslcrl", "sslcrldir"], If(&[]), "revocation lists are not read: use certificates that last days, or an authority of your own (database.ca_file)"),
    foreign(&["ssl_min_protocol_version"], If(&["TLSv1", "TLSv1.1", "TLSv1.2"]), "TLS 1.2 and 1.3 are supported: have the server ask for more (its ssl_min_protocol_version)"),
    foreign(&["ssl_max_protocol_version"], If(&["TLSv1.3"]), "TLS 1.2 and 1.3 are supported: have the server ask for less (its ssl_max_protocol_version)"),
    foreign(&["sslnegotiation"], If(&["postgres"]), "TLS begins as PostgreSQL's own protocol asks for it: leave it out"),
    foreign(&["sslcertmode"], If(&["allow", "disable"]), "whether the server asks for our certificate is not checked: have pg_hba.conf demand it (clientcert)"),
    foreign(&["sslpassword"], Never, "an encrypted key cannot be read: give a key without a password, in a file that this user alone may read"),
    foreign(&["gssencmode"], If(&["disable", "prefer"]), NO_GSSAPI),
    foreign(&["target_session_attrs"], If(&["any", "read-write", "primary"]), "we write: name a server that takes writes"),
    foreign(&["replication"], If(&["false", "off", "no", "0"]), "we only send SQL: leave it out"),
    foreign(&["service"], If(&[]), "service files are not read: write host, user and database into the URL"),
    foreign(&["servicefile"], Never, "service files are not read: write host, user and database into the URL"),
    foreign(&["passfile"], Never, "name the file in PGPASSFILE, or the password's own file in database.password_file"),
    foreign(&["scram_client_key", "scram_server_key"], Never, "we sign in with a password: use database.password_file"),
    foreign(&["min_protocol_version"], If(&["3.0"]), "protocol 3.0 is supported: leave it out"),
    foreign(&["ssl"], Never, "say sslmode=verify-full, or disable"),
    foreign(&["statement-cache-capacity"], Always, "database.statement_cache holds"),
    foreign(&["connect_timeout"], Always, "database.connect_timeout_seconds holds"),
    foreign(&["application_name", "fallback_application_name"], Always, "we call ourselves smartassist-etl"),
    foreign(&["client_encoding"], Always, "it is always UTF8"),
    foreign(&["keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"], Always, "database.statement_timeout_seconds says when a connection counts as dead"),
    foreign(&["load_balance_hosts"], Always, "there is one host"),
    foreign(&["krbsrvname", "gsslib", "gssdelegation"], Always, NO_GSSAPI),
    foreign(&["sslcompression", "sslsni", "sslkeylogfile"], Always, "nothing is compressed, the host's name is always sent, keys are written nowhere"),
    foreign(&["max_protocol_version"], Always, "protocol 3.0 is supported"),
    foreign(&["oauth_issuer", "oauth_client_id", "oauth_scope"], Always, "we sign in with a password or a certificate"),
];

#[derive(Debug)]
pub(super) struct ParsedUrl {
    pub(super) url: Url,
    pub(super) ignored: Vec<(String, &'static Foreign)>,
}

/// Errors quote no value: it may be password text.
pub(super) fn parse(url: &str) -> Result<ParsedUrl, String> {
    let mut url = Url::parse(url).map_err(|_| "it is not a valid PostgreSQL URL".to_owned())?;
    let (mut ignored, mut kept) = (Vec::new(), Vec::new());
    let mut names_hosts = url.host_str().is_some_and(|host| host.contains(','));
    for (name, value) in url.query_pairs().into_owned() {
        names_hosts |= name == "host" && value.contains(',');
        if matches!(&*name, "sslmode" | "ssl-mode") && value.parse::<PgSslMode>().is_err() {
            return Err(UNKNOWN_SSL_MODE.to_owned());
        }
        if HONOURED.contains(&&*name) || name.starts_with("options[") {
            kept.push((name, value));
            continue;
        }
        let foreign = FOREIGN.iter().find(|foreign| foreign.names.contains(&&*name));
        let foreign = foreign.ok_or_else(|| unknown(&name, &value))?;
        if !foreign.is_ignored_with(&value) {
            return Err(format!(
                "its parameter {name} cannot be honoured: {}",
                foreign.instead
            ));
        }
        ignored.push((name, foreign));
    }
    if names_hosts {
        return Err("it names several hosts: name one, or an address that moves with the primary".to_owned());
    }
    match kept.is_empty() {
        true => url.set_query(None),
        false => drop(url.query_pairs_mut().clear().extend_pairs(kept)),
    }
    Ok(ParsedUrl { url, ignored })
}

pub(super) fn check_variables(variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    for foreign in FOREIGN.iter().filter(|foreign| matches!(foreign.ignored, If(_))) {
        for name in foreign.names {
            let name = format!("PG{}", name.to_uppercase().replace('_', ""));
            let value = variable(&name).filter(|value| !value.is_empty());
            if value.is_some_and(|value| !foreign.is_ignored_with(&value)) {
                return Err(format!(
                    "the variable {name} cannot be honoured: {}",
                    foreign.instead
                ));
            }
        }
    }
    Ok(())
}

impl Foreign {
    fn is_ignored_with(&self, value: &str) -> bool {
        match self.ignored {
            Always => true,
            If(values) => values.contains(&value),
            Never => false,
        }
    }
}

/// Without a value it is probably password text.
fn unknown(name: &str, value: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
    if value.is_empty() || !name.chars().all(is_name) {
        return "it has an unknown parameter; is there an & or a ? in the password? write %26, %3F, or use \
                database.password_file"
            .to_owned();
    }
    let foreign = FOREIGN.iter().flat_map(|foreign| foreign.names);
    let hint = match nearest(name, HONOURED.iter().chain(foreign).copied()) {
        Some(known) => format!("did you mean {known}?"),
        None => format!("known are {}", HONOURED.join(", ")),
    };
    format!("its parameter {name} is not known; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(parameters: &str) -> String {
        parse(&format!("postgres://etl@db.example.com/warehouse?{parameters}")).unwrap_err()
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_and_says_what_to_do() {
        for (parameter, remedy) in [
            ("channel_binding=require", "verify-full"),
            ("sslmode=verify-full&channel%5Fbinding=require", "verify-full"),
            ("require_auth=scram-sha-256", "verify-full"),
            ("gssencmode=require", "GSSAPI"),
            ("target_session_attrs=standby", "takes writes"),
            ("ssl_min_protocol_version=TLSv1.3", "server"),
            ("sslcrl=/etc/crl.pem", "revocation"),
            ("host=a,b", "name one"),
            ("sslmode=verify_full", "say verify-full"),
        ] {
            let error = error(parameter);
            assert!(error.contains(remedy), "{parameter}: {error}");
        }
    }

    #[test]
    fn a_parameter_that_nobody_knows_is_named_with_the_nearest_one() {
        assert_eq!(
            error("pasword=SECRET"),
            "its parameter pasword is not known; did you mean password?"
        );
        assert!(error("sslmod=verify-full").contains("did you mean sslmode?"));
        assert!(error("Channel_Binding=require").contains("did you mean channel_binding?"));
    }

    #[test]
    fn the_rest_of_a_password_is_not_taken_for_a_name() {
        for rest in [
            "password=one&SECRET",
            "password=one&SECRET=",
            "password=one&S3CR3T!=x",
        ] {
            let error = error(rest);
            assert!(!error.contains("S3CR3T") && !error.contains("SECRET"), "{error}");
            assert!(error.contains("%26"), "{error}");
        }
    }

    #[test]
    fn what_has_no_effect_is_left_out_and_told_with_what_has() {
        let url = "postgres://etl@%2Frun%2Fpg/w?connect_timeout=3&sslmode=disable&channel_binding=prefer&options=-c%20jit%3Doff";
        let ParsedUrl { url, ignored } = parse(url).unwrap();
        assert_eq!(
            url.as_str(),
            "postgres://etl@%2Frun%2Fpg/w?sslmode=disable&options=-c+jit%3Doff"
        );
        let names: Vec<_> = ignored.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["connect_timeout", "channel_binding"]);
    }

    #[test]
    fn variables_of_libpq_that_cannot_be_honoured_are_refused_too() {
        let asks = |name: &str, value: &str| {
            let (name, value) = (name.to_owned(), value.to_owned());
            check_variables(move |asked| (asked == name).then(|| value.clone()))
        };
        assert!(asks("PGCHANNELBINDING", "require").is_err());
        assert!(asks("PGCHANNELBINDING", "prefer").is_ok());
        assert!(asks("PGCONNECT_TIMEOUT", "3").is_ok());
    }
}
