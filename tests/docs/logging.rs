//! The table of `docs/logging.md` keeps the rules of its page. `Program` holds every line that a program under test
//! writes against both.

use crate::support::log_rules::{EVENTS, is_allowed_name};

#[test]
fn every_error_has_a_remedy() {
    for (message, event) in EVENTS.iter() {
        let is_error = event.levels.contains("ERROR");
        assert!(!is_error || event.fields.contains("remedy"), "{message:?}");
    }
}

#[test]
fn messages_are_fixed_texts_for_people() {
    for message in EVENTS.keys() {
        assert!(!message.contains(['{', '\\']), "{message:?}");
        assert!(!message.ends_with(['.', ' ', '!']), "{message:?}");
        assert!(message.len() > 5 && message.len() < 110, "{message:?}");
    }
}

#[test]
fn levels_and_fields_are_named_by_the_rules() {
    for (message, event) in EVENTS.iter() {
        let known = |level: &String| ["ERROR", "WARN", "INFO"].contains(&level.as_str());
        assert!(event.levels.iter().all(known), "{message:?}: {:?}", event.levels);
        for field in &event.fields {
            assert!(is_allowed_name(field), "{field} of {message:?}");
        }
    }
}
