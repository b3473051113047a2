//! Personal data, marked in every field that may hold any, and looked for everywhere afterwards.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use memchr::memmem;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use smartassist_etl::transform::privacy::Class;

use crate::support::daemon::{environment, get};
use crate::support::{Program, Setup, TestDatabase, real_now};

const STATISTICS: &str = "the planner's statistics";

/// Texts that stand for personal data, each in one field, and the class of that field. Then those in place of a label, as nobody sends them.
struct Canaries(Vec<(String, Class)>, BTreeSet<String>);

impl Canaries {
    fn text(&mut self, class: Class, shape: impl Fn(usize) -> String) -> String {
        let marker = shape(self.0.len() + 10);
        self.0.push((marker.clone(), class));
        marker
    }

    fn name(&mut self, class: Class) -> String {
        self.text(class, |nth| format!("Cänary \"{nth}\""))
    }

    /// A label that is no text.
    fn label(&mut self) -> Value {
        let marker = self.name(Class::FreeText);
        self.1.insert(marker.clone());
        json!({"said": marker})
    }

    fn email(&mut self, class: Class) -> String {
        self.text(class, |nth| format!("Canary{nth}@example.com"))
    }

    fn phone(&mut self, class: Class) -> String {
        self.text(class, |nth| format!("+49 30 555{nth}6677"))
    }

    fn agent_id(&mut self) -> String {
        self.text(Class::Agent, |nth| {
            format!("u-3ea001b4-664a-58b6-8108-b8bca37{nth:05}")
        })
    }

    fn number(&mut self, class: Class) -> Value {
        let marker = self.text(class, |nth| format!("49777{nth}88899"));
        marker.parse::<u64>().unwrap().into()
    }

    /// The markers of the classes that are found in a text, in any form.
    fn found_in(&self, text: &str) -> BTreeSet<&str> {
        let text = text.to_lowercase();
        let is_in = |form: &String| memmem::find(text.as_bytes(), form.as_bytes()).is_some();
        let found = self.0.iter().map(|(marker, _)| marker.as_str());
        found.filter(|marker| forms(marker).iter().any(is_in)).collect()
    }
}

/// A marker as sent, as JSON, as digits alone, and in the encodings that data travels in; in lower case.
fn forms(marker: &str) -> Vec<String> {
    let digits: String = marker.chars().filter(char::is_ascii_digit).collect();
    let json = json!(marker).to_string();
    let hex: String = marker.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = marker.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let ascii: String = marker
        .chars()
        .map(|c| {
            if c.is_ascii() {
                c.to_string()
            } else {
                format!("\\u{:04x}", c as u32)
            }
        })
        .collect();
    let mut forms = vec![
        marker.to_owned(),
        json.trim_matches('"').to_owned(),
        json!(json).to_string().trim_matches('"').to_owned(),
        hex,
        percent,
        ascii,
        base64(marker.as_bytes()),
    ];
    if digits.len() > 6 {
        forms.push(digits);
    }
    forms.iter().map(|form| form.to_lowercase()).collect()
}

/// Without padding, so that it is also found within longer data that begin with it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[(number >> shift & 63) as usize]))
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

/// An agent of it.
fn agent(canaries: &mut Canaries) -> Value {
    use Class::{Agent, FreeText};
    json!({
        "agentId": canaries.name(Agent), "name": canaries.name(Agent), "email": canaries.email(Agent),
        "status": canaries.label(), "agentNotes": [canaries.name(FreeText)],
        "JoinedUsers": [
            {"name": canaries.name(Agent), "agentId": canaries.agent_id(), "email": canaries.email(Agent), "joinedAt": canaries.name(FreeText)},
            canaries.name(Agent),
        ],
        "snoozeinfo": [{"by": canaries.name(Agent)}],
        "assignedAt": canaries.name(FreeText), "interactionDuration": canaries.name(FreeText),
        "holdDuration": canaries.name(FreeText),
        "ConsultingAgents": [{
            "name": canaries.phone(Agent), "agentId": canaries.name(Agent), "email": canaries.email(Agent), "mood": canaries.name(FreeText),
        }],
        "mood": canaries.name(FreeText),
    })
}

