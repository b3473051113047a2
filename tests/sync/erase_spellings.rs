//! Whatever spelling a customer's identifier is stored in, erasing finds it; and nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use smartassist_etl::sync::{Erasure, erase, find_mentions};
use smartassist_etl::transform::privacy::{Class, IdentifierKind, Policy, PrivacyKey, Rule, Wanted};
use smartassist_simulator::Behaviour;
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant};

const PHONE: &str = "+1 (555) 010-0000";
const EMAIL: &str = "zoë.erasable@example.com";

fn key() -> PrivacyKey {
    PrivacyKey::new("0123456789abcdef0123456789abcdef")
}

/// Loads these records, each of which gets a session id and a start.
async fn loaded(records: &[String], hide: bool, keep_raw: bool) -> (Setup, TestDatabase) {
    let setup = Setup::start().await;
    for (place, record) in records.iter().enumerate() {
        let rest = record.strip_prefix('{').unwrap();
        let whole =
            format!(r#"{{"sessionId": "s-{place}", "sessionStartTime": "2026-01-10T10:00:00", {rest}"#);
        setup
            .simulator
            .world()
            .insert_raw_bytes(instant("2026-01-10T10:00:00Z"), whole);
    }
    let database = TestDatabase::migrated().await;
    let mut policy = Policy {
        key: Some(key()),
        ..Policy::default()
    };
    if hide {
        *policy.rule_mut(Class::Customer) = Rule::Hash;
    }
    let mut worker = setup.worker(&database.pool);
    worker.policy = Arc::new(policy);
    Arc::make_mut(&mut worker.storage).raw = keep_raw;
    worker.run(&Job::Sync, &CancellationToken::new()).await;
    assert_eq!(database.counts().await[0], i64::try_from(records.len()).unwrap());
    (setup, database)
}

async fn erased(database: &TestDatabase, kind: IdentifierKind, value: &str) -> Erasure {
    let wanted = Wanted::new(kind, value, &key()).unwrap();
    let mut erasure = erase(&database.pool, &wanted, &key(), false).await.unwrap();
    find_mentions(&database.pool, &wanted, &mut erasure)
        .await
        .unwrap();
    erasure
}

async fn left(database: &TestDatabase) -> BTreeSet<String> {
    let ids = database
        .text("select coalesce(string_agg(session_id, ' '), '') from smartassist.sessions")
        .await;
    ids.split_whitespace().map(str::to_owned).collect()
}

fn caller(spelling: &str) -> Value {
    json!({"metaInfo": {"caller": spelling}})
}

/// A spelling of [`PHONE`], made of what is around a number, how it begins and what is between digits.
fn phone_spelling() -> impl Strategy<Value = String> {
    let begin = prop::sample::select(vec!["+", "00", "0011", "011", "", "%2B", "\u{ff0b}", "\u{202a}+"]);
    let between = prop::sample::select(vec![
        "", " ", "-", ".", "/", "\u{2011}", "\u{2009}", "\u{a0}", "\u{200b}", "%20", "\u{b7}",
    ]);
    let digits = prop::sample::select(vec!['0', '\u{ff10}', '\u{660}', '\u{966}']);
    let around = prop::sample::select(vec![
        ("", ""),
        ("tel:", ""),
        ("TEL:", ";ext=12"),
        ("sip:", "@10.1.2.3:5060"),
        ("<SIP:", "@pbx.example.com;user=phone>"),
        ("\"Zoë\" <sips:", "@[2001:db8::1];transport=tls>;tag=1928301774"),
        ("whatsapp:", ""),
        ("Tel. ", " (mobile)"),
        (" ", " ext. 7"),
        ("", "x7"),
        ("", ",,7"),
        ("", " #7"),
        ("{\"number\":\"", "\"}"),
        ("+4930123456; ", ""),
        ("", "\n+4930123456"),
        ("\u{2066}", "\u{2069}"),
    ]);
    (begin, between, digits, around).prop_map(|(begin, between, zero, (before, after))| {
        let digit = |c: char| char::from_u32(zero as u32 + c.to_digit(10).unwrap()).unwrap();
        let groups = ["1", "555", "010", "0000"].map(|group| group.chars().map(digit).collect::<String>());
        format!("{before}{begin}{}{after}", groups.join(between))
    })
}

fn email_spelling() -> impl Strategy<Value = String> {
    let address = prop::sample::select(vec![
        "zoë.erasable@example.com",
        "zoe\u{308}.erasable@example.com",
        "ZOË.ERASABLE@EXAMPLE.COM",
        "ZOE\u{308}.Erasable@example.com",
        "zo%C3%AB.erasable%40example.com",
        "\"zoë.erasable\"@example.com",
        "zoë.erasable＠example．com",
        "zoë\u{200b}.erasable@example.com.",
    ]);
    let around = prop::sample::select(vec![
        ("", ""),
        (" ", "\u{a0}"),
        ("mailto:", ""),
        ("MAILTO:", "?subject=x"),
        ("Zoë <", ">"),
        ("other@example.com; ", ""),
        ("", ", other@example.com"),
        ("", " (home)"),
    ]);
    (address, around).prop_map(|(address, (before, after))| format!("{before}{address}{after}"))
}

fn samples(strategy: impl Strategy<Value = String>, count: usize) -> BTreeSet<String> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// JSON with the letters of texts escaped, or not.
fn escaped(value: &Value) -> String {
    let escape = |c: char| {
        c.encode_utf16(&mut [0; 2])
            .iter()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect::<String>()
    };
    let text = value.to_string();
    text.chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { escape(c) })
        .collect()
}

