//! Tags: set by the customer's own automation, so names and values can be anything.

use serde_json::json;
use smartassist_etl::transform::TagScope;
use smartassist_etl::transform::privacy::Policy;

use super::{origin, raw, rows_of};

fn value_of(value: serde_json::Value) -> Option<String> {
    let rows = rows_of(json!({"sessionleveltags": [{"name": "tag", "value": value}]}));
    assert!(rows.session.warnings.is_empty());
    assert_eq!(rows.tags[0].extra, None);
    rows.tags[0].value.clone()
}

#[test]
fn each_scope_counts_its_tags_from_zero() {
    let rows = rows_of(json!({
        "userleveltags": [{"name": "accountnum", "value": "1214"}, {"name": "tier", "value": "gold"}],
        "sessionleveltags": [{"name": "disconnect", "value": "1"}],
    }));
    let tags: Vec<_> = rows
        .tags
        .iter()
        .map(|tag| {
            (
                tag.tag_scope,
                tag.tag_index,
                tag.name.as_deref(),
                tag.value.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        tags,
        [
            (TagScope::Session, 0, Some("disconnect"), Some("1")),
            (TagScope::User, 0, Some("accountnum"), Some("1214")),
            (TagScope::User, 1, Some("tier"), Some("gold")),
        ]
    );
    assert_eq!(rows.session.extra, None);
}

#[test]
fn a_text_value_is_kept_as_sent() {
    for text in ["gold", " gold ", "null", "\"", "{\"a\":1}", "2026-03-10T12:00:00"] {
        assert_eq!(value_of(json!(text)).as_deref(), Some(text));
    }
}

#[test]
fn a_value_that_is_not_text_is_its_json_text() {
    assert_eq!(value_of(json!(true)).as_deref(), Some("true"));
    assert_eq!(value_of(json!(12)).as_deref(), Some("12"));
    assert_eq!(
        value_of(json!([1, "two", null])).as_deref(),
        Some(r#"[1,"two",null]"#)
    );
    assert_eq!(
        value_of(json!({"plan": {"name": "\"x\""}})).as_deref(),
        Some(r#"{"plan":{"name":"\"x\""}}"#)
    );
}

#[test]
fn a_number_keeps_all_of_its_digits_in_plain_form() {
    for (sent, stored) in [
        ("121413243141234132000", "121413243141234132000"),
        ("0.1000", "0.1000"),
        ("-1.50e-3", "-0.00150"),
        ("1e21", "1000000000000000000000"),
        ("1e300", "1e+300"),
        ("-0", "0"),
    ] {
        assert_eq!(value_of(serde_json::from_str(sent).unwrap()).unwrap(), stored);
    }
}

#[test]
fn an_empty_value_is_null_and_the_tag_stays() {
    for nothing in [json!(null), json!("")] {
        assert_eq!(value_of(nothing), None);
    }
    let rows = rows_of(json!({"userleveltags": [{"name": "tier"}]}));
    assert_eq!(rows.tags[0].name.as_deref(), Some("tier"));
    assert_eq!(rows.tags[0].value, None);
}

#[test]
fn tags_of_the_same_name_are_all_kept() {
    let rows = rows_of(json!({"userleveltags": [{"name": "a", "value": "1"}, {"name": "a", "value": "1"}]}));
    assert_eq!(rows.tags.len(), 2);
    assert_eq!(rows.tags[1].tag_index, 1);
}

#[test]
fn further_fields_of_a_tag_are_its_extra() {
    let rows =
        rows_of(json!({"userleveltags": [{"Name": "tier", "VALUE": "gold", "setBy": "bot", "note": ""}]}));
    assert_eq!(rows.tags[0].name.as_deref(), Some("tier"));
    assert_eq!(rows.tags[0].value.as_deref(), Some("gold"));
    assert_eq!(rows.tags[0].extra, Some(json!({"setBy": "bot"}).into()));
}

#[test]
fn a_tag_that_is_no_object_is_kept_in_its_place_with_a_warning() {
    let rows = rows_of(json!({"sessionleveltags": ["vip", {"name": "tier", "value": "gold"}, 7]}));
    let values: Vec<_> = rows.tags.iter().map(|tag| tag.value.as_deref()).collect();
    assert_eq!(values, [Some("vip"), Some("gold"), Some("7")]);
    assert_eq!(
        rows.session.warnings,
        [
            "sessionleveltags[0]: not an object",
            "sessionleveltags[2]: not an object"
        ]
    );
}

#[test]
fn a_value_of_two_hundred_kilobytes_is_kept() {
    let value = "x".repeat(200_000);
    assert_eq!(value_of(json!(value)), Some(value));
}

#[test]
fn a_tag_named_twice_in_its_own_object_takes_the_last() {
    let text = r#"{"sessionId":"s-1","sessionStartTime":"2026-03-10T12:00:00",
        "userleveltags":[{"name":"a","value":"1","value":"2"}]}"#;
    let interaction =
        smartassist_etl::transform::transform(&raw(text), origin(0), &Policy::default()).unwrap();
    assert_eq!(interaction.rows.tags[0].value.as_deref(), Some("2"));
}