/// A record with a marker in every field that may say something of a person.
fn record(canaries: &mut Canaries, id: &str, start: DateTime<Utc>) -> Value {
    use Class::{Agent, Customer, FreeText, Network, TagValues};
    let start = start.format("%Y-%m-%dT%H:%M:%S").to_string();
    let customer = |canaries: &mut Canaries| {
        json!({
            "CustomerPhone": canaries.phone(Customer), "CenterPhone": canaries.number(Customer),
            "CustomerFirstName": canaries.name(Customer), "CustomerLastName": canaries.name(Customer),
            "CustomerEmail": canaries.email(Customer), "Direction": "Inbound", "Nickname": canaries.name(FreeText),
        })
    };
    json!({
        "conversationId": id, "sessionId": format!("s-{id}"), "sessionStartTime": start,
        "sessionEndTime": canaries.name(FreeText),
        "userId": canaries.email(Customer), "channelSpecificUserId": canaries.phone(Customer),
        "errorDetails": canaries.name(FreeText), "dispositionRemarks": [canaries.name(FreeText)],
        "csatFeedback": canaries.name(FreeText), "Reason": format!("Default Queue:{}", canaries.email(FreeText)), "isVoicemail": canaries.name(FreeText),
        "csatScore": [canaries.name(FreeText)], "channel": canaries.label(),
        "customerinfo": customer(canaries),
        "metaInfo": {
            "caller": canaries.phone(Customer), "callee": canaries.number(Customer),
            "dialedNumber": canaries.phone(Customer), "endUserNumber": canaries.phone(Customer),
            "phoneNumber": canaries.phone(Customer), "firstName": canaries.name(Customer),
            "lastName": canaries.name(Customer), "userId": canaries.email(Customer), "_id": canaries.name(Customer),
            "identities": [{"val": canaries.email(Customer), "type": "mapped"}],
            "profImage": canaries.name(Customer), "ipAddress": canaries.name(Network),
            "callerHost": canaries.name(Network), "hostDomain": canaries.name(Network),
            "customerinfo": customer(canaries),
            "agentTransferConfig": {
                "lastIntentuserInput": canaries.name(FreeText), "said": canaries.name(FreeText),
                "dialog_tone": [{"tone_name": "sad", "level": canaries.name(FreeText), "words": [canaries.name(FreeText)]}],
            },
            "customData": {"agentId": canaries.name(Agent), "note": {"deep": [canaries.name(FreeText)]}},
            "owner": [{"is": canaries.agent_id()}], "seen": format!("by {}", canaries.agent_id()),
            "anything": [{"said": canaries.name(FreeText)}], (canaries.email(FreeText)): 1,
        },
        "sessionleveltags": [{"name": "account", "value": canaries.name(TagValues), "note": canaries.name(FreeText)}],
        "userleveltags": {"name": "account", "value": {"deep": canaries.name(TagValues)}},
        "campaigninfo": {"attempt": canaries.name(FreeText), "wish": canaries.name(FreeText)},
        "destinations": [
            {"destinationType": "QueueEntry", "respondingAgent": agent(canaries), "nonRespondingAgents": [agent(canaries)],
             "hint": canaries.name(FreeText)},
            agent(canaries), canaries.name(FreeText),
        ],
        "novelty": {"of": [canaries.name(FreeText)]}, (canaries.phone(FreeText)): true, "count": canaries.number(FreeText),
    })
}

/// A good record, and one of each kind that is rejected. Returns the canaries, and how many of them are in stored records.
fn sow(setup: &Setup) -> (Canaries, usize) {
    let mut canaries = Canaries(Vec::new(), BTreeSet::new());
    let start = real_now() - TimeDelta::hours(3);
    let good = record(&mut canaries, "good", start);
    let mut no_start = record(&mut canaries, "no-start", start);
    no_start["sessionStartTime"] = canaries.name(Class::FreeText).into();
    let mut no_id = record(&mut canaries, "no-id", start);
    no_id["conversationId"] = json!({"of": canaries.name(Class::FreeText)});
    no_id["sessionId"] = Value::Null;
    let no_object = json!([canaries.name(Class::FreeText)]);
    let stored = canaries.0.len();
    let too_large = json!({
        "sessionId": "too-large", "userId": canaries.email(Class::Customer), "metaInfo": {"said": canaries.name(Class::FreeText)},
        "customerinfo": {"CustomerPhone": canaries.phone(Class::Customer)}, "filler": "x".repeat(300_000),
    });
    let too_long = json!(canaries.email(Class::FreeText) + &" x".repeat(200_000));
    let mut world = setup.simulator.world();
    for record in [&good, &no_start, &no_id, &no_object, &too_large, &too_long] {
        world.insert_raw(start, record);
    }
    let deep = json!(canaries.name(Class::FreeText)).to_string();
    let deep = format!("{}{deep}{}", "[".repeat(300), "]".repeat(300));
    world.insert_raw_bytes(start, deep);
    drop(world);
    (canaries, stored)
}

