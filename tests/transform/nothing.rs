//! Ids that stand for nothing, and ids in their normal form.

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Interaction, transform};

use super::{origin, raw, session_with};

const START: &str = "2026-03-10T12:00:00";

fn nothings() -> Vec<Value> {
    [
        "undefined",
        "Undefined",
        " UNDEFINED ",
        "null",
        "NULL",
        "nil",
        "None",
        "N/A",
        "n/a",
        "n.a.",
        "#N/A",
        "-",
        "--",
        "\u{2014}",
        "_",
        " ",
        "\u{a0}",
        "\u{2003}\u{3000}",
        "\u{200b}",
        "0",
        "000",
        "NaN",
        "unknown",
        "[object Object]",
        "{}",
        "[]",
        "'null'",
        "\"undefined\"",
        "(null)",
        "<nil>",
        "undefined-undefined",
        "00000000-0000-0000-0000-000000000000",
        "000000000000000000000000",
        "ＮＵＬＬ",
    ]
    .into_iter()
    .map(Value::from)
    .chain([json!(0), json!(0.0), json!(-0.0), json!(-1)])
    .collect()
}

fn read(record: &Value) -> Interaction {
    transform(&raw(record.to_string()), origin(0), &Policy::default()).unwrap()
}

fn ids(record: &Value) -> (String, Option<String>, Option<String>) {
    let session = read(record).rows.session;
    (
        session
            .conversation_id
            .clone()
            .or_else(|| session.session_id.clone())
            .unwrap(),
        session.session_id,
        session.conversation_id,
    )
}

#[test]
fn an_id_that_stands_for_nothing_is_no_id() {
    for nothing in nothings() {
        let record = session_with(json!({"conversationId": nothing}));
        assert_eq!(
            ids(&record),
            ("s-1".to_owned(), Some("s-1".to_owned()), None),
            "{nothing}"
        );
        let record = json!({"sessionId": nothing, "conversationId": "c-1", "sessionStartTime": START});
        assert_eq!(
            ids(&record),
            ("c-1".to_owned(), None, Some("c-1".to_owned())),
            "{nothing}"
        );
    }
}

#[test]
fn what_stands_in_place_of_an_id_is_no_field_that_is_not_known() {
    for nothing in nothings() {
        for name in ["conversationId", "sessionID"] {
            let mut record = json!({"conversationId": "c-1", "sessionId": "s-1", "sessionStartTime": START});
            let key = if name == "sessionID" { "sessionId" } else { name };
            record.as_object_mut().unwrap().remove(key);
            record[name] = nothing.clone();
            assert_eq!(read(&record).drift, [], "{record}");
        }
    }
}

#[test]
fn what_stood_in_place_of_an_id_is_kept_and_warned_of() {
    let session = read(&session_with(json!({"conversationId": "undefined"})))
        .rows
        .session;
    assert_eq!(session.warnings, ["conversationId: stands for nothing"]);
    assert_eq!(session.extra, Some(json!({"conversationId": "undefined"}).into()));
}

#[test]
fn a_record_without_any_real_id_is_rejected_with_its_text() {
    for one in nothings() {
        for other in [Value::Null, "undefined".into()] {
            let record =
                json!({"sessionId": one, "conversationId": other, "sessionStartTime": START}).to_string();
            let rejected = transform(&raw(record.as_str()), origin(0), &Policy::default()).unwrap_err();
            assert_eq!(
                rejected.reason, "neither conversationId nor sessionId",
                "{record}"
            );
            assert_eq!(rejected.payload, record);
            assert_eq!(rejected.key, None);
        }
    }
}

#[test]
fn an_id_is_trimmed_and_its_case_kept() {
    let record = session_with(json!({"conversationId": "\u{feff}\u{2003} Ab-1\u{a0}\n"}));
    assert_eq!(ids(&record).2.as_deref(), Some("Ab-1"));
    for same in ["Null-1", "nina", "0x1", "a b", "c-undefined"] {
        assert_eq!(ids(&session_with(json!({"conversationId": same}))).0, same);
    }
}

#[test]
fn a_number_in_any_notation_is_one_id() {
    for number in ["1", "1.0", "1e0", "10e-1", "\"1\"", "\" 1 \""] {
        let record = format!(r#"{{"sessionId": {number}, "sessionStartTime": "{START}"}}"#);
        let interaction = transform(&raw(record.as_str()), origin(0), &Policy::default()).unwrap();
        assert_eq!(
            interaction.rows.session.session_id.as_deref(),
            Some("1"),
            "{number}"
        );
    }
}

#[test]
fn the_real_id_may_stand_under_another_spelling_of_its_name() {
    let record = session_with(json!({"conversationId": "undefined", "ConversationID": "c-1"}));
    assert_eq!(ids(&record).0, "c-1");
}
