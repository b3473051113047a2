use chrono::SecondsFormat;
use serde_json::{Map, json};

use super::*;
use crate::transform::reader::{Notes, Reader};

const PAGE: &str = include_str!("../../../docs/data-dictionary.md");

/// By heading.
fn sections() -> Vec<(&'static str, &'static str)> {
    let (_, coercions) = PAGE.split_once("\n## Coercions\n").unwrap();
    let sections = coercions.split("\n### ").skip(1);
    sections
        .map(|section| section.split_once('\n').unwrap())
        .collect()
}

/// What is sent, and what it becomes.
fn examples(section: &str) -> Vec<(&str, String)> {
    let lines = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let examples = lines.map(|line| line.strip_suffix(" |").unwrap().split_once("` | `").unwrap());
    examples
        .map(|(sent, becomes)| (sent, becomes.replacen('`', "", 1)))
        .collect()
}

fn json_text(value: Option<impl serde::Serialize>) -> String {
    value.map_or("NULL".to_owned(), |value| serde_json::to_string(&value).unwrap())
}

fn rows(reader: &mut Reader<'_>) -> String {
    let rows = reader.rows("it", None).into_iter();
    let rows = rows.map(|(index, row)| format!("row {index}: {}", json_text(row.rest())));
    let rows: Vec<String> = rows.collect();
    if rows.is_empty() {
        "no row".to_owned()
    } else {
        rows.join("; ")
    }
}

fn outcome(section: &str, sent: &str) -> String {
    let notes = Notes::new(-330);
    let value: Value = serde_json::from_str(sent).unwrap();
    let mut reader = Reader::new("", Map::from_iter([("it".to_owned(), value)]), &notes);
    let mut text = match section {
        "Yes or no" => json_text(reader.read::<Option<bool>>("it", FieldKind::Flag)),
        "Whole number" => json_text(reader.read::<Option<i32>>("it", FieldKind::Integer)),
        "Duration" => json_text(reader.read::<Option<i32>>("it", FieldKind::Duration)),
        "Instant" => {
            let instant: Option<DateTime<Utc>> = reader.read("it", FieldKind::Instant);
            instant.map_or("NULL".to_owned(), |at| {
                at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            })
        }
        "Identity" => json_text(reader.identity("it")),
        "Id" => json_text(reader.read::<Option<String>>("it", FieldKind::Id)),
        "Label" => json_text(reader.read::<Option<String>>("it", FieldKind::Label)),
        "Text" => json_text(reader.read::<Option<String>>("it", FieldKind::Text)),
        "List of labels" => json_text(Some(reader.read::<Vec<Option<String>>>("it", FieldKind::Labels))),
        "List of texts" => json_text(Some(reader.read::<Vec<Option<String>>>("it", FieldKind::Texts))),
        "List of rows" => rows(&mut reader),
        "JSON as sent" => json_text(reader.read::<Option<JsonText>>("it", FieldKind::Json)),
        _ => panic!("no kind of value has the section {section}"),
    };
    for warning in notes.into_warnings() {
        text += &format!(", warning: {}", warning.split_once(": ").unwrap().1);
    }
    text
}

#[test]
fn every_example_is_what_becomes_of_it() {
    let mut seen = 0;
    for (heading, section) in sections() {
        for (sent, becomes) in examples(section) {
            assert_eq!(outcome(heading, sent), becomes, "{heading}: {sent}");
            seen += 1;
        }
    }
    assert!(seen > 90, "{seen}");
}

#[test]
fn a_section_shows_a_warning_if_there_can_be_one() {
    for (heading, section) in sections() {
        let never = section.contains("- **NULL with a warning:** Nothing");
        let shows = examples(section)
            .iter()
            .any(|(_, becomes)| becomes.contains("warning"));
        assert_eq!(shows, !never, "{heading}");
    }
}

#[test]
fn stamps_without_a_zone_inside_a_structure_become_utc() {
    let mut sent = json!({"at": ["2025-09-30T12:04:48"]});
    let read = Option::<JsonText>::coerce(&mut sent, FieldKind::JsonInUtc, -330);
    assert_eq!(read, Ok(Some(json!({"at": ["2025-09-30T06:34:48Z"]}).into())));
}

#[test]
fn a_flag_is_read_in_every_spelling() {
    let flag = |value: &Value| Option::<bool>::coerce(&mut value.clone(), FieldKind::Flag, 0);
    for yes in [
        json!(true),
        json!("YES"),
        json!("True"),
        json!("1"),
        json!(1),
        json!(" y "),
    ] {
        assert_eq!(flag(&yes), Ok(Some(true)), "{yes}");
    }
    for no in [json!(false), json!("NO"), json!("False"), json!("0"), json!(0)] {
        assert_eq!(flag(&no), Ok(Some(false)), "{no}");
    }
    assert_eq!(flag(&json!("")), Ok(None));
    assert!(flag(&json!("perhaps")).is_err());
    assert!(flag(&json!([true])).is_err());
}