/// Everything that a daemon under these rules leaves behind and shows, by where.
async fn traces(setup: &Setup, rule: &str) -> Vec<(String, String)> {
    let database = TestDatabase::migrated().await;
    let (mut environment, port) = environment(setup, &database).await;
    for class in Class::ALL {
        let name = format!("SMARTASSIST_ETL__PRIVACY__{}", class.as_str().to_uppercase());
        environment.insert(name, rule.to_owned());
    }
    set(
        &mut environment,
        "PRIVACY__KEY",
        "0123456789abcdef0123456789abcdef",
    );
    set(
        &mut environment,
        "LOG__LEVEL",
        "trace,sqlx=trace,tokio_cron_scheduler=trace",
    );
    let mut daemon = Program::start(&["run"], &environment);
    let finished = daemon.finished("poll").await;
    assert_eq!(finished["inserted"], 1);
    let rejected = "select count(*) from smartassist_sync.rejected_records";
    assert_eq!(database.number(rejected).await, 6);
    let mut traces = vec![
        ("metrics".to_owned(), get(port, "/metrics").await.1),
        ("page".to_owned(), get(port, "/").await.1),
        ("account".to_owned(), get(port, "/accounts/main").await.1),
        ("page as JSON".to_owned(), get(port, "/api/status").await.1),
    ];
    daemon.signal(Signal::SIGTERM);
    traces.push(("log".to_owned(), daemon.ended().await.log.join("\n")));
    for arguments in [&["status"][..], &["status", "--json"]] {
        let ended = Program::run(arguments, &environment).await;
        traces.push((arguments.join(" "), ended.stdout + &ended.log.join("\n")));
    }
    traces.extend(tables(&database).await);
    traces
}

fn set(environment: &mut HashMap<String, String>, key: &str, value: &str) {
    environment.insert(format!("SMARTASSIST_ETL__{key}"), value.to_owned());
}

/// The whole text of every table.
async fn tables(database: &TestDatabase) -> Vec<(String, String)> {
    let names = database
        .text(
            "select string_agg(format('%I.%I', table_schema, table_name), ' ') from information_schema.tables \
             where table_schema in ('smartassist', 'smartassist_sync', 'smartassist_bi')",
        )
        .await;
    let mut texts = Vec::new();
    for table in names.split(' ') {
        let text = database
            .text(&format!(
                "select coalesce(string_agg(t::text || to_jsonb(t), E'\\n'), '') from {table} t"
            ))
            .await;
        texts.push((table.to_owned(), text));
    }
    database.execute("analyze").await;
    let samples = "select string_agg(concat_ws(' ', most_common_vals, histogram_bounds, most_common_elems), ' ') from pg_stats";
    texts.push((STATISTICS.to_owned(), database.text(samples).await));
    texts
}

#[tokio::test]
async fn hashed_or_dropped_nothing_personal_is_left_anywhere() {
    let setup = Setup::live().await;
    let (canaries, _) = sow(&setup);
    for rule in ["hash", "drop"] {
        for (place, text) in traces(&setup, rule).await {
            let found = canaries.found_in(&text);
            assert!(found.is_empty(), "{rule}: {found:?} in {place}");
        }
    }
}

#[tokio::test]
async fn kept_personal_data_is_in_tables_and_nowhere_else() {
    let setup = Setup::live().await;
    let (canaries, kept) = sow(&setup);
    let mut stored = BTreeSet::new();
    let traces = traces(&setup, "keep").await;
    for (place, text) in &traces {
        let mut found = canaries.found_in(text);
        if place == STATISTICS {
            // Labels have statistics, which reports need.
            found.retain(|marker| !canaries.1.contains(*marker));
        }
        if place.starts_with("smartassist") {
            stored.extend(found);
        } else {
            assert!(found.is_empty(), "{found:?} in {place}");
        }
    }
    // So the search finds what is there, whatever its shape.
    let all: BTreeSet<&str> = canaries.0[..kept]
        .iter()
        .map(|(marker, _)| marker.as_str())
        .collect();
    assert_eq!(stored, all);
}

#[test]
fn a_planted_leak_is_found_in_every_encoding() {
    let mut canaries = Canaries(Vec::new(), BTreeSet::new());
    let (name, phone) = (canaries.name(Class::Agent), canaries.phone(Class::Customer));
    for leak in forms(&name) {
        let found = canaries.found_in(&format!("{{\"message\":\"x {leak} y\"}}"));
        assert!(found.contains(name.as_str()), "{leak}");
    }
    assert!(canaries.found_in("tel 4930555116677.").contains(phone.as_str()));
    assert!(canaries.found_in("nothing of it").is_empty());
}
