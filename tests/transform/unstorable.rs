//! What JSON can say and PostgreSQL cannot store, and numbers beyond all sense.

use serde_json::{Value, json};
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Interaction, transform};

use super::{id, origin, raw, rows_of};

/// A session with `field` as literal JSON text.
fn read_text(field: &str) -> Interaction {
    let text = format!(r#"{{"sessionId":"s-1","sessionStartTime":"2026-03-10T12:00:00",{field}}}"#);
    transform(&raw(text), origin(0), &Policy::default()).unwrap()
}

#[test]
fn nul_becomes_a_replacement_character_everywhere() {
    let interaction = read_text(
        r#""reason":"a\u0000b","met\u0000a":"\u0000","userleveltags":[{"name":"\u0000","value":{"\u0000":["\u0000"]}}]"#,
    );
    let rows = &interaction.rows;
    assert_eq!(rows.session.reason.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(
        rows.session.extra,
        Some(json!({"met\u{fffd}a": "\u{fffd}"}).into())
    );
    assert_eq!(rows.tags[0].name.as_deref(), Some("\u{fffd}"));
    assert_eq!(
        rows.tags[0].value.as_deref(),
        Some("{\"\u{fffd}\":[\"\u{fffd}\"]}")
    );
    assert!(!interaction.payload.contains("\\u0000"));
    assert_eq!(
        rows.session.warnings,
        ["record: characters that could not be read, replaced by U+FFFD: 6"]
    );
}

#[test]
fn ids_and_key_names_are_mended_before_they_are_compared() {
    let interaction = read_text(r#""conversationId":"c\u0000","\u0052eason":"x""#);
    assert_eq!(id(&interaction), "c\u{fffd}");
    assert_eq!(interaction.rows.session.reason.as_deref(), Some("x"));
}

#[test]
fn other_control_characters_are_kept() {
    let interaction = read_text(r#""errorDetails":"\u0001\t\n\u007f\u2028""#);
    assert_eq!(
        interaction.rows.session.error_details.as_deref(),
        Some("\u{1}\t\n\u{7f}\u{2028}")
    );
    assert!(interaction.rows.session.warnings.is_empty());
}

#[test]
fn a_number_that_no_column_holds_is_null_with_a_warning() {
    for (number, why) in [
        ("2147483648", "too large for its column"),
        ("-1e10", "too large for its column"),
        ("99999999999999999999999999", "too large for its column"),
        ("1e400", "too large for its column"),
        ("-1e99999", "too large for its column"),
        ("0.5", "not a whole number"),
        (r#""NaN""#, "not a whole number"),
        (r#""Infinity""#, "not a whole number"),
        (r#""0x10""#, "not a whole number"),
    ] {
        let session = read_text(&format!(r#""csatScore":{number}"#)).rows.session;
        assert_eq!(session.csat_score, None, "{number}");
        assert_eq!(session.warnings, [format!("csatScore: {why}")], "{number}");
    }
}

#[test]
fn the_widest_numbers_fit() {
    for number in [i32::MIN, -1, 0, i32::MAX] {
        assert_eq!(
            rows_of(json!({"csatScore": number})).session.csat_score,
            Some(number)
        );
    }
}

#[test]
fn a_number_that_takes_hundreds_of_digits_is_stored_as_text() {
    let interaction = read_text(r#""odd":[1e999999,1e300,1e-7,-1e9999,0.10,123456789012345678901234567890]"#);
    let odd = &interaction.rows.session.extra.as_ref().unwrap().value()["odd"];
    assert_eq!(
        odd.to_string(),
        r#"["1e+999999","1e+300",0.0000001,"-1e+9999",0.10,123456789012345678901234567890]"#
    );
    let payload: Value = serde_json::from_str(&interaction.payload).unwrap();
    assert_eq!(&payload["odd"], odd);
}

#[test]
fn a_key_reserved_by_serde_json_rejects_at_most_its_record() {
    for field in [
        r#""metaInfo":{"$serde_json::private::Number":"7"}"#,
        r#""metaInfo":{"$serde_json::private::Number":"x"}"#,
        r#""metaInfo":{"$serde_json::private::RawValue":"{"}"#,
        r#""metaInfo":{"$serde_json::private::RawValue":7}"#,
    ] {
        let text = format!(r#"{{"sessionId":"s-1","sessionStartTime":"2026-03-10T12:00:00",{field}}}"#);
        match transform(&raw(text.clone()), origin(0), &Policy::default()) {
            Ok(interaction) => assert_eq!(id(&interaction), "s-1"),
            Err(rejected) => assert_eq!(rejected.payload, text),
        }
    }
}
