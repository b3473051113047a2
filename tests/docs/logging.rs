//! `docs/logging.md` and the source code agree.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::log_rules::EVENTS;

/// A call of a logging macro.
#[derive(Debug)]
struct Call {
    /// The file and the line, for whoever has to mend it.
    at: String,
    level: String,
    /// Names and values. A field without a value of its own is its own value.
    fields: Vec<(String, String)>,
    message: String,
}

/// All calls in `src`.
fn calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for_each_source(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut |path, text| {
            for level in ["error", "warn", "info", "debug", "trace"] {
                for (at, _) in text.match_indices(&format!("{level}!(")) {
                    let before = &text[..at];
                    let is_longer_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                    let is_comment = before.rsplit('\n').next().unwrap().trim_start().starts_with("//");
                    if !is_longer_name && !is_comment {
                        let line = before.matches('\n').count() + 1;
                        let arguments = arguments(&text[at + level.len() + 2..]);
                        calls.push(Call::of(format!("{}:{line}", path.display()), level, &arguments));
                    }
                }
            }
        },
    );
    assert!(calls.len() > 70, "{}", calls.len());
    calls
}

fn for_each_source(folder: &Path, see: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for_each_source(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The arguments of a macro whose text begins here, behind its parenthesis.
fn arguments(text: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let mut depth = 0_u32;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            ')' if depth == 0 => break,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        let argument = arguments.last_mut().unwrap();
        argument.push(c);
        if c == '"' {
            copy_literal(&mut characters, argument);
        }
    }
    let trimmed = arguments.iter().map(|argument| argument.trim().to_owned());
    trimmed.filter(|argument| !argument.is_empty()).collect()
}

/// A text literal up to its closing quote, with escapes as they are.
fn copy_literal(characters: &mut std::str::Chars<'_>, copy: &mut String) {
    while let Some(c) = characters.next() {
        copy.push(c);
        match c {
            '\\' => copy.extend(characters.next()),
            '"' => return,
            _ => {}
        }
    }
}

impl Call {
    fn of(at: String, level: &str, arguments: &[String]) -> Self {
        let (message, fields) = arguments.split_last().unwrap();
        let message = message
            .strip_prefix('"')
            .and_then(|message| message.strip_suffix('"'));
        let message = message.unwrap_or_else(|| panic!("{at}: the last argument is no fixed text"));
        let fields = fields.iter().map(|field| {
            let (name, value) = field.split_once(" = ").unwrap_or((field, field));
            (name.trim_start_matches(['%', '?']).to_owned(), value.to_owned())
        });
        Self {
            level: level.to_owned(),
            fields: fields.collect(),
            message: message.to_owned(),
            at,
        }
    }

    fn is_listed(&self) -> bool {
        ["error", "warn", "info"].contains(&self.level.as_str())
    }

    fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|(name, _)| name == field)
    }
}

#[test]
fn every_event_of_the_source_is_in_the_table_and_every_event_of_the_table_in_the_source() {
    let calls = calls();
    for call in calls.iter().filter(|call| call.is_listed()) {
        let listed = EVENTS
            .get(&call.message)
            .unwrap_or_else(|| panic!("{}: docs/logging.md does not list {:?}", call.at, call.message));
        assert!(
            listed.levels.contains(&call.level.to_uppercase()),
            "{call:?}, listed as {listed:?}"
        );
        for (field, _) in &call.fields {
            assert!(listed.fields.contains(field), "{field} of {call:?} is not listed");
        }
    }
    for (message, listed) in EVENTS.iter() {
        let of: Vec<&Call> = calls.iter().filter(|call| call.message == *message).collect();
        let levels: BTreeSet<String> = of.iter().map(|call| call.level.to_uppercase()).collect();
        assert_eq!(levels, listed.levels, "{message:?}");
        for field in &listed.fields {
            assert!(of.iter().any(|call| call.has(field)), "no {field} of {message:?}");
        }
    }
}

#[test]
fn every_error_has_a_remedy() {
    for call in calls().iter().filter(|call| call.level == "error") {
        assert!(call.has("remedy"), "{call:?}");
    }
}

#[test]
fn messages_are_fixed_texts_for_people() {
    for call in calls() {
        let message = &call.message;
        assert!(!message.contains(['{', '\\']), "{call:?}");
        assert!(!message.ends_with(['.', ' ', '!']), "{call:?}");
        assert!(message.len() > 5 && message.len() < 110, "{call:?}");
    }
}

/// What a field's value is made with, and how its name ends then.
const UNITS: [(&str, &str); 6] = [
    (".as_secs", "seconds"),
    ("num_seconds", "seconds"),
    (".as_millis", "milliseconds"),
    ("num_minutes", "minutes"),
    ("num_hours", "hours"),
    ("num_days", "days"),
];

/// What a line never holds, so no field is called so.
const FORBIDDEN: [&str; 12] = [
    "body", "payload", "record", "token", "secret", "password", "key", "name", "email", "phone", "url",
    "header",
];

/// What every line has, and what the JSON form would show twice.
const TAKEN: [&str; 4] = ["timestamp", "level", "target", "message"];

#[test]
fn fields_are_named_by_the_rules() {
    for call in calls() {
        for (name, value) in &call.fields {
            let at = &call.at;
            let is_snake_case = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
            assert!(name.chars().all(is_snake_case), "{at}: {name}");
            for (made_with, unit) in UNITS {
                let has_unit = name == unit || name.ends_with(&format!("_{unit}"));
                assert!(
                    !value.contains(made_with) || has_unit,
                    "{at}: {name} is in {unit}"
                );
            }
            for word in FORBIDDEN {
                let is_called_so = name == word || name.ends_with(&format!("_{word}"));
                assert!(!is_called_so, "{at}: {name}");
            }
            assert!(!TAKEN.contains(&name.as_str()), "{at}: {name} is taken");
        }
    }
}

#[test]
fn an_argument_may_hold_commas_and_quotes() {
    let text = r#"a = f(1, "x, \")"), %b, c = d.map(|e| [e, e]), "it, said"); more()"#;
    assert_eq!(
        arguments(text),
        [
            r#"a = f(1, "x, \")")"#,
            "%b",
            "c = d.map(|e| [e, e])",
            r#""it, said""#
        ]
    );
}
