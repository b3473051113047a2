use super::*;

#[test]
fn an_account_needs_only_its_address_its_ids_and_a_credential() {
    let account = account("").unwrap();
    assert_eq!(account.name, "main");
    assert_eq!(account.base_url.as_str(), "https://smartassist.example.com/");
    assert_eq!(
        (account.account_id.as_str(), account.filters.stream_id.as_str()),
        ("acct-1", "st-1")
    );
    assert_eq!(account.filters.selected_fields, account::SELECTED_FIELDS);
    assert!(account.filters.channels.is_none() && account.filters.direction.is_none());
    assert!(account.filters.extra_body.is_empty());
    assert_eq!((account.time_zone_offset, account.limits.per_minute), (0, 60));
    assert_eq!((account.limits.per_hour, account.limits.max_in_flight), (0, 4));
    assert_eq!(
        (account.retry.max_retries, account.retry.pause),
        (6, Duration::from_secs(1))
    );
    assert_eq!(account.response.max_bytes, 8 << 20);
    assert_eq!(account.response.request_timeout, Duration::from_secs(90));
    assert!(account.start_from.is_none());
}

#[test]
fn accounts_inherit_account_defaults_and_may_override_them() {
    let text = r#"
        [account_defaults]
        base_url = "https://eu.example.com"
        client_id = "cs-1"
        client_secret = "shared"
        requests_per_minute = 30
        channels = ["voice"]
        [accounts.north]
        account_id = "a-1"
        stream_id = "st-1"
        [accounts.south]
        base_url = "https://us.example.com"
        account_id = "a-2"
        stream_id = "st-2"
        requests_per_minute = 10
        channels = ["chat", "email"]
    "#;
    let config = read(text, &[("ACCOUNT_DEFAULTS__MAX_IN_FLIGHT", "2")]).unwrap();
    let [north, south] = config.accounts.as_slice() else {
        panic!("{:?}", config.accounts)
    };
    assert_eq!((north.name.as_str(), south.name.as_str()), ("north", "south"));
    assert_eq!(north.base_url.host_str(), Some("eu.example.com"));
    assert_eq!(south.base_url.host_str(), Some("us.example.com"));
    assert_eq!((north.limits.per_minute, south.limits.per_minute), (30, 10));
    assert_eq!(north.filters.channels.as_deref().unwrap(), ["voice"]);
    assert_eq!(south.filters.channels.as_deref().unwrap(), ["chat", "email"]);
    assert_eq!((north.limits.max_in_flight, south.limits.max_in_flight), (2, 2));
}

#[test]
fn a_problem_of_an_inherited_value_is_told_once_where_it_stands() {
    let text = r#"
        [account_defaults]
        base_url = "ftp://example.com"
        max_retrys = 3
        requests_per_minute = "many"
        [reporting]
        time_zone = "Mars/Olympus"
        [accounts.north]
        account_id = "a-1"
        stream_id = "st-1"
        token = "t"
        [accounts.south]
        account_id = "a-2"
        stream_id = "st-2"
        token = "t"
        max_in_flight = -1
    "#;
    let told = problems(read(text, &[]));
    let places: Vec<&str> = told.iter().filter_map(|told| told.split(':').next()).collect();
    let expected = [
        "reporting.time_zone",
        "account_defaults.base_url",
        "account_defaults.requests_per_minute",
        "account_defaults.max_retrys",
        "accounts.south.max_in_flight",
    ];
    assert_eq!(places, expected, "{told:#?}");
}

