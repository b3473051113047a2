use super::*;

fn tiers(config: &Config) -> Vec<(String, i64)> {
    let monday = instant("2026-01-05T00:00:00Z").unwrap();
    let tiers = config.sync.refresh.iter().map(|tier| {
        let ring = tier.every.next_after(monday).unwrap();
        (ring.format("%a %T").to_string(), tier.lookback.num_hours())
    });
    tiers.collect()
}

fn own<const N: usize>(tiers: [(&str, i64); N]) -> Vec<(String, i64)> {
    tiers.map(|(ring, hours)| (ring.to_owned(), hours)).to_vec()
}

#[test]
fn the_default_tiers_look_back_hours_days_and_a_month() {
    let config = read("", &[]).unwrap();
    let want = [
        ("Mon 00:02:00", 2),
        ("Mon 00:23:00", 24),
        ("Mon 03:38:00", 7 * 24),
        ("Sun 04:53:00", 30 * 24),
    ];
    assert_eq!(tiers(&config), own(want));
}

#[test]
fn nothing_of_the_defaults_rings_in_the_same_second() {
    let sync = read("", &[]).unwrap().sync;
    let begin = instant("2026-01-05T00:00:00Z").unwrap();
    let mut rings = Vec::new();
    for every in sync.refresh.iter().map(|tier| &tier.every).chain([&sync.poll]) {
        let mut at = begin;
        while at < begin + TimeDelta::days(7) {
            at = every.next_after(at).unwrap();
            rings.push(at);
        }
    }
    let count = rings.len();
    rings.sort();
    rings.dedup();
    assert_eq!(rings.len(), count);
}

#[test]
fn refresh_tiers_of_a_file_replace_the_defaults() {
    let text = r#"
        [[sync.refresh]]
        every = "0 30 1 * * *"
        lookback = "3d"
        [[sync.refresh]]
        every = "0 */10 * * * *"
        lookback = "90m"
    "#;
    let config = read(text, &[]).unwrap();
    assert_eq!(tiers(&config), own([("Mon 00:10:00", 1), ("Mon 01:30:00", 72)]));
}

#[test]
fn the_environment_gives_tiers_as_json() {
    let json = r#"[{"every":"0 0 6 * * *","lookback":"366d"}]"#;
    let config = read("", &[("SYNC__REFRESH", json)]).unwrap();
    assert_eq!(tiers(&config), own([("Mon 06:00:00", 366 * 24)]));
}

#[test]
fn a_tier_has_its_own_name_or_that_of_its_lookback() {
    let config = |json: &str| read("", &[("SYNC__REFRESH", json)]);
    let every = r#""every":"0 0 6 * * *""#;
    let two = format!(r#"[{{"name":"all-year",{every},"lookback":"366d"}},{{{every},"lookback":"2h"}}]"#);
    let sync = config(&two).unwrap().sync;
    let names: Vec<&str> = sync.refresh.iter().map(|tier| tier.name.as_str()).collect();
    assert_eq!(names, ["2h", "all-year"]);
    let alike = format!(r#"[{{{every},"lookback":"2h"}},{{{every},"lookback":"2h"}}]"#);
    assert_eq!(
        problems(config(&alike)),
        ["sync.refresh: two of them have the name 2h; give each its own"]
    );
    let odd = format!(r#"[{{"name":"two hours",{every},"lookback":"2h"}}]"#);
    assert_eq!(
        problems(config(&odd)),
        ["sync.refresh[0].name: must be up to 64 letters, digits, - and _, but not open"]
    );
}

#[test]
fn an_empty_list_disables_refresh_but_no_empty_variable_does() {
    assert_eq!(tiers(&read("[sync]\nrefresh = []\n", &[]).unwrap()), []);
    assert_eq!(tiers(&read("", &[("SYNC__REFRESH", "[]")]).unwrap()), []);
    assert_eq!(tiers(&read("", &[("SYNC__REFRESH", "")]).unwrap()).len(), 4);
}

#[test]
fn what_is_no_list_of_tables_is_refused() {
    for refresh in ["{", "7", "{}", "[7]", "0 23 * * * *", "\"[]\"", "[[]]"] {
        assert_eq!(
            problems(read("", &[("SYNC__REFRESH", refresh)])),
            ["sync.refresh: must be a list of tables as in \
              [{ every = \"0 23 * * * *\", lookback = \"24h\" }], or its JSON text"],
            "{refresh}"
        );
    }
}

#[test]
fn what_is_wrong_in_a_tier_names_its_place_in_the_list() {
    let text = r#"
        [sync]
        refresh = [
            { every = "0 23 * * * *", lookback = "24h" },
            { every = "hourly", lookback = "24" },
            { evry = "0 23 * * * *", lookback = "1d" },
        ]
    "#;
    let cron = "must be a cron pattern of six fields (second minute hour day month weekday) that comes due some day, as in \"0 */5 * * * *\"";
    assert_eq!(
        problems(read(text, &[])),
        [
            format!("sync.refresh[1].every: {cron}"),
            "sync.refresh[1].lookback: must be a whole number and a unit (m, h or d), from 1m to 366d, as in \"2h\""
                .to_owned(),
            format!("sync.refresh[2].every: {cron}"),
            "sync.refresh[2].evry: unknown key; did you mean sync.refresh[2].every?".to_owned(),
        ]
    );
}

#[test]
fn a_lookback_is_a_number_and_a_unit_of_1m_to_366d() {
    let lookback = |text: &str| {
        let json = json!([{ "every": "0 23 * * * *", "lookback": text }]).to_string();
        let config = read("", &[("SYNC__REFRESH", &json)]).ok()?;
        Some(config.sync.refresh[0].lookback)
    };
    for (text, minutes) in [
        ("1m", 1),
        ("090m", 90),
        ("2h", 120),
        ("8784h", 527_040),
        ("366d", 527_040),
    ] {
        assert_eq!(lookback(text), Some(TimeDelta::minutes(minutes)), "{text}");
    }
    for text in [
        "",
        "m",
        "2",
        "0m",
        "0d",
        "-1h",
        "+1h",
        "1.5h",
        "1 h",
        "1w",
        "1H",
        "2h ",
        "367d",
        "527041m",
        "5000000000m",
        "1é",
    ] {
        assert_eq!(lookback(text), None, "{text}");
    }
}

#[test]
fn following_open_sessions_can_be_switched_off() {
    let hours = |hours: &str| read("", &[("SYNC__FOLLOW_OPEN_HOURS", hours)]);
    assert_eq!(hours("0").unwrap().sync.follow_open, None);
    assert_eq!(hours("1").unwrap().sync.follow_open, Some(TimeDelta::hours(1)));
    assert_eq!(
        problems(hours("-1")),
        ["sync.follow_open_hours: must be a whole number from 0 to 8784"]
    );
}

#[test]
fn an_empty_pattern_is_no_pattern() {
    let found = problems(read("[sync]\npoll = \"\"\n", &[]));
    assert!(
        found[0].starts_with("sync.poll: must be a cron pattern"),
        "{found:?}"
    );
    assert_eq!(found.len(), 1);
}
