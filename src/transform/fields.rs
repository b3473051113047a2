//! Takes fields of a JSON object; the rest becomes `extra`.

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::LONGEST_ID;
use super::coerce::{self, Coerced};
use super::duration::{self, Span};
use super::instant;
use super::privacy;

/// An unknown field, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drift {
    /// Path, such as `destinations[].respondingAgent.mood`.
    pub path: String,
    /// JSON type of the value.
    pub json_type: &'static str,
}

impl Drift {
    /// Hides list indices, and names that may be values.
    pub(super) fn of(path: &str, name: &str, value: &Value) -> Option<Self> {
        let json_type = match value {
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Null => return None,
        };
        if coerce::is_nothing(value) {
            return None;
        }
        let is_index = |c: char| c.is_ascii_digit();
        let mut path: String = path
            .split_inclusive('[')
            .map(|part| part.trim_start_matches(is_index))
            .collect();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(if privacy::is_name(name) { name } else { "*" });
        Some(Self { path, json_type })
    }
}

#[derive(Debug)]
pub(super) struct Notes {
    offset: i32,
    warnings: RefCell<Vec<String>>,
    drift: RefCell<Vec<Drift>>,
}

impl Notes {
    pub(super) fn new(offset: i32) -> Self {
        Self {
            offset,
            warnings: RefCell::default(),
            drift: RefCell::default(),
        }
    }

    /// `why` must not contain a value.
    pub(super) fn warn(&self, path: &str, why: &str) {
        self.warnings.borrow_mut().push(format!("{path}: {why}"));
    }

    pub(super) fn into_parts(self) -> (Vec<String>, Vec<Drift>) {
        (self.warnings.into_inner(), self.drift.into_inner())
    }
}

/// Case does not matter: the API writes `Reason` and `reason`.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    path: String,
    left: Map<String, Value>,
    /// Known names with unreadable values: no drift.
    unread: Vec<String>,
    notes: &'n Notes,
}