#[test]
fn whole_numbers_are_read_from_text_and_floats_and_must_fit() {
    let integer = |value: &Value| Option::<i32>::coerce(&mut value.clone(), FieldKind::Integer, 0);
    for number in [
        json!(7),
        json!("7"),
        json!(7.0),
        json!(" 7 "),
        json!("7.0"),
        json!(7e0),
    ] {
        assert_eq!(integer(&number), Ok(Some(7)), "{number}");
    }
    assert_eq!(integer(&json!("")), Ok(None));
    assert_eq!(integer(&json!(2_147_483_647)), Ok(Some(i32::MAX)));
    assert_eq!(
        integer(&json!(2_147_483_648_i64)),
        Err("too large for its column")
    );
    assert_eq!(integer(&json!(7.5)), Err("not a whole number"));
    assert_eq!(integer(&json!("NaN")), Err("not a whole number"));
    assert_eq!(integer(&json!(true)), Err("not a whole number"));
}

#[test]
fn a_text_that_cannot_be_read_stays_as_it_is() {
    let mut long = json!("x".repeat(LONGEST_ID + 1));
    assert!(Option::<String>::coerce(&mut long, FieldKind::Id, 0).is_err());
    assert_eq!(long.as_str().map(str::len), Some(LONGEST_ID + 1));
}

#[test]
fn a_stamp_may_be_a_number_or_the_date_of_a_document() {
    let read = |mut value: Value| {
        let instant = Option::<DateTime<Utc>>::coerce(&mut value, FieldKind::Instant, -330);
        instant.map(|at| at.map(|at| at.to_rfc3339()))
    };
    let meant = || Ok(Some("2025-09-30T12:04:48+00:00".to_owned()));
    for stamp in [
        json!(1_759_233_888),
        json!(1_759_233_888_000_i64),
        json!({"$date": "2025-09-30T12:04:48Z"}),
    ] {
        assert_eq!(read(stamp.clone()), meant(), "{stamp}");
    }
    assert_eq!(read(serde_json::from_str("1.759233888e9").unwrap()), meant());
    for none in [
        json!({"$date": {"$date": 1}}),
        json!({"$date": 1, "a": 1}),
        json!({}),
        json!(true),
        json!([1_759_233_888]),
    ] {
        assert_eq!(read(none), Err("not a date and time"));
    }
}

#[test]
fn every_spelling_of_seconds_is_read() {
    for value in [
        json!(49),
        json!(49.0),
        json!(49.4),
        json!(48.5),
        json!("49"),
        json!("49.4"),
        json!(" 49 "),
        json!("4.9e1"),
        json!("00:00:49"),
        json!("0:00:49"),
        json!("00:00:48.6"),
    ] {
        assert_eq!(duration(&value), Ok(Some(49)), "{value}");
    }
    for (value, seconds) in [
        (json!("1:02:03"), 3_723),
        (json!("100:00:00"), 360_000),
        (json!(0.5), 1),
        (json!(0.4), 0),
        (json!(-0.2), 0),
    ] {
        assert_eq!(duration(&value), Ok(Some(seconds)), "{value}");
    }
    assert_eq!(duration(&json!("")), Ok(None));
    assert_eq!(duration(&json!(i32::MAX)), Ok(Some(i32::MAX)));
}

#[test]
fn what_is_no_duration_in_seconds_is_not_read() {
    for value in [
        json!("00:49"),
        json!("1:2:3:4"),
        json!("00:60:00"),
        json!("00:00:60"),
        json!("-00:00:03"),
        json!("49ms"),
        json!("49 s"),
        json!("1,049"),
        json!("PT49S"),
        json!("nan"),
        json!("inf"),
        json!("0x31"),
        json!("soon"),
        json!(true),
        json!([49]),
        json!({}),
    ] {
        assert_eq!(duration(&value), Err(NO_DURATION), "{value}");
    }
    assert_eq!(duration(&json!(-3)), Err("negative"));
    assert_eq!(duration(&json!("-3.6")), Err("negative"));
    assert_eq!(
        duration(&json!(2_147_483_648_i64)),
        Err("too large for its column")
    );
}

#[test]
fn what_the_stamps_contradict_a_hundredfold_is_not_read() {
    let contradicts = |seconds, span| contradicts(Some(TimeDelta::seconds(span)), seconds);
    for (seconds, span) in [
        (49, 49),
        (49, 0),
        (0, 0),
        (600, 6),
        (120, 49),
        (49, 4_900),
        (49_000, -1),
        (99, 0),
    ] {
        assert!(!contradicts(seconds, span), "{seconds} in {span}");
    }
    for (milliseconds, span) in [
        (49_000, 49),
        (1_200, 1),
        (999, 0),
        (49_999, 50),
        (3_600_000, 3_601),
    ] {
        assert!(contradicts(milliseconds, span), "{milliseconds} in {span}");
    }
}
