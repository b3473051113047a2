//! `erase` as people run it: by standard input, for a customer who is known in every spelling.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use crate::support::{Program, Setup, TestDatabase, days_ago, real_now};

const PHONES: [&str; 21] = [
    "+15550100000",
    "1 (555) 010-0000",
    "001 555 010 0000",
    "011 1 555 010 0000",
    "0011 1 555 010 0000",
    "SIP:+15550100000@pbx.example.com",
    "<sip:+15550100000@10.1.2.3:5060;user=phone>",
    "\"Zelda\" <sip:+15550100000@sbc.example.com>;tag=1928301774",
    "sip:%2B15550100000@10.1.2.3",
    "+15550100000@10.1.2.3",
    "\u{202a}+1 555 010 0000\u{202c}",
    "+1\u{2011}555\u{2011}010\u{2011}0000",
    "+1\u{2009}555\u{2009}010\u{2009}0000",
    "\u{ff0b}\u{ff11}\u{ff15}\u{ff15}\u{ff15}\u{ff10}\u{ff11}\u{ff10}\u{ff10}\u{ff10}\u{ff10}\u{ff10}",
    "+1 555 010 0000 ext. 7",
    "+1 555 010 0000 x7",
    "tel:+1-555-010-0000;ext=7",
    "+15550100000,,7",
    "whatsapp:+15550100000",
    "+1 (0) 555 010 0000",
    "+4930123456; +15550100000",
];

const EMAILS: [&str; 9] = [
    "zelda.erasable@example.com",
    " Zelda.Erasable@EXAMPLE.com",
    "Zelda <zelda.erasable@example.com>",
    "MAILTO:zelda.erasable@example.com",
    "mailto:zelda.erasable@example.com?subject=hello",
    "a@example.com; zelda.erasable@example.com",
    "\"zelda.erasable\"@example.com",
    "zelda.erasable@example.com (home)",
    "\u{ff5a}elda.erasable\u{ff20}example.com",
];

