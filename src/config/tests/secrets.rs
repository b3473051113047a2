use super::*;
use crate::transform::privacy::{Class, Rule};

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_database_url_of_another_scheme_is_refused_and_not_quoted() {
    let variables = environment(&[("DATABASE_URL", "mysql://etl:hunter2@db/x")]);
    let result = Config::from_layers(None, variables);
    assert!(!shown(&result).contains("hunter2"));
    assert_eq!(
        problems(result),
        ["database.url: must be a PostgreSQL URL, as in postgres://user@host:5432/database"]
    );
}

#[test]
fn a_secret_file_must_be_there_be_readable_and_hold_something() {
    let without_token = ACCOUNT.replace("token = ", "# token = ");
    let empty = file(" \n");
    let found = problems(read(
        &format!("{without_token}token_file = {:?}", empty.path()),
        &[],
    ));
    let want = format!(
        "accounts.main.token_file: the secret file {} is empty",
        empty.path().display()
    );
    assert_eq!(found, [want]);
    let found = problems(read(
        &format!("{without_token}token_file = \"/nowhere/token\""),
        &[],
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    let start = "accounts.main.token_file: cannot read the secret file /nowhere/token: No such file";
    assert!(found[0].starts_with(start), "{found:?}");
    let found = problems(read(
        &format!("{without_token}token_file = {:?}", std::env::temp_dir()),
        &[],
    ));
    assert!(
        found[0].starts_with("accounts.main.token_file: cannot read"),
        "{found:?}"
    );
}

#[test]
fn a_password_needs_a_server_that_asks_for_it() {
    let url = ("DATABASE__URL", "postgres://etl@db/x");
    let password = file("from-a-file");
    let lines = format!("[database]\npassword_file = {:?}", password.path());
    let config = read(&lines, &[url]).unwrap();
    let secret = config.database.password.unwrap().read().unwrap();
    assert_eq!(secret.expose_secret(), "from-a-file");
    assert_eq!(
        problems(read(&lines, &[])),
        ["database.password: is for the server of database.url, which is not set"]
    );
}

#[test]
fn a_secret_given_twice_is_refused() {
    let token = file("from-a-file");
    assert_eq!(
        problems(read(&format!("{ACCOUNT}token_file = {:?}", token.path()), &[])),
        ["accounts.main.token: is given twice, also as token_file: remove one"]
    );
}

fn signing_with(algorithm: &str, key: &Path) -> Result<Config, ConfigError> {
    let account = ACCOUNT.replace("token = ", "# token = ");
    read(
        &format!(
            "{account}client_id = \"cs\"\njwt_algorithm = \"{algorithm}\"\nclient_secret_file = {key:?}"
        ),
        &[],
    )
}

#[test]
fn a_private_key_must_be_able_to_sign() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/extract/keys");
    let private = std::fs::read_to_string(keys.join("private.pem")).unwrap();
    let middle: String = private.lines().skip(9).take(1).collect();
    for algorithm in ["RS256", "RS512"] {
        assert!(signing_with(algorithm, &keys.join("private.pem")).is_ok());
        for wrong in [
            SECRET.to_owned(),
            std::fs::read_to_string(keys.join("public.pem")).unwrap(),
            private.replace(&middle, &"A".repeat(middle.len())),
            private.replace("PRIVATE", "EC PRIVATE"),
            private.lines().take(20).collect::<Vec<_>>().join("\n"),
        ] {
            let result = signing_with(algorithm, file(&wrong).path());
            let text = shown(&result);
            for line in wrong
                .lines()
                .filter(|line| line.len() > 10 && !line.starts_with('-'))
            {
                assert!(!text.contains(line), "the error shows the secret");
            }
            assert_eq!(
                problems(result),
                [
                    "accounts.main.client_secret: must be an RSA private key in PEM form, as jwt_algorithm says \
                     RS256 or RS512"
                ]
            );
        }
    }
    assert!(signing_with("HS256", file(SECRET).path()).is_ok());
}

#[test]
fn a_private_key_that_is_not_there_is_one_problem() {
    let found = problems(signing_with("RS256", Path::new("/nowhere/key")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("accounts.main.client_secret_file: cannot read"),
        "{found:?}"
    );
}

#[test]
fn secrets_never_show_wherever_they_come_from() {
    let secret_file = file(SECRET);
    let url = format!("postgres://etl:{SECRET}@db/x");
    let minted = ACCOUNT.replace("token = ", "client_id = \"cs\"\nclient_secret = ");
    let from_file = ACCOUNT.replace("token = ", "# ") + &format!("token_file = {:?}", secret_file.path());
    let good = [
        read(ACCOUNT, &[("DATABASE__URL", &url)]),
        read(&minted, &[]),
        read(&from_file, &[]),
        read(
            &ACCOUNT.replace(SECRET, "x"),
            &[("ACCOUNTS__MAIN__TOKEN", SECRET)],
        ),
        read(&format!("[database]\nurl = \"{url}\""), &[]),
        read(
            ACCOUNT,
            &[("DATABASE__URL", "postgres://db"), ("DATABASE__PASSWORD", SECRET)],
        ),
    ];
    for result in good {
        assert!(
            result.is_ok(),
            "{}",
            shown(&result).replace(SECRET, "(the secret)")
        );
        assert!(!shown(&result).contains(SECRET), "a configuration shows a secret");
    }
    let bad = [
        read(&format!("{ACCOUNT}max_in_flight = -1"), &[]),
        read(
            &ACCOUNT.replace(&format!("\"{SECRET}\""), &format!("[\"{SECRET}\"]")),
            &[],
        ),
        read(
            &ACCOUNT.replace(&format!("\"{SECRET}\""), &format!("{{ x = \"{SECRET}\" }}")),
            &[],
        ),
        read(&ACCOUNT.replace("token", "tokn"), &[]),
        read("", &[("ACCOUNTS__MAIN", SECRET)]),
        read("", &[("ACCOUNTS", SECRET)]),
        read(ACCOUNT, &[("ACCOUNTS__MAIN__EXTRA_BODY", SECRET)]),
        read(ACCOUNT, &[("ACCOUNTS__MAIN__TOKEN__X", SECRET)]),
        read(ACCOUNT, &[("ACCOUNTS__MAIN__BASE_URL", SECRET)]),
        read(ACCOUNT, &[("SYNC__LEASE_SECONDS", SECRET)]),
        read(ACCOUNT, &[("ACCOUNTS__MAIN__[", SECRET)]),
        read(&format!("[database]\nurl = \"mysql://etl:{SECRET}@db/x\""), &[]),
        read(ACCOUNT, &[("DATABASE__PASSWORD", SECRET)]),
    ];
    for result in bad {
        assert!(result.is_err());
        assert!(!shown(&result).contains(SECRET), "an error shows a secret");
    }
}

#[test]
fn a_secret_in_a_file_that_is_not_toml_does_not_show() {
    for line in [
        format!("token = {SECRET}"),
        format!("token = \"{SECRET}"),
        format!("token = '{SECRET}"),
        format!("token = {SECRET}\""),
        format!("token: \"{SECRET}\""),
        format!("token \"{SECRET}\""),
        format!("\"{SECRET}\""),
        SECRET.to_owned(),
        format!("token = \"\\{SECRET}\""),
        format!("token = \"\"\"{SECRET}"),
        format!("token = \"{SECRET}\" x"),
        format!("token = \"{SECRET}\"\ntoken = \"{SECRET}\""),
        format!("token = [\"{SECRET}\""),
        format!("token = {{ x = \"{SECRET}\""),
        format!("[{SECRET}"),
    ] {
        let result = read(&format!("# first\n{line}\n"), &[]);
        let text = shown(&result);
        assert!(
            text.contains("is not valid TOML"),
            "{}",
            text.replace(SECRET, "(the secret)")
        );
        assert!(
            text.contains("line 2") || text.contains("line 3"),
            "{}",
            text.replace(SECRET, "(the secret)")
        );
        assert!(
            !text.contains(SECRET),
            "the error for {} shows the secret",
            line.replace(SECRET, "…")
        );
    }
}

#[test]
fn a_secret_that_is_an_oversized_toml_number_is_not_quoted() {
    let result = read("token = 981726354091827364546372819", &[]);
    assert!(result.is_err());
    assert!(!shown(&result).contains("98172"));
}

#[test]
fn a_placeholder_is_refused_wherever_text_is_asked_for() {
    let placeholder = "Replace-Me-With-At-Least-32-Characters";
    let minted = ACCOUNT.replace("token = ", "client_id = \"cs\"\nclient_secret = ");
    let url = ("DATABASE__URL", "postgres://etl@db/x");
    let in_url = "postgres://etl:CHANGE-ME@db/x";
    for (result, key) in [
        (
            read(&ACCOUNT.replace(SECRET, placeholder), &[]),
            "accounts.main.token",
        ),
        (
            read(&minted.replace(SECRET, placeholder), &[]),
            "accounts.main.client_secret",
        ),
        (
            read("", &[url, ("DATABASE__PASSWORD", placeholder)]),
            "database.password",
        ),
        (read("", &[("DATABASE__URL", in_url)]), "database.url"),
        (
            Config::from_layers(None, environment(&[("DATABASE_URL", in_url)])),
            "database.url",
        ),
        (
            read("", &[("HTTP__TOKEN", "<a token of 16 characters>")]),
            "http.token",
        ),
        (read("", &[("PRIVACY__KEY", placeholder)]), "privacy.key"),
        (
            read(ACCOUNT, &[("ACCOUNTS__MAIN__STREAM_ID", placeholder)]),
            "accounts.main.stream_id",
        ),
    ] {
        let found = problems(result);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{key}: ")), "{found:?}");
        assert!(found[0].contains("is a placeholder"), "{found:?}");
    }
}

#[test]
fn what_is_left_out_around_a_secret_is_known_by_its_key() {
    let with_mark = file(&format!("\u{feff}{SECRET}\n"));
    let usual = file(&format!("{SECRET}\n"));
    let password = format!("[database]\npassword_file = {:?}\n", with_mark.path());
    let account = ACCOUNT.replace("token = ", "# token = ") + &format!("token_file = {:?}", usual.path());
    let url = "postgres://etl@db/x\n";
    let token = format!("{SECRET}{SECRET} ");
    let variables = [("DATABASE__URL", url), ("HTTP__TOKEN", token.as_str())];
    let config = read(&format!("{password}{account}"), &variables).unwrap();
    assert_eq!(
        config.trimmed_secrets,
        ["database.password_file", "database.url", "http.token"]
    );
    let token = config.http.token.unwrap().read().unwrap();
    assert_eq!(token.expose_secret(), format!("{SECRET}{SECRET}"));
}

#[test]
fn everything_is_kept_for_ever_unless_somebody_says_otherwise() {
    let config = read(ACCOUNT, &[]).unwrap();
    assert!(config.privacy.keeps_all());
    assert!(config.privacy.key.is_none());
    assert_eq!(config.storage.retention, None);
}

#[test]
fn each_class_has_a_rule_of_its_own() {
    let text = format!("{ACCOUNT}[privacy]\ncustomer = \"hash\"\nfree_text = \"drop\"\nkey = \"{KEY}\"\n");
    let config = read(
        &text,
        &[("PRIVACY__AGENT", "drop"), ("STORAGE__RETENTION_DAYS", "90")],
    )
    .unwrap();
    let rules = Class::ALL.map(|class| config.privacy.rule(class));
    assert_eq!(
        rules,
        [Rule::Hash, Rule::Drop, Rule::Keep, Rule::Drop, Rule::Keep]
    );
    assert_eq!(config.storage.retention, Some(TimeDelta::days(90)));
}

#[test]
fn hashing_needs_a_key_that_cannot_be_guessed() {
    let found = problems(read(ACCOUNT, &[("PRIVACY__AGENT", "hash")]));
    assert!(found[0].starts_with("privacy.key: is required"), "{found:?}");
    let short = problems(read(ACCOUNT, &[("PRIVACY__KEY", "hunter2")]));
    assert!(
        short[0].contains("at least 32 characters") && !short[0].contains("hunter2"),
        "{short:?}"
    );
    let unknown = problems(read(ACCOUNT, &[("PRIVACY__AGENT", "forget")]));
    assert_eq!(unknown, ["privacy.agent: must be keep, hash or drop"]);
}

#[test]
fn the_key_shows_nowhere_and_may_be_a_file() {
    let key = file(&format!("{KEY}\n"));
    let path = key.path().to_str().unwrap();
    let from_file = read(
        ACCOUNT,
        &[("PRIVACY__AGENT", "hash"), ("PRIVACY__KEY_FILE", path)],
    );
    let inline = read(ACCOUNT, &[("PRIVACY__AGENT", "hash"), ("PRIVACY__KEY", KEY)]);
    assert!(!shown(&from_file).contains(KEY) && !shown(&inline).contains(KEY));
    let id = |config: Result<Config, ConfigError>| config.unwrap().privacy.key.as_ref().unwrap().id();
    assert_eq!(id(from_file), id(inline));
}

#[test]
fn a_variable_with_one_underscore_after_the_prefix_is_a_problem_unless_kubernetes_made_it() {
    let load = |name| Config::from_layers(None, environment(&[(name, "x")]));
    for name in [
        "SMARTASSIST_ETL_DATABASE__URL",
        "SMARTASSIST_ETL_DATABASE_URL",
        "SMARTASSIST_ETL_PRIVACY_CUSTOMER",
        "SMARTASSIST_ETL_ACCOUNTS_MAIN_TOKEN",
        "SMARTASSIST_ETL_DATA_DIR",
    ] {
        let found = problems(load(name));
        assert!(
            found[0].starts_with(&format!("{name} is not read: ")),
            "{found:?}"
        );
    }
    for name in [
        "SMARTASSIST_ETL_CONFIG",
        "SMARTASSIST_ETL_SERVICE_HOST",
        "SMARTASSIST_ETL_PORT_8080_TCP_ADDR",
        "SMARTASSIST_ETLX__Y",
    ] {
        assert!(load(name).is_ok(), "{name}");
    }
}