impl<'n> Fields<'n> {
    pub(super) fn new(path: &str, object: Map<String, Value>, notes: &'n Notes) -> Self {
        Self {
            path: path.to_owned(),
            left: object,
            unread: Vec::new(),
            notes,
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Also removes equal values under other spellings.
    fn take(&mut self, name: &str) -> Option<Value> {
        let exact = self.left.remove(name).filter(|value| !coerce::is_nothing(value));
        let value = exact.or_else(|| self.take_other_spelling(name))?;
        self.left
            .retain(|key, other| !(key.eq_ignore_ascii_case(name) && *other == value));
        Some(value)
    }

    fn take_other_spelling(&mut self, name: &str) -> Option<Value> {
        let says_something =
            |(key, value): &(&String, &Value)| key.eq_ignore_ascii_case(name) && !coerce::is_nothing(value);
        let spelling = self.left.iter().find(says_something)?.0.clone();
        self.left.remove(&spelling)
    }

    fn coerced<T>(&mut self, name: &str, coerce: impl FnOnce(&Value) -> Coerced<T>) -> Option<T> {
        let value = self.take(name)?;
        coerce(&value).unwrap_or_else(|why| {
            self.leave(name, value, why);
            None
        })
    }

    fn leave(&mut self, name: &str, value: Value, why: &str) {
        self.notes.warn(&self.path_of(name), why);
        self.keep(name, value);
    }

    fn keep(&mut self, name: &str, value: Value) {
        self.unread.push(name.to_owned());
        self.left.insert(name.to_owned(), value);
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).and_then(coerce::text)
    }

    pub(super) fn label(&mut self, name: &str) -> Option<String> {
        self.take(name).and_then(coerce::label)
    }

    pub(super) fn id(&mut self, name: &str) -> Option<String> {
        self.coerced(name, coerce::id)
    }

    pub(super) fn identity(&mut self, name: &str) -> Option<String> {
        for spelling in spellings(&self.left, name) {
            match self.left.get(&spelling).map(coerce::identity) {
                Some(Ok(Some(id))) => {
                    let repeats =
                        |value: &Value| coerce::identity(value).ok().flatten().as_ref() == Some(&id);
                    self.left
                        .retain(|key, value| !(key.eq_ignore_ascii_case(name) && repeats(value)));
                    return Some(id);
                }
                Some(Err(why)) if !self.left.get(&spelling).is_some_and(coerce::is_nothing) => {
                    self.notes.warn(&self.path_of(name), why);
                }
                _ => {}
            }
            self.unread.push(spelling);
        }
        None
    }

    pub(super) fn indexed_id(&mut self, name: &str) -> Option<String> {
        let id = self.id(name)?;
        if id.len() <= LONGEST_ID {
            return Some(id);
        }
        self.leave(name, id.into(), "longer than 512 bytes");
        None
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.coerced(name, coerce::flag)
    }

    pub(super) fn integer(&mut self, name: &str) -> Option<i32> {
        self.coerced(name, coerce::integer)
    }

    pub(super) fn duration(&mut self, name: &str, span: Span) -> Option<i32> {
        self.coerced(name, |value| duration::read(value, span))
    }

    pub(super) fn instant(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let offset = self.notes.offset;
        self.coerced(name, |value| coerce::instant(value, offset))
    }

    pub(super) fn texts(&mut self, name: &str) -> Vec<Option<String>> {
        let texts = self.take(name).map(|value| coerce::texts(value, coerce::text));
        texts.unwrap_or_default()
    }

    pub(super) fn labels(&mut self, name: &str) -> Vec<Option<String>> {
        let labels = self.take(name).map(|value| coerce::texts(value, coerce::label));
        labels.unwrap_or_default()
    }

    pub(super) fn json(&mut self, name: &str) -> Option<Value> {
        self.take(name)
    }

    /// The result must not depend on the offset.
    pub(super) fn json_in_utc(&mut self, name: &str) -> Option<Value> {
        let mut value = self.take(name)?;
        instant::to_utc_within(&mut value, self.notes.offset);
        Some(value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.left
            .iter()
            .any(|(key, value)| key.eq_ignore_ascii_case(name) && !coerce::is_nothing(value))
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.left.keys().any(|key| key.eq_ignore_ascii_case(name))
    }

    pub(super) fn object(&mut self, name: &str) -> Fields<'n> {
        let object = match self.take(name) {
            Some(Value::Object(object)) => object,
            Some(other) => {
                self.leave(name, other, "not an object");
                Map::new()
            }
            None => Map::new(),
        };
        Fields::new(&self.path_of(name), object, self.notes)
    }

    /// Indices are row keys: skipped elements keep theirs.
    pub(super) fn objects(&mut self, name: &str) -> impl Iterator<Item = (i32, Fields<'n>)> + use<'n> {
        self.objects_or(name, None)
    }

    pub(super) fn objects_or(
        &mut self,
        name: &str,
        lone_field: Option<&'static str>,
    ) -> impl Iterator<Item = (i32, Fields<'n>)> + use<'n> {
        let (path, notes) = (self.path_of(name), self.notes);
        let value = self.take(name);
        let is_list = value.as_ref().is_some_and(Value::is_array);
        let elements = (0..).zip(value.map(coerce::list).unwrap_or_default());
        elements
            .filter(|(_, element)| !coerce::is_empty(element))
            .map(move |(index, element)| {
                let path = if is_list {
                    format!("{path}[{index}]")
                } else {
                    path.clone()
                };
                let fields = match element {
                    Value::Object(object) => Fields::new(&path, object, notes),
                    Value::String(text) if let Some(field) = lone_field => {
                        let object = Map::from_iter([(field.to_owned(), text.into())]);
                        Fields::new(&path, object, notes)
                    }
                    other => {
                        let mut fields = Fields::new(&path, Map::new(), notes);
                        notes.warn(&path, "not an object");
                        fields.keep("value", other);
                        fields
                    }
                };
                (index, fields)
            })
    }

    pub(super) fn drop_repeated(&mut self, name: &str, known: Option<&str>) {
        let repeats = |value: &Value| known.is_some() && value.as_str() == known;
        self.left
            .retain(|key, value| !(key.eq_ignore_ascii_case(name) && repeats(value)));
    }

    pub(super) fn keep_rest_of(&mut self, name: &str, nested: Fields<'_>) {
        if let Some(rest) = nested.rest() {
            self.keep(name, rest);
        }
    }

    pub(super) fn rest(self) -> Option<Value> {
        for (name, value) in &self.left {
            if !self.unread.contains(name) {
                self.notes
                    .drift
                    .borrow_mut()
                    .extend(Drift::of(&self.path, name, value));
            }
        }
        let left: Map<String, Value> = self
            .left
            .into_iter()
            .filter(|(_, value)| !coerce::is_nothing(value))
            .collect();
        (!left.is_empty()).then_some(Value::Object(left))
    }
}

/// The exact name comes first.
pub(super) fn spellings(object: &Map<String, Value>, name: &str) -> Vec<String> {
    let mut spellings: Vec<String> = object
        .keys()
        .filter(|key| key.eq_ignore_ascii_case(name))
        .cloned()
        .collect();
    spellings.sort_by_key(|spelling| spelling != name);
    spellings
}
