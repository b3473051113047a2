//! Refuses parameters of `database.url` that we cannot honour.

use reqwest::Url;

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
    pub(super) name: &'static str,
    variable: &'static str,
    harmless: Harmless,
    pub(super) instead: &'static str,
}

#[derive(Debug)]
enum Harmless {
    Any,
    These(&'static [&'static str]),
}

const fn without_effect(name: &'static str, instead: &'static str) -> Foreign {
    Foreign {
        name,
        variable: "",
        harmless: Harmless::Any,
        instead,
    }
}

const fn refused_unless(
    name: &'static str,
    variable: &'static str,
    values: &'static [&'static str],
    instead: &'static str,
) -> Foreign {
    Foreign {
        name,
        variable,
        harmless: Harmless::These(values),
        instead,
    }
}

const GSSAPI: &str = "GSSAPI and SSPI are not spoken: sign in with a password or a certificate";

#[rustfmt::skip]
static FOREIGN: [Foreign; 41] = [
    refused_unless("channel_binding", "PGCHANNELBINDING", &["disable", "prefer"], "channel binding is not done: use sslmode=verify-full, which nobody in between can pass either"),
    refused_unless("require_auth", "PGREQUIREAUTH", &[], "how the server asks for the password is not checked: use sslmode=verify-full, so that only your server asks"),
    refused_unless("requirepeer", "PGREQUIREPEER", &[], "the owner of a socket is not checked: put it into a directory that others cannot write to"),
    refused_unless("sslcrl", "PGSSLCRL", &[], "revocation lists are not read: use certificates that last days, or an authority of your own (database.ca_file)"),
    refused_unless("sslcrldir", "PGSSLCRLDIR", &[], "revocation lists are not read: use certificates that last days, or an authority of your own (database.ca_file)"),
    refused_unless("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", &["TLSv1", "TLSv1.1", "TLSv1.2"], "TLS 1.2 and 1.3 are spoken: have the server ask for more (its ssl_min_protocol_version)"),
    refused_unless("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", &["TLSv1.3"], "TLS 1.2 and 1.3 are spoken: have the server ask for less (its ssl_max_protocol_version)"),
    refused_unless("sslnegotiation", "PGSSLNEGOTIATION", &["postgres"], "TLS begins as PostgreSQL's own protocol asks for it: leave it out"),
    refused_unless("sslcertmode", "PGSSLCERTMODE", &["allow", "disable"], "whether the server asks for our certificate is not checked: have pg_hba.conf demand it (clientcert)"),
    refused_unless("sslpassword", "", &[], "an encrypted key cannot be read: give a key without a password, in a file that this user alone may read"),
    refused_unless("gssencmode", "PGGSSENCMODE", &["disable", "prefer"], GSSAPI),
    refused_unless("target_session_attrs", "PGTARGETSESSIONATTRS", &["any", "read-write", "primary"], "we write: name a server that takes writes"),
    refused_unless("replication", "", &["false", "off", "no", "0"], "we speak SQL alone: leave it out"),
    refused_unless("service", "PGSERVICE", &[], "service files are not read: write host, user and database into the URL"),
    refused_unless("servicefile", "", &[], "service files are not read: write host, user and database into the URL"),
    refused_unless("passfile", "", &[], "name the file in PGPASSFILE, or the password's own file in database.password_file"),
    refused_unless("scram_client_key", "", &[], "we sign in with a password: use database.password_file"),
    refused_unless("scram_server_key", "", &[], "we sign in with a password: use database.password_file"),
    refused_unless("min_protocol_version", "PGMINPROTOCOLVERSION", &["3.0"], "protocol 3.0 is spoken: leave it out"),
    refused_unless("ssl", "", &[], "say sslmode=verify-full, or disable"),
    without_effect("statement-cache-capacity", "database.statement_cache is what holds"),
    without_effect("connect_timeout", "database.connect_timeout_seconds is what holds"),
    without_effect("application_name", "we call ourselves smartassist-etl"),
    without_effect("fallback_application_name", "we call ourselves smartassist-etl"),
    without_effect("client_encoding", "it is always UTF8"),
    without_effect("keepalives", "database.statement_timeout_seconds says when a connection counts as dead"),
    without_effect("keepalives_idle", "database.statement_timeout_seconds says when a connection counts as dead"),
    without_effect("keepalives_interval", "database.statement_timeout_seconds says when a connection counts as dead"),
    without_effect("keepalives_count", "database.statement_timeout_seconds says when a connection counts as dead"),
    without_effect("tcp_user_timeout", "database.statement_timeout_seconds says when a connection counts as dead"),
    without_effect("load_balance_hosts", "there is one host"),
    without_effect("krbsrvname", GSSAPI),
    without_effect("gsslib", GSSAPI),
    without_effect("gssdelegation", GSSAPI),
    without_effect("sslcompression", "nothing is compressed"),
    without_effect("sslsni", "the host's name is always told"),
    without_effect("sslkeylogfile", "keys are written nowhere"),
    without_effect("max_protocol_version", "protocol 3.0 is spoken"),
    without_effect("oauth_issuer", "we sign in with a password or a certificate"),
    without_effect("oauth_client_id", "we sign in with a password or a certificate"),
    without_effect("oauth_scope", "we sign in with a password or a certificate"),
];

