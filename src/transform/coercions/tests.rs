use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::duration::Span;
use super::super::fields::{Fields, Notes};
use super::*;

fn json_text(value: Option<impl Serialize>) -> String {
    value.map_or("NULL".to_owned(), |value| serde_json::to_string(&value).unwrap())
}

fn rows(fields: &mut Fields<'_>) -> String {
    let rows: Vec<String> = fields
        .objects("it")
        .map(|(index, row)| format!("row {index}: {}", json_text(row.rest())))
        .collect();
    if rows.is_empty() {
        "no row".to_owned()
    } else {
        rows.join("; ")
    }
}

fn outcome(kind: &Coercion, input: &str) -> String {
    let notes = Notes::new(-330);
    let value: Value = serde_json::from_str(input).unwrap();
    let mut fields = Fields::new("", Map::from_iter([("it".to_owned(), value)]), &notes);
    let mut text = match kind.name {
        "Yes or no" => json_text(fields.flag("it")),
        "Duration" => json_text(fields.duration("it", Span::between(None, None))),
        "Whole number" => json_text(fields.integer("it")),
        "Instant" => fields.instant("it").map_or("NULL".to_owned(), |instant| {
            instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
        }),
        "Identity" => json_text(fields.identity("it")),
        "Id" => json_text(fields.id("it")),
        "Label" => json_text(fields.label("it")),
        "Text" => json_text(fields.text("it")),
        "List of labels" => json_text(Some(fields.labels("it"))),
        "List of texts" => json_text(Some(fields.texts("it"))),
        "List of rows" => rows(&mut fields),
        "JSON as sent" => json_text(fields.json("it")),
        other => panic!("{other} has no function here"),
    };
    for warning in notes.into_parts().0 {
        text += &format!(", warning: {}", warning.split_once(": ").unwrap().1);
    }
    text
}

#[test]
fn every_example_is_what_becomes_of_it() {
    for kind in COERCIONS {
        for (input, becomes) in kind.examples {
            assert_eq!(outcome(kind, input), *becomes, "{}: {input}", kind.name);
        }
    }
}

#[test]
fn every_kind_that_can_warn_shows_a_warning_and_the_others_show_none() {
    for kind in COERCIONS {
        let shows = kind
            .examples
            .iter()
            .any(|(_, becomes)| becomes.contains("warning"));
        assert_eq!(shows, !kind.warned.starts_with("Nothing"), "{}", kind.name);
    }
}

#[test]
fn stamps_without_a_zone_inside_a_structure_become_utc() {
    let notes = Notes::new(-330);
    let sent = json!({"it": {"at": ["2025-09-30T12:04:48"]}});
    let mut fields = Fields::new("", sent.as_object().unwrap().clone(), &notes);
    assert_eq!(
        fields.json_in_utc("it"),
        Some(json!({"at": ["2025-09-30T06:34:48Z"]}))
    );
}

#[test]
fn only_the_fields_listed_as_ids_are_read_as_ids() {
    let sent = json!({
        "sessionId": "s", "conversationId": true, "sessionStartTime": "2025-09-30T12:04:48", "botId": true,
        "userId": true, "orgId": true, "channelSpecificUserId": true,
        "campaigninfo": {"campaignId": true, "campaignInstanceId": true, "campaignDialingListId": true},
        "destinations": [{"queueId": true, "respondingAgent": {"agentId": true}}],
    });
    let notes = Notes::new(0);
    super::super::session::read(sent.as_object().unwrap().clone(), &notes).unwrap();
    let sent = json!({"sessionId": true, "conversationId": "c", "sessionStartTime": "2025-09-30T12:04:48"});
    super::super::session::read(sent.as_object().unwrap().clone(), &notes).unwrap();
    let mut warned: Vec<String> = notes
        .into_parts()
        .0
        .iter()
        .map(|warning| warning.strip_suffix(": not an id").unwrap().to_owned())
        .map(|path| path.rsplit('.').next().unwrap().to_owned())
        .collect();
    warned.sort();
    let mut listed = [IDENTITY.only_for, ID.only_for].concat();
    listed.sort_unstable();
    assert_eq!(warned, listed);
}

#[test]
fn a_column_is_of_the_kind_of_its_type_and_of_its_field() {
    let name = |column_type, field| Coercion::of_column(column_type, field).map(|kind| kind.name);
    assert_eq!(name("text", "agentId"), Some("Id"));
    assert_eq!(name("text", "botId"), Some("Text"));
    assert_eq!(name("text", "destinations[].respondingAgent.name"), Some("Text"));
    assert_eq!(name("text", "sessionleveltags[].name"), Some("Label"));
    assert_eq!(name("text", "metaInfo.os"), Some("Label"));
    assert_eq!(
        name("integer", "destinations[].interactionDuration"),
        Some("Duration")
    );
    assert_eq!(name("timestamptz", "assignedAt"), Some("Instant"));
    assert_eq!(name("money", "price"), None);
}
