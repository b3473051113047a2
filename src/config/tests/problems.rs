use super::*;

#[test]
fn unknown_keys_are_named_at_every_level_with_the_nearest_key() {
    let text = format!(
        "dta_dir = \"x\"\nxyzzy = 1\n[sync]\nsetle_seconds = 1\n[database]\nmax_connection = 3\n\
         [storage]\nrwa = true\n[http]\nbnd = \"x\"\n[log]\nlevle = \"info\"\n{ACCOUNT}reqests_per_minute = 1\n"
    );
    let found = problems(read(&text, &[]));
    for want in [
        "dta_dir: unknown key; did you mean data_dir?",
        "xyzzy: unknown key; known here: data_dir, database, account_defaults, accounts, reporting, sync, storage, privacy, http, log",
        "sync.setle_seconds: unknown key; did you mean sync.settle_seconds?",
        "database.max_connection: unknown key; did you mean database.max_connections?",
        "storage.rwa: unknown key; did you mean storage.raw?",
        "http.bnd: unknown key; did you mean http.bind?",
        "log.levle: unknown key; did you mean log.level?",
        "accounts.main.reqests_per_minute: unknown key; did you mean accounts.main.requests_per_minute?",
    ] {
        assert!(
            found.iter().any(|problem| problem == want),
            "{want}\nin {found:#?}"
        );
    }
    assert_eq!(found.len(), 8, "{found:#?}");
}

#[test]
fn unknown_keys_of_environment_and_account_defaults_are_named() {
    assert_eq!(
        problems(read("", &[("SYNC__POL", "0 * * * * *")])),
        ["sync.pol: unknown key; did you mean sync.poll?"]
    );
    assert_eq!(
        problems(read("[account_defaults]\nclient_secret_fil = \"/x\"\n", &[])),
        [
            "account_defaults.client_secret_fil: unknown key; did you mean account_defaults.client_secret_file?"
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = r#"
        [sync]
        poll = "every day"
        lease_seconds = 1
        [http]
        bind = "localhost"
        [log]
        format = "xml"
        [accounts.one]
        base_url = "smartassist.example.com"
        direction = "Sideways"
        [accounts.two]
        max_in_flight = -1
    "#;
    let error = read(text, &[]).unwrap_err();
    let text = error.to_string();
    let found = problems(Err(error));
    for start in [
        "sync.poll: must be a cron pattern of six fields",
        "sync.lease_seconds: must be a whole number from 3 to 3600",
        "http.bind: must be an address and a port",
        "log.format: must be json or pretty",
        "accounts.one.base_url: must be an http or https URL",
        "accounts.one.direction: must be Inbound, Outbound or Both",
        "accounts.one.account_id: is required (in the environment: SMARTASSIST_ETL__ACCOUNTS__ONE__ACCOUNT_ID)",
        "accounts.one.stream_id: is required",
        "accounts.one.client_id: is required with client_secret, or else token",
        "accounts.two.base_url: is required",
        "accounts.two.max_in_flight: must be a whole number from 0 to 64",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(start)),
            "{start}\nin {found:#?}"
        );
        assert!(text.contains(start), "{start}\nin {text}");
    }
    assert!(
        text.starts_with(&format!("the configuration has {} problems:\n  - ", found.len())),
        "{text}"
    );
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    for (line, range) in [
        ("requests_per_minute = -1", "0 to 100000"),
        ("requests_per_minute = 100001", "0 to 100000"),
        ("requests_per_minute = 1.5", "0 to 100000"),
        ("requests_per_minute = \"many\"", "0 to 100000"),
        ("requests_per_minute = true", "0 to 100000"),
        ("max_in_flight = -1", "0 to 64"),
        ("max_in_flight = 65", "0 to 64"),
        ("time_zone_offset = -841", "-840 to 720"),
        ("time_zone_offset = 721", "-840 to 720"),
        ("max_response_mebibytes = 0", "1 to 1024"),
        ("request_timeout_seconds = 0", "1 to 3600"),
        ("max_retries = 9223372036854775807", "0 to 100"),
    ] {
        let key = line.split(' ').next().unwrap();
        let found = problems(read(&format!("{ACCOUNT}{line}"), &[]));
        assert_eq!(
            found,
            [format!(
                "accounts.main.{key}: must be a whole number from {range}"
            )],
            "{line}"
        );
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_what_is_expected() {
    for (line, start) in [
        (
            "jwt_algorithm = \"none\"",
            "jwt_algorithm: must be HS256, HS512, RS256 or RS512",
        ),
        (
            "direction = \"inbound\"",
            "direction: must be Inbound, Outbound or Both",
        ),
        ("channels = [1]", "channels: must be a list of texts"),
        ("channels = 1", "channels: must be a list of texts"),
        ("start_from = [\"2025-01-01\"]", "start_from: must be text"),
        ("extra_body = [1]", "extra_body: must be a table"),
    ] {
        let found = problems(read(&format!("{ACCOUNT}{line}"), &[]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("accounts.main.{start}")),
            "{found:?}"
        );
    }
    for (text, start) in [
        ("sync = 7", "sync: is a table"),
        ("accounts = 7", "accounts: is a table"),
        ("[accounts]\nmain = 7", "accounts.main: is a table"),
        ("[storage]\nraw = \"yes\"", "storage.raw: must be true or false"),
        ("[log]\nlevel = \"info,[\"", "log.level: must be"),
        ("[log]\nlevel = \"warning\"", "log.level: must be"),
        ("[log]\nlevel = \"info,smartassist_etl\"", "log.level: must be"),
        ("[sync]\npoll = \"0 0 0 30 2 *\"", "sync.poll: must be"),
        ("data_dir = []", "data_dir: must be text"),
    ] {
        let found = problems(read(text, &[]));
        assert!(
            found.iter().any(|problem| problem.starts_with(start)),
            "{start}\nin {found:?}"
        );
    }
}

#[test]
fn what_is_wrong_in_reporting_is_said_with_the_nearest_key() {
    let text = format!(
        "[reporting]\ntime_zne = \"UTC\"\ntime_zone = \"Berlin\"\nweek_starts_on = \"mon\"\n{ACCOUNT}"
    );
    let found = problems(read(&text, &[]));
    for want in [
        "accounts.main.reporting.time_zne: unknown key; did you mean accounts.main.reporting.time_zone?",
        "accounts.main.reporting.time_zone: must be the IANA name of a time zone, as in Europe/Berlin or America/New_York",
    ] {
        assert!(
            found.iter().any(|problem| problem == want),
            "{want}\nin {found:#?}"
        );
    }
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn an_account_may_have_reports_of_its_own() {
    let text = format!(
        "[reporting]\ntime_zone = \"Asia/Kolkata\"\nservice_level_seconds = 30\n{ACCOUNT}[accounts.main.reporting]\nservice_level_seconds = 45\n"
    );
    let config = read(&text, &[]).unwrap();
    let reporting = &config.accounts[0].reporting;
    assert_eq!(reporting.time_zone, chrono_tz::Asia::Kolkata);
    assert_eq!(
        (reporting.service_level_seconds, reporting.short_abandon_seconds),
        (45, 5)
    );
}