#[derive(Debug)]
pub(super) struct Understood {
    pub(super) url: Url,
    pub(super) without_effect: Vec<&'static Foreign>,
}

/// Errors quote no value: it may be password text.
pub(super) fn understood(url: &str) -> Result<Understood, String> {
    let mut url = Url::parse(url).map_err(|_| "it is not a valid PostgreSQL URL".to_owned())?;
    let mut without_effect = Vec::new();
    let mut kept = Vec::new();
    for (name, value) in url.query_pairs() {
        let is_honoured = HONOURED.contains(&&*name) || name.starts_with("options[");
        if name == "host" && value.contains(',') {
            return Err(several_hosts());
        }
        if is_honoured {
            kept.push((name.into_owned(), value.into_owned()));
            continue;
        }
        let foreign = FOREIGN.iter().find(|foreign| foreign.name == name);
        let foreign = foreign.ok_or_else(|| unknown(&name, &value))?;
        if !foreign.takes(&value) {
            return Err(format!(
                "its parameter {name} cannot be honoured: {}",
                foreign.instead
            ));
        }
        without_effect.push(foreign);
    }
    if url.host_str().is_some_and(|host| host.contains(',')) {
        return Err(several_hosts());
    }
    match kept.is_empty() {
        true => url.set_query(None),
        false => drop(url.query_pairs_mut().clear().extend_pairs(kept)),
    }
    Ok(Understood { url, without_effect })
}

pub(super) fn check_variables(variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    for foreign in FOREIGN.iter().filter(|foreign| !foreign.variable.is_empty()) {
        let value = variable(foreign.variable).filter(|value| !value.is_empty());
        if value.is_some_and(|value| !foreign.takes(&value)) {
            return Err(format!(
                "the variable {} cannot be honoured: {}",
                foreign.variable, foreign.instead
            ));
        }
    }
    Ok(())
}

impl Foreign {
    fn takes(&self, value: &str) -> bool {
        match self.harmless {
            Harmless::Any => true,
            Harmless::These(values) => values.contains(&value),
        }
    }
}

fn several_hosts() -> String {
    "it names several hosts: name one, or an address that moves with the primary".to_owned()
}

/// Without a value it is probably password text.
fn unknown(name: &str, value: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
    if value.is_empty() || !name.chars().all(is_name) {
        return "it has a parameter that nobody knows; is there an & or a ? in the password? write %26, %3F, or use \
                database.password_file"
            .to_owned();
    }
    let known = HONOURED
        .into_iter()
        .chain(FOREIGN.iter().map(|foreign| foreign.name));
    let nearest = known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= known.len().div_ceil(2));
    let hint = nearest.map_or_else(
        || format!("known are {}", HONOURED.join(", ")),
        |(_, known)| format!("did you mean {known}?"),
    );
    format!("its parameter {name} is not known; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(parameters: &str) -> String {
        understood(&format!("postgres://etl@db.example.com/warehouse?{parameters}")).unwrap_err()
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
        let Understood { url, without_effect } = understood(url).unwrap();
        assert_eq!(
            url.as_str(),
            "postgres://etl@%2Frun%2Fpg/w?sslmode=disable&options=-c+jit%3Doff"
        );
        let names: Vec<_> = without_effect.iter().map(|foreign| foreign.name).collect();
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