/// The fields of Zelda's 38 records, as JSON; 26 are hers by phone.
fn hers() -> (Vec<String>, Vec<String>) {
    let mut by_phone: Vec<Value> = PHONES
        .map(|phone| json!({"customerinfo": {"CustomerPhone": phone}}))
        .into();
    by_phone.extend([
        json!({"metaInfo": {"customerinfo": {"CustomerPhone": ["+15550100000"]}}}),
        json!({"customerinfo": {"CustomerPhone": {"number": "+15550100000"}}}),
        json!({"userId": "whatsapp:+15550100000"}),
    ]);
    let mut by_phone: Vec<String> = by_phone.iter().map(Value::to_string).collect();
    by_phone.extend(
        ["15550100000.0", "1.5550100000e10"].map(|number| format!(r#"{{"metaInfo":{{"caller":{number}}}}}"#)),
    );
    let mut by_email: Vec<Value> = EMAILS
        .map(|email| json!({"customerinfo": {"CustomerEmail": email}}))
        .into();
    by_email.extend([
        json!({"channelSpecificUserId": "Zelda.Erasable@example.com"}),
        json!({"metaInfo": {"emailId": "zelda.erasable@example.com"}}),
        json!({"metaInfo": {"identities": [{"val": "zelda.erasable@example.com", "type": "mapped"}]}}),
    ]);
    (by_phone, by_email.iter().map(Value::to_string).collect())
}

/// What mentions the phone, and may be about somebody else; then the same of the address.
fn unsure() -> (Vec<Value>, Vec<Value>) {
    let by_phone = vec![
        json!({"customerinfo": {"CustomerPhone": "(555) 010-0000"}}),
        json!({"sessionleveltags": [{"name": "phone", "value": "+15550100000"}]}),
        json!({"newField": "+1 555 010 0000"}),
        json!({"destinations": [{"respondingAgent": {"ConsultingAgents": [{"name": "+15550100000"}]}}]}),
        json!({"Direction": "Inbound", "metaInfo": {"callee": "+15550100000"}}),
        json!({"customerinfo": [[{"CustomerPhone": "+15550100000"}]]}),
    ];
    let by_email = vec![
        json!({"customerinfo": {"CustomerEmail": "zelda.erasable+shop@example.com"}}),
        json!({"csatFeedback": "I am zelda.erasable@example.com"}),
    ];
    (by_phone, by_email)
}

struct Centre {
    _setup: Setup,
    database: TestDatabase,
    environment: HashMap<String, String>,
}

/// All of that loaded, with two records of other people, and two of Zelda's that were rejected.
async fn centre() -> Centre {
    let setup = Setup::live().await;
    let start = real_now() - chrono::TimeDelta::hours(3);
    let stamp = start.format("%Y-%m-%dT%H:%M:%S");
    let insert = |id: String, fields: &str| {
        let rest = fields.strip_prefix('{').unwrap();
        let record = format!(r#"{{"sessionId":"{id}","sessionStartTime":"{stamp}",{rest}"#);
        setup.simulator.world().insert_raw_bytes(start, record);
    };
    let (by_phone, by_email) = hers();
    assert_eq!((by_phone.len(), by_email.len()), (26, 12));
    for (place, fields) in by_phone.iter().chain(&by_email).enumerate() {
        insert(format!("z-{place}"), fields);
    }
    let (phone, email) = unsure();
    for (place, fields) in phone.iter().chain(&email).enumerate() {
        insert(format!("m-{place}"), &fields.to_string());
    }
    insert(
        "o-1".to_owned(),
        r#"{"customerinfo":{"CustomerPhone":"+15550100001"}}"#,
    );
    insert(
        "o-2".to_owned(),
        r#"{"customerinfo":{"CustomerEmail":"bob@example.com"}}"#,
    );
    for bad in [
        r#"[{"sessionId":"z-list","customerinfo":{"CustomerPhone":"+1 555 010 0000"}}]"#,
        r#"{"sessionId":"z-bad","customerinfo":{"CustomerEmail":"ZELDA.erasable@example.com"}}"#,
    ] {
        setup.simulator.world().insert_raw_bytes(start, bad);
    }
    let database = TestDatabase::migrated().await;
    let mut environment = setup.environment_on(&database).await;
    let key = "0123456789abcdef0123456789abcdef".to_owned();
    environment.insert("SMARTASSIST_ETL__PRIVACY__KEY".to_owned(), key);
    let ended = Program::run(&["sync"], &environment).await;
    // The list is no record, so its window is not complete.
    assert_eq!(ended.code(), 1, "{}", ended.last_word());
    assert_eq!(database.counts().await[0], 48);
    Centre {
        _setup: setup,
        database,
        environment,
    }
}

impl Centre {
    /// The ids of the interactions whose keys were listed.
    async fn ids(&self, listed: &Value) -> Vec<String> {
        let listed = listed.as_array().unwrap().iter();
        let keys = listed.map(|key| key["interaction_key"].as_str().unwrap());
        self.database.ids_of(keys).await
    }

    async fn sessions(&self) -> BTreeSet<String> {
        let ids = self
            .database
            .text("select string_agg(session_id, ' ') from smartassist.sessions")
            .await;
        ids.split(' ').map(str::to_owned).collect()
    }

    /// What `erase` printed as JSON.
    async fn erase(&self, option: &str, value: &str) -> Value {
        let ended = Program::run_on(
            value,
            &["erase", option, "-", "--mentions", "--json"],
            &self.environment,
        )
        .await;
        assert_eq!(ended.code(), 0, "{}", ended.last_word());
        let said = ended.log.join("\n") + &ended.stdout;
        assert!(!said.contains("010-0000") && !said.contains("zelda"), "{said}");
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

#[tokio::test]
async fn a_customer_in_all_spellings_goes_and_never_comes_back() {
    let centre = centre().await;
    let by_phone = centre.erase("--phone", "+1 (555) 010-0000\n").await;
    assert_eq!(by_phone["deleted"]["sessions"], 26);
    assert_eq!(by_phone["deleted"]["rejected_records"], 1);
    assert_eq!(by_phone["mentions"], 6);
    assert_eq!(
        centre.ids(&by_phone["mentioned_in"]).await,
        ["m-0", "m-1", "m-2", "m-3", "m-4", "m-5"]
    );
    let by_email = centre.erase("--email", "zelda.erasable@example.com").await;
    assert_eq!(by_email["deleted"]["sessions"], 12);
    assert_eq!(by_email["deleted"]["rejected_records"], 1);
    assert_eq!(centre.ids(&by_email["mentioned_in"]).await, ["m-6", "m-7"]);

    let (from, to) = (days_ago(2), days_ago(-1));
    let again = Program::run(
        &["backfill", "--refetch", "--from", &from, "--to", &to],
        &centre.environment,
    )
    .await;
    assert_eq!(again.code(), 1, "{}", again.last_word());
    let left = centre.sessions().await;
    assert_eq!(left.len(), 10, "{left:?}");
    assert!(left.iter().all(|id| !id.starts_with("z-")), "{left:?}");
    let rejected = "select count(*) from smartassist_sync.rejected_records";
    assert_eq!(centre.database.number(rejected).await, 0);
    let verified = Program::run(
        &["verify", "--from", &from, "--to", &to, "--by-identity", "--json"],
        &centre.environment,
    )
    .await;
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    let days = verified["accounts"][0]["days"].as_array().unwrap();
    let sum = |of: &str| days.iter().map(|day| day[of].as_u64().unwrap()).sum::<u64>();
    let sums = ["api", "stored", "not_returned", "changed"].map(sum);
    assert_eq!(sums, [10, 10, 0, 0], "{verified:#}");
}

#[tokio::test]
async fn what_may_be_somebody_else_is_printed_with_its_key() {
    let centre = centre().await;
    let ended = Program::run_on(
        "+15550100000",
        &["erase", "--phone", "-", "--dry-run", "--mentions"],
        &centre.environment,
    )
    .await;
    assert_eq!(ended.code(), 0);
    assert!(ended.stdout.contains("6 more mention it"), "{}", ended.stdout);
    let listed = ended.stdout.lines().filter_map(|line| {
        line.strip_prefix("  interaction ")?
            .strip_suffix(" of account acct-sim")
    });
    let listed = centre.database.ids_of(listed).await;
    assert_eq!(listed, ["m-0", "m-1", "m-2", "m-3", "m-4", "m-5"]);
    assert_eq!(ended.events("customer would be erased")[0]["mentions"], 6);
    assert_eq!(centre.database.counts().await[0], 48);
}

#[tokio::test]
async fn mentions_are_searched_when_asked_for() {
    let centre = centre().await;
    let ended = Program::run_on("+15550100000", &["erase", "--phone", "-"], &centre.environment).await;
    assert_eq!(ended.code(), 0);
    assert!(!ended.stdout.contains("more mention it"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("`--mentions` lists them"),
        "{}",
        ended.stdout
    );
    assert_eq!(centre.database.counts().await[0], 48 - 26);
    let again = centre.erase("--phone", "+15550100000").await;
    assert_eq!(
        (&again["deleted"]["sessions"], &again["mentions"]),
        (&json!(0), &json!(6))
    );
}

#[tokio::test]
async fn what_identifies_nobody_or_many_is_bad_usage() {
    let centre = centre().await;
    for (input, arguments) in [
        ("", ["--phone", "-"]),
        (" \n+15550100000", ["--phone", "-"]),
        ("", ["--user-id", "undefined"]),
        ("", ["--user-id", "N/A"]),
        ("null\n", ["--user-id", "-"]),
        ("", ["--phone", "00000000"]),
        ("", ["--phone", "+15550100000; +4930123456"]),
        ("", ["--email", "a@example.com, b@example.com"]),
    ] {
        let [option, value] = arguments;
        let ended = Program::run_on(input, &["erase", option, value], &centre.environment).await;
        assert_eq!(ended.code(), 2, "{input:?} {arguments:?}: {}", ended.last_word());
    }
    assert_eq!(centre.database.counts().await[0], 48);
}

#[tokio::test]
async fn the_help_says_to_run_it_once_for_each_identifier() {
    let help = Program::run(&["erase", "--help"], &HashMap::new()).await.stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("Run `erase` once for each identifier"), "{help}");
    assert!(help.contains("more mention it"), "{help}");
    assert!(!help.contains("in any spelling"), "{help}");
}
