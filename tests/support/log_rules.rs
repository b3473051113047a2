//! The rules of `docs/logging.md`, and its table of events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

const PAGE: &str = include_str!("../../docs/logging.md");

/// What every line may have.
const COMMON: [&str; 5] = ["timestamp", "level", "message", "target", "spans"];

/// What no line holds, so no field is named like it.
const FORBIDDEN: [&str; 12] = [
    "body", "payload", "record", "token", "secret", "password", "key", "name", "email", "phone", "url",
    "header",
];

/// A line of the table.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) levels: BTreeSet<String>,
    pub(crate) fields: BTreeSet<String>,
}

/// The table, by message.
pub(crate) static EVENTS: LazyLock<BTreeMap<String, Event>> = LazyLock::new(|| {
    let (_, table) = PAGE.split_once("| message | level | fields | when |\n").unwrap();
    let mut events = BTreeMap::new();
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [message, levels, fields, _] = cells[..] else {
            panic!("not four cells: {row}")
        };
        let event = Event {
            levels: levels.split(", ").map(str::to_uppercase).collect(),
            fields: quoted(fields),
        };
        let message = message.trim_matches(['*', '`']).to_owned();
        assert!(events.insert(message, event).is_none(), "twice: {row}");
    }
    events
});

/// What stands between backticks.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether a field may have this name. The names that every line has are taken: the JSON form would show them twice.
pub(crate) fn is_allowed_name(name: &str) -> bool {
    let is_snake_case = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
    let is_forbidden = |word: &&str| name == *word || name.ends_with(&format!("_{word}"));
    name.chars().all(is_snake_case) && !COMMON.contains(&name) && !FORBIDDEN.iter().any(is_forbidden)
}

/// What is wrong with a line of a program that logs in JSON. `at_default_level` it is quiet about what
/// libraries do.
pub(crate) fn broken_by(line: &str, at_default_level: bool) -> Option<String> {
    let event: Value = match serde_json::from_str(line) {
        Ok(event) => event,
        Err(error) => return Some(format!("no JSON: {error}")),
    };
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let at = chrono::DateTime::parse_from_rfc3339(text("timestamp"));
    if !at.is_ok_and(|at| at.offset().local_minus_utc() == 0) {
        return Some("no timestamp in UTC".to_owned());
    }
    let (level, message, target) = (text("level"), text("message"), text("target"));
    if target.is_empty() {
        return Some("no target".to_owned());
    }
    // Libraries speak as they like, if at all.
    let is_ours = target.starts_with("smartassist_etl");
    let fields = || {
        let keys = event.as_object().into_iter().flat_map(|event| event.keys());
        keys.filter(|key| !COMMON.contains(&key.as_str()))
    };
    if let Some(field) = fields().find(|field| is_ours && !is_allowed_name(field)) {
        return Some(format!("no field may be named {field}"));
    }
    let is_listed = match level {
        "DEBUG" | "TRACE" => false,
        "INFO" if at_default_level => true,
        "INFO" | "WARN" | "ERROR" => is_ours,
        _ => return Some("no level".to_owned()),
    };
    if !is_listed {
        return None;
    }
    let Some(listed) = EVENTS.get(message) else {
        return Some("docs/logging.md does not list the message".to_owned());
    };
    if !listed.levels.contains(level) {
        return Some(format!("listed with {:?}", listed.levels));
    }
    if let Some(field) = fields().find(|field| !listed.fields.contains(*field)) {
        return Some(format!("{field} is not listed"));
    }
    if level == "ERROR" && text("remedy").is_empty() {
        return Some("an error without a remedy".to_owned());
    }
    let secrets = ["simulator-secret", "hunter2", "eyJ0", "eyJh"];
    secrets
        .iter()
        .find(|secret| line.contains(**secret))
        .map(|secret| format!("{secret} is shown"))
}
