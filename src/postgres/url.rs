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

/// Harmless to leave out.
const IGNORED: [&str; 25] = [
    "application_name",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssdelegation",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_issuer",
    "oauth_scope",
    "ssl_max_protocol_version",
    "sslcompression",
    "sslkeylogfile",
    "sslnegotiation",
    "sslsni",
    "statement-cache-capacity",
    "target_session_attrs",
    "tcp_user_timeout",
];

const REFUSED_VARIABLES: [&str; 9] = [
    "PGCHANNELBINDING",
    "PGGSSENCMODE",
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGSERVICE",
    "PGSSLCERTMODE",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLMINPROTOCOLVERSION",
];

/// Quotes nothing of it: it may be password text.
pub(super) const NO_URL: &str = "it is not a valid PostgreSQL URL; in a name or password write %40 for @, %2F for /, %23 for # and %3A for :, \
                                 or use database.password_file";

const INSTEAD: &str = "leave it out (docs/operations.md lists what is supported; sslmode=verify-full protects the way to \
                       the server)";

/// Also gives the names of parameters without effect. Errors quote no value: it may be password text.
pub(super) fn parse(url: &str) -> Result<(Url, Vec<String>), String> {
    let mut url = Url::parse(url).map_err(|_| NO_URL.to_owned())?;
    let (mut ignored, mut kept) = (Vec::new(), Vec::new());
    let mut names_hosts = url.host_str().is_some_and(|host| host.contains(','));
    for (name, value) in url.query_pairs().into_owned() {
        names_hosts |= name == "host" && value.contains(',');
        if matches!(&*name, "sslmode" | "ssl-mode") && value.parse::<PgSslMode>().is_err() {
            return Err(
                "its sslmode is not known: say verify-full, verify-ca, require or disable".to_owned(),
            );
        }
        if HONOURED.contains(&&*name) || name.starts_with("options[") {
            kept.push((name, value));
        } else if IGNORED.contains(&&*name) {
            ignored.push(name);
        } else {
            return Err(refusal(&name, &value));
        }
    }
    if names_hosts {
        return Err("it names several hosts: name one, or an address that moves with the primary".to_owned());
    }
    match kept.is_empty() {
        true => url.set_query(None),
        false => drop(url.query_pairs_mut().clear().extend_pairs(kept)),
    }
    Ok((url, ignored))
}

pub(super) fn check_variables(variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
    match REFUSED_VARIABLES.into_iter().find(is_set) {
        Some(name) => Err(format!("the variable {name} is not supported: {INSTEAD}")),
        None => Ok(()),
    }
}

/// Without a value it is probably password text.
fn refusal(name: &str, value: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
    if value.is_empty() || !name.chars().all(is_name) {
        return "it has an unknown parameter; is there an & or a ? in the password? write %26, %3F, or use \
                database.password_file"
            .to_owned();
    }
    let known = nearest(name, HONOURED.iter().chain(&IGNORED).copied());
    let hint = known.map_or(String::new(), |known| format!(" (did you mean {known}?)"));
    format!("its parameter {name} is not supported{hint}: {INSTEAD}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(parameters: &str) -> String {
        parse(&format!("postgres://etl@db.example.com/warehouse?{parameters}")).unwrap_err()
    }

    #[test]
    fn what_is_not_supported_is_refused_and_says_what_to_do() {
        for (parameter, remedy) in [
            ("channel_binding=require", "verify-full"),
            ("sslmode=verify-full&channel%5Fbinding=require", "verify-full"),
            ("require_auth=scram-sha-256", "verify-full"),
            ("gssencmode=require&sslmode=disable", "verify-full"),
            ("ssl_min_protocol_version=TLSv1.3", "leave it out"),
            ("sslcrl=/etc/crl.pem", "leave it out"),
            (
                "pasword=SECRET",
                "pasword is not supported (did you mean password?)",
            ),
            ("sslmod=verify-full", "did you mean sslmode?"),
            ("host=a,b", "name one"),
            ("sslmode=verify_full", "say verify-full"),
        ] {
            let error = error(parameter);
            assert!(error.contains(remedy), "{parameter}: {error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
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
    fn what_has_no_effect_is_left_out_and_named() {
        let url = "postgres://etl@%2Frun%2Fpg/w?connect_timeout=3&sslmode=disable&krbsrvname=x&options=-c%20jit%3Doff";
        let (url, ignored) = parse(url).unwrap();
        assert_eq!(
            url.as_str(),
            "postgres://etl@%2Frun%2Fpg/w?sslmode=disable&options=-c+jit%3Doff"
        );
        assert_eq!(ignored, ["connect_timeout", "krbsrvname"]);
    }

    #[test]
    fn variables_of_libpq_that_are_not_supported_are_refused_too() {
        let asks = |name: &str| {
            let name = name.to_owned();
            check_variables(move |asked| (asked == name).then(|| "require".to_owned()))
        };
        assert!(asks("PGCHANNELBINDING").is_err());
        assert!(asks("PGGSSENCMODE").is_err());
        assert!(asks("PGCONNECT_TIMEOUT").is_ok());
    }
}
