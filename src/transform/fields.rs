//! Taking the fields of a JSON object one by one, and noting what could not be read.
//!
//! A field that is taken is known; whatever nobody took, or could not be read, is the row's
//! `extra`. So nothing is thrown away, and there is no list of known fields to keep.

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::LONGEST_ID;
use super::coerce::{self, Coerced};
use super::duration::{self, Span};
use super::instant;
use super::privacy;

/// A field that is not known, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drift {
    /// Where it stands: `destinations[].respondingAgent.mood`.
    pub path: String,
    /// The JSON type of its value.
    pub json_type: &'static str,
}

impl Drift {
    /// A field under a path, without indices: they are no part of the schema. A name that may itself
    /// be a value is not told. `None` where the field says nothing.
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

/// What was noticed while reading one record.
#[derive(Debug)]
pub(super) struct Notes {
    offset: i32,
    warnings: RefCell<Vec<String>>,
    drift: RefCell<Vec<Drift>>,
}

impl Notes {
    /// For a record that was asked for at `offset` minutes.
    pub(super) fn new(offset: i32) -> Self {
        Self {
            offset,
            warnings: RefCell::default(),
            drift: RefCell::default(),
        }
    }

    /// Notes `path: why`; never a value.
    pub(super) fn warn(&self, path: &str, why: &str) {
        self.warnings.borrow_mut().push(format!("{path}: {why}"));
    }

    /// The warnings, and the fields that are not known.
    pub(super) fn into_parts(self) -> (Vec<String>, Vec<Drift>) {
        (self.warnings.into_inner(), self.drift.into_inner())
    }
}

/// The fields of one object that are still to be taken.
///
/// Names are looked up as documented first, then without regard to case: the API writes
/// `Reason` and `reason`, `Direction` and `direction`.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    path: String,
    left: Map<String, Value>,
    /// Names among them that are known all the same: what stands there could not be read.
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

    /// The value of a field, or `None` where it says nothing. The same value under another
    /// spelling goes with it; a different one stays.
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

    /// A value as a column's type. One that cannot be read stays where it is, for `extra`.
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

    /// Puts a value back that is not drift.
    fn keep(&mut self, name: &str, value: Value) {
        self.unread.push(name.to_owned());
        self.left.insert(name.to_owned(), value);
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).and_then(coerce::text)
    }

    /// As [`Fields::text`], without white space around it.
    pub(super) fn label(&mut self, name: &str) -> Option<String> {
        self.take(name).and_then(coerce::label)
    }

    pub(super) fn id(&mut self, name: &str) -> Option<String> {
        self.coerced(name, coerce::id)
    }

    /// An id that identifies the record, under whichever spelling of the name there is one. What stands
    /// for nothing stays where it is, for `extra`.
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

    /// An id that is part of an index. A longer one stays where it is, for `extra`.
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

    /// A duration in seconds, unless the stamps beside it say that it can be none.
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

    /// As [`Fields::texts`], without white space around each.
    pub(super) fn labels(&mut self, name: &str) -> Vec<Option<String>> {
        let labels = self.take(name).map(|value| coerce::texts(value, coerce::label));
        labels.unwrap_or_default()
    }

    pub(super) fn json(&mut self, name: &str) -> Option<Value> {
        self.take(name)
    }

    /// As [`Fields::json`], with every naive time stamp inside replaced by the instant that it
    /// means: a structure of the API's own must not depend on the offset it was asked with.
    pub(super) fn json_in_utc(&mut self, name: &str) -> Option<Value> {
        let mut value = self.take(name)?;
        instant::to_utc_within(&mut value, self.notes.offset);
        Some(value)
    }

    /// Whether a field is there and says something.
    pub(super) fn has(&self, name: &str) -> bool {
        self.left
            .iter()
            .any(|(key, value)| key.eq_ignore_ascii_case(name) && !coerce::is_nothing(value))
    }

    /// Whether a field is there, whatever it says.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.left.keys().any(|key| key.eq_ignore_ascii_case(name))
    }

    /// The object under a name, empty where there is none. What is no object stays where it is.
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

    /// The objects of a list, with their index as the row's key. A lone object counts as a list
    /// of one. An element that is no object becomes one with the single field `value`; one that
    /// says nothing is left out.
    pub(super) fn objects(&mut self, name: &str) -> impl Iterator<Item = (i32, Fields<'n>)> + use<'n> {
        self.objects_or(name, None)
    }

    /// As [`Fields::objects`], where an element that is a text stands for an object of that one field.
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

    /// Drops a field that only says again what is `known`.
    pub(super) fn drop_repeated(&mut self, name: &str, known: Option<&str>) {
        let repeats = |value: &Value| known.is_some() && value.as_str() == known;
        self.left
            .retain(|key, value| !(key.eq_ignore_ascii_case(name) && repeats(value)));
    }

    /// Puts what is left of a nested object back under its name, to be part of this row's `extra`.
    pub(super) fn keep_rest_of(&mut self, name: &str, nested: Fields<'_>) {
        if let Some(rest) = nested.rest() {
            self.keep(name, rest);
        }
    }

    /// What nobody took, without the fields that say nothing. What of it is not known is drift.
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

/// The names in an object that are this one but for their case, the exact one first.
pub(super) fn spellings(object: &Map<String, Value>, name: &str) -> Vec<String> {
    let mut spellings: Vec<String> = object
        .keys()
        .filter(|key| key.eq_ignore_ascii_case(name))
        .cloned()
        .collect();
    spellings.sort_by_key(|spelling| spelling != name);
    spellings
}