#[tokio::test]
async fn every_spelling_that_is_stored_is_found() {
    let phones = samples(phone_spelling(), 300);
    let emails = samples(email_spelling(), 80);
    let mut records: Vec<String> = phones
        .iter()
        .map(|spelling| caller(spelling).to_string())
        .collect();
    records.extend(
        phones
            .iter()
            .take(40)
            .map(|spelling| escaped(&json!({"customerinfo": {"CustomerPhone": [spelling]}}))),
    );
    let with_phone = records.len();
    records.extend(
        emails
            .iter()
            .map(|spelling| json!({"customerinfo": {"CustomerEmail": spelling}}).to_string()),
    );
    records.extend(
        emails
            .iter()
            .map(|spelling| escaped(&json!({"metaInfo": {"emailId": spelling}}))),
    );
    for (hide, keep_raw) in [(false, true), (false, false), (true, true)] {
        let (_setup, database) = loaded(&records, hide, keep_raw).await;
        let by_phone = erased(&database, IdentifierKind::Phone, PHONE).await;
        let unfound: Vec<String> = left(&database).await.into_iter().collect();
        let unfound = unfound
            .iter()
            .filter_map(|id| id.strip_prefix("s-")?.parse().ok());
        let unfound: Vec<&String> = unfound
            .filter(|at: &usize| *at < with_phone)
            .map(|at| &records[at])
            .collect();
        assert!(unfound.is_empty(), "hide {hide}, raw {keep_raw}: {unfound:#?}");
        assert_eq!(by_phone.deleted.sessions, with_phone as u64);
        let by_email = erased(&database, IdentifierKind::Email, EMAIL).await;
        let unfound: Vec<String> = left(&database).await.into_iter().collect();
        assert!(unfound.is_empty(), "hide {hide}, raw {keep_raw}: {unfound:?}");
        assert_eq!(by_email.deleted.sessions, (records.len() - with_phone) as u64);
    }
}

#[tokio::test]
async fn what_the_simulator_spells_oddly_is_found_and_no_more() {
    let setup = Setup::with_interactions(400).await;
    setup.simulator.world().set_behaviour(Behaviour {
        odd_spellings: true,
        ..Behaviour::default()
    });
    let database = TestDatabase::migrated().await;
    let mut worker = setup.worker(&database.pool);
    worker.policy = Arc::new(Policy {
        key: Some(key()),
        ..Policy::default()
    });
    worker.run(&Job::Sync, &CancellationToken::new()).await;
    let (phone, theirs) = {
        let world = setup.simulator.world();
        let conversations = || {
            world
                .interactions()
                .filter_map(|it| Some((it, it.conversation.as_ref()?)))
        };
        let phone_of = |conversation: &smartassist_simulator::Conversation| {
            conversation
                .customer
                .as_ref()
                .map(|customer| customer.phone.clone())
        };
        let mut phones: Vec<String> = conversations()
            .filter_map(|(_, conversation)| phone_of(conversation))
            .collect();
        phones.sort();
        let most = phones
            .iter()
            .max_by_key(|phone| phones.iter().filter(|other| other == phone).count());
        let phone = most.filter(|phone| !phone.is_empty()).unwrap().clone();
        let theirs: BTreeSet<String> = conversations()
            .filter(|(_, conversation)| {
                phone_of(conversation).as_ref() == Some(&phone) || conversation.meta.caller == phone
            })
            .map(|(_, conversation)| conversation.id.clone())
            .collect();
        (phone, theirs)
    };
    let before = left(&database).await.len();
    let erasure = erased(&database, IdentifierKind::Phone, &phone).await;
    let still = database
        .text("select coalesce(string_agg(conversation_id, ' '), '') from smartassist.sessions")
        .await;
    assert!(!still.split(' ').any(|id| theirs.contains(id)), "{phone}");
    assert_eq!(
        before - left(&database).await.len(),
        usize::try_from(erasure.deleted.sessions).unwrap()
    );
}

#[tokio::test]
async fn what_may_be_somebody_else_is_listed_and_stays() {
    let records: Vec<Value> = vec![
        json!({"customerinfo": {"CustomerPhone": "(555) 010-0000"}}),
        json!({"metaInfo": {"callee": "+15550100000"}, "Direction": "Inbound"}),
        json!({"customerinfo": [[{"CustomerPhone": "+15550100000"}]]}),
        json!({"sessionleveltags": [{"name": "phone", "value": "+1 555 010 0000"}]}),
        json!({"newField": {"deep": ["call +1-555-010-0000 back"]}}),
        json!({"destinations": [{"respondingAgent": {"ConsultingAgents": [{"name": "+15550100000"}]}}]}),
        json!({"newField": 15_550_100_000_u64}),
        json!({"customerinfo": {"CustomerPhone": "+1 555 010 0001"}}),
        json!({"metaInfo": {"caller": "+4915550100"}}),
    ];
    let texts: Vec<String> = records.iter().map(Value::to_string).collect();
    for keep_raw in [true, false] {
        let (setup, database) = loaded(&texts, false, keep_raw).await;
        setup.simulator.world().clear_requests();
        let erasure = erased(&database, IdentifierKind::Phone, PHONE).await;
        assert_eq!(erasure.deleted.sessions, 0);
        let listed = erasure.mentioned_in.iter().map(|key| key.id.as_str());
        let listed = database.ids_of(listed).await;
        assert_eq!(
            listed,
            ["s-0", "s-1", "s-2", "s-3", "s-4", "s-5", "s-6"],
            "raw {keep_raw}"
        );
        assert_eq!(left(&database).await.len(), records.len());
    }
}
