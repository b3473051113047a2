//! Takes fields of a JSON object; the rest becomes `extra`.

use std::cell::RefCell;

use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::JsonText;
use super::coerce::{self, Coerce, FieldKind};

#[derive(Debug, Default)]
pub(super) struct Notes {
    offset: i32,
    warnings: RefCell<Vec<String>>,
}

impl Notes {
    pub(super) fn new(offset: i32) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }

    /// `why` must not contain a value.
    pub(super) fn warn(&self, path: &str, why: &str) {
        self.warnings.borrow_mut().push(format!("{path}: {why}"));
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }
}

const NO_OBJECT: &str = "not an object";

const CONTRADICTED: &str =
    "more than a hundred times what the stamps beside it say, as milliseconds would be";

/// Ignores case: the API writes `Reason` and `reason`.
#[derive(Debug)]
pub(super) struct Reader<'n> {
    path: String,
    left: Map<String, Value>,
    /// Objects within, whose fields are read as its own.
    parts: Vec<(&'static str, Reader<'n>)>,
    is_copy: bool,
    notes: &'n Notes,
}

impl<'n> Reader<'n> {
    pub(super) fn new(path: &str, object: Map<String, Value>, notes: &'n Notes) -> Self {
        Self {
            path: path.to_owned(),
            left: object,
            parts: Vec::new(),
            is_copy: false,
            notes,
        }
    }

    /// `path`: a field, or one of an object within, such as `campaigninfo.attempt`.
    pub(super) fn read<T: Coerce>(&mut self, path: &'static str, kind: FieldKind) -> T {
        match path.split_once('.') {
            Some((part, path)) => self.part(part).read(path, kind),
            None => self.read_unless(path, kind, |_| false),
        }
    }