#[test]
fn an_account_can_be_given_by_the_environment_alone() {
    let variables = environment(&[
        (
            "SMARTASSIST_ETL__ACCOUNTS__MAIN__BASE_URL",
            "https://smartassist.example.com",
        ),
        ("SMARTASSIST_ETL__ACCOUNTS__MAIN__ACCOUNT_ID", "007"),
        ("SMARTASSIST_ETL__ACCOUNTS__MAIN__STREAM_ID", "1e3"),
        ("SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_ID", "true"),
        ("SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_SECRET", "0042"),
        ("SMARTASSIST_ETL__ACCOUNTS__MAIN__JWT_ALGORITHM", "HS512"),
    ]);
    let config = Config::from_layers(None, variables).unwrap();
    let account = &config.accounts[0];
    assert_eq!(
        (account.account_id.as_str(), account.filters.stream_id.as_str()),
        ("007", "1e3")
    );
    let Credentials::Mint {
        client_id,
        client_secret,
        algorithm,
    } = &account.credentials
    else {
        panic!("{:?}", account.credentials)
    };
    assert_eq!((client_id.as_str(), *algorithm), ("true", Algorithm::HS512));
    assert_eq!(secret(client_secret), "0042");
}

#[test]
fn start_from_is_a_date_or_an_instant() {
    for (text, want) in [
        ("\"2025-01-31\"", "2025-01-31T00:00:00Z"),
        ("2025-01-31", "2025-01-31T00:00:00Z"),
        ("\"2025-01-31T12:00:00+05:30\"", "2025-01-31T06:30:00Z"),
        ("2025-01-31T12:00:00Z", "2025-01-31T12:00:00Z"),
        ("\"2025-01-31T12:00:00.999999+05:30\"", "2025-01-31T06:30:00Z"),
        ("\"2000-01-01T00:00:00.5Z\"", "2000-01-01T00:00:00Z"),
    ] {
        let account = account(&format!("start_from = {text}")).unwrap();
        assert_eq!(account.start_from, instant(want), "{text}");
    }
    for wrong in [
        "2025-02-30",
        "yesterday",
        "2025",
        "2025-01-31 12:00",
        "1999-12-31",
        "0001-01-01",
    ] {
        let result = read(ACCOUNT, &[("ACCOUNTS__MAIN__START_FROM", wrong)]);
        assert_eq!(
            problems(result),
            ["accounts.main.start_from: must be a date (2025-01-31) or RFC 3339, from 2000 on"],
            "{wrong}"
        );
    }
}

#[test]
fn ids_are_of_visible_ascii_and_not_without_end() {
    let longest = "x".repeat(512);
    for key in ["ACCOUNT_ID", "STREAM_ID"] {
        let variable = format!("ACCOUNTS__MAIN__{key}");
        for id in ["7", "st-1d7611fa:~!", &longest] {
            assert!(read(ACCOUNT, &[(&variable, id)]).is_ok(), "{id}");
        }
        for id in [
            "kontó",
            "a/b",
            "..",
            "a?b",
            "a%2f",
            "a b",
            " a",
            "a\n",
            "\0",
            "\x7f",
            &format!("{longest}x"),
        ] {
            let want = format!(
                "accounts.main.{}: must be 1 to 512 characters of visible ASCII, none of them / \\ ? # %",
                key.to_lowercase()
            );
            assert_eq!(problems(read(ACCOUNT, &[(&variable, id)])), [want], "{id:?}");
        }
    }
}

#[test]
fn no_limit_of_requests_in_flight_is_as_many_as_can_be_set() {
    for (given, requests) in [("0", 64), ("1", 1), ("64", 64)] {
        let account = account(&format!("max_in_flight = {given}")).unwrap();
        assert_eq!(account.limits.max_in_flight, requests);
    }
}

#[test]
fn one_account_is_loaded_once() {
    let other = ACCOUNT.replace("accounts.main", "accounts.other");
    assert_eq!(
        problems(read(&format!("{ACCOUNT}{other}"), &[])),
        ["accounts.other.account_id: is the same as that of accounts.main; one account is loaded once"]
    );
}

#[test]
fn commands_that_need_an_account_say_how_to_give_one() {
    let none = Config::from_layers(None, HashMap::new()).unwrap();
    let error = none.require_accounts().unwrap_err().to_string();
    for word in [
        "accounts.<name>",
        "base_url",
        "account_id",
        "stream_id",
        "--config",
    ] {
        assert!(error.contains(word), "{word}\nin {error}");
    }
    assert!(
        error.contains("SMARTASSIST_ETL__ACCOUNTS__<NAME>__BASE_URL"),
        "{error}"
    );
    assert!(read(ACCOUNT, &[]).unwrap().require_accounts().is_ok());
}