    /// Another place of a value: fills a gap, and is removed if it repeats the value.
    pub(super) fn read_also<T>(&mut self, value: &mut T, path: &'static str, kind: FieldKind)
    where
        T: Coerce + PartialEq,
    {
        if let Some((part, path)) = path.split_once('.') {
            self.part(part).read_also(value, path, kind);
        } else if *value == T::default() {
            *value = self.read(path, kind);
        } else {
            let offset = self.notes.offset;
            let repeats = |other: &Value| T::coerce(&mut other.clone(), kind, offset).as_ref() == Ok(value);
            self.left.retain(|key, other| !(is(key, path) && repeats(other)));
        }
    }

    pub(super) fn duration(&mut self, name: &str, span: Option<TimeDelta>) -> Option<i32> {
        self.read_unless(name, FieldKind::Duration, |seconds: &Option<i32>| {
            seconds.is_some_and(|seconds| coerce::contradicts(span, seconds))
        })
    }

    fn read_unless<T: Coerce>(
        &mut self,
        name: &str,
        kind: FieldKind,
        is_contradicted: impl FnOnce(&T) -> bool,
    ) -> T {
        let Some(mut value) = self.take(name) else {
            return T::default();
        };
        let why = match T::coerce(&mut value, kind, self.notes.offset) {
            Ok(read) if !is_contradicted(&read) => return read,
            Ok(_) => CONTRADICTED,
            Err(why) => why,
        };
        self.leave(name, value, why);
        T::default()
    }

    pub(super) fn identity(&mut self, name: &str) -> Option<String> {
        let warn = |why: &&str| self.notes.warn(&self.path_of(name), why);
        let read = named(&self.left, name).map(|value| coerce::identity(value).inspect_err(warn));
        let id = read.filter_map(Result::ok).flatten().next()?;
        let repeats = |value: &Value| coerce::identity(value).is_ok_and(|read| read.as_ref() == Some(&id));
        self.left.retain(|key, value| !(is(key, name) && repeats(value)));
        Some(id)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        named(&self.left, name).any(|value| !coerce::is_nothing(value))
    }

    /// Indices are row keys, so skipped elements keep theirs.
    pub(super) fn rows(&mut self, list: &str, lone_field: Option<&str>) -> Vec<(i32, Self)> {
        let path = self.path_of(list);
        let value = self.take(list);
        let is_list = value.as_ref().is_some_and(Value::is_array);
        let elements = (0..).zip(value.map(coerce::list).unwrap_or_default());
        let rows = elements.filter(|(_, element)| !coerce::is_empty(element));
        let rows = rows.map(|(index, element)| {
            let place = if is_list {
                format!("[{index}]")
            } else {
                String::new()
            };
            (index, self.row(&format!("{path}{place}"), element, lone_field))
        });
        rows.collect()
    }

    fn row(&self, path: &str, element: Value, lone_field: Option<&str>) -> Self {
        let object = match (element, lone_field) {
            (Value::Object(object), _) => object,
            (Value::String(text), Some(field)) => Map::from_iter([(field.to_owned(), text.into())]),
            (other, _) => {
                self.notes.warn(path, NO_OBJECT);
                let mut row = Self::new(path, Map::new(), self.notes);
                row.keep("value", other);
                return row;
            }
        };
        Self::new(path, object, self.notes)
    }

    pub(super) fn part(&mut self, name: &'static str) -> &mut Self {
        let known = self.parts.iter().position(|(known, _)| *known == name);
        let place = known.unwrap_or_else(|| {
            let object = match self.take(name) {
                Some(Value::Object(object)) => object,
                Some(other) => {
                    self.leave(name, other, NO_OBJECT);
                    Map::new()
                }
                None => Map::new(),
            };
            let part = Self::new(&self.path_of(name), object, self.notes);
            self.parts.push((name, part));
            self.parts.len() - 1
        });
        &mut self.parts[place].1
    }

    /// As `part`, but the object also stays whole.
    pub(super) fn copy_part(&mut self, name: &'static str) -> &mut Self {
        let copy = named(&self.left, name)
            .find(|value| !coerce::is_nothing(value))
            .cloned();
        self.part(name).is_copy = true;
        self.left.extend(copy.map(|whole| (name.to_owned(), whole)));
        self.part(name)
    }

    /// Also removes equal values under other spellings.
    fn take(&mut self, name: &str) -> Option<Value> {
        let exact = self.left.remove(name).filter(|value| !coerce::is_nothing(value));
        let value = exact.or_else(|| self.take_other_spelling(name))?;
        self.left.retain(|key, other| !(is(key, name) && *other == value));
        Some(value)
    }

    fn take_other_spelling(&mut self, name: &str) -> Option<Value> {
        let mut others = self.left.iter().filter(|(key, _)| is(key, name));
        let spelling = others.find(|(_, value)| !coerce::is_nothing(value))?.0.clone();
        self.left.remove(&spelling)
    }

    fn path_of(&self, name: &str) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{name}", self.path)
    }

    fn leave(&mut self, name: &str, value: Value, why: &str) {
        self.notes.warn(&self.path_of(name), why);
        self.keep(name, value);
    }

    fn keep(&mut self, name: &str, value: Value) {
        self.left.insert(name.to_owned(), value);
    }

    pub(super) fn values<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Value> {
        named(&self.left, name)
    }

    pub(super) fn extra(self) -> Option<JsonText> {
        self.rest().map(JsonText::from)
    }

    pub(super) fn rest(mut self) -> Option<Value> {
        self.parts.retain(|(_, part)| !part.is_copy);
        for (name, part) in std::mem::take(&mut self.parts) {
            if let Some(rest) = part.rest() {
                self.keep(name, rest);
            }
        }
        self.left.retain(|_, value| !coerce::is_nothing(value));
        (!self.left.is_empty()).then_some(Value::Object(self.left))
    }
}

/// Under a name in any case, the exact one first.
pub(super) fn named<'a>(object: &'a Map<String, Value>, name: &'a str) -> impl Iterator<Item = &'a Value> {
    let others = object
        .iter()
        .filter(move |(key, _)| key.as_str() != name && is(key, name));
    object.get(name).into_iter().chain(others.map(|(_, value)| value))
}

fn is(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name)
}