#[test]
fn one_way_to_sign_in_is_given_whole() {
    let without_token = ACCOUNT.replace("token = ", "# token = ");
    for (lines, want) in [
        ("", "client_id: is required with client_secret, or else token"),
        (
            "client_id = \"cs\"",
            "client_secret: is required beside client_id",
        ),
        (
            "client_secret = \"x\"",
            "client_id: is required beside client_secret",
        ),
        (
            "token = \"t\"\nclient_id = \"cs\"",
            "token: is given beside client_id or client_secret",
        ),
        (
            "token = \"t\"\nclient_secret = \"x\"",
            "token: is given beside client_id or client_secret",
        ),
    ] {
        let found = problems(read(&format!("{without_token}{lines}"), &[]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("accounts.main.{want}")),
            "{found:?}"
        );
    }
}

#[test]
fn a_base_url_is_an_address_and_nothing_more() {
    for wrong in [
        "smartassist.example.com",
        "ftp://smartassist.example.com",
        "https://",
        "https://smartassist.example.com/?account=1",
        "https://me:hunter2@smartassist.example.com",
        "file:///etc/passwd",
    ] {
        let result = read(ACCOUNT, &[("ACCOUNTS__MAIN__BASE_URL", wrong)]);
        assert!(!shown(&result).contains("hunter2"), "{wrong}");
        let found = problems(result);
        assert!(
            found[0].starts_with("accounts.main.base_url: must be an http or https URL"),
            "{found:?}"
        );
    }
}

#[test]
fn extra_body_must_not_name_what_other_keys_send() {
    for name in [
        "startDate",
        "endDate",
        "timeZoneOffset",
        "selectedFields",
        "channels",
        "queues",
        "bots",
        "direction",
        "offset",
        "limit",
    ] {
        let found = problems(read(&format!("{ACCOUNT}extra_body = {{ {name} = \"x\" }}"), &[]));
        assert!(
            found[0].starts_with(&format!("accounts.main.extra_body: must not have {name}: ")),
            "{found:?}"
        );
    }
    assert!(read(&format!("{ACCOUNT}extra_body = {{ startdate = \"x\" }}"), &[]).is_err());
    let account = account("extra_body = { isAutomation = false }").unwrap();
    assert_eq!(account.filters.extra_body["isAutomation"], json!(false));
}

#[test]
fn a_misspelt_selected_field_is_refused_and_a_new_one_is_not() {
    for (field, meant) in [
        ("customerInfo", "customerinfo"),
        ("skill", "skills"),
        ("SKILLS", "skills"),
        ("snozeinfo", "snoozeinfo"),
    ] {
        let found = problems(read(&format!("{ACCOUNT}selected_fields = [\"{field}\"]"), &[]));
        let expected =
            format!("accounts.main.selected_fields: {field} is no field of the API; did you mean {meant}?");
        assert_eq!(found, [expected]);
    }
    let account = account("selected_fields = [\"surveyinfo\", \"skills\"]").unwrap();
    assert_eq!(account.filters.selected_fields, ["surveyinfo", "skills"]);
}

#[test]
fn requests_take_as_long_as_the_narrowest_limit_needs_for_them() {
    let milliseconds = |limits: RequestLimits, requests| limits.time_for(requests).as_millis();
    assert_eq!(milliseconds(RequestLimits::of(0, 0), 1_000), 0);
    assert_eq!(milliseconds(RequestLimits::of(60, 0), 10), 10_000);
    assert_eq!(milliseconds(RequestLimits::of(60, 600), 10), 60_000);
    assert_eq!(milliseconds(RequestLimits::of(7, 0), 1), 8_571);
    assert_eq!(
        RequestLimits::of(1, 1).time_for(u64::MAX),
        Duration::from_nanos(u64::MAX)
    );
}
