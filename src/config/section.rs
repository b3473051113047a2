//! Reads configuration tables, collecting problems. Reading a key makes it known.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::secret::Secret;
use crate::json;

#[derive(Debug, Default)]
pub(super) struct Problems {
    found: RefCell<Vec<String>>,
    trimmed_secrets: RefCell<Vec<String>>,
}

impl Problems {
    pub(super) fn add(&self, problem: String) {
        self.found.borrow_mut().push(problem);
    }

    pub(super) fn into_parts(self) -> (Vec<String>, Vec<String>) {
        (self.found.into_inner(), self.trimmed_secrets.into_inner())
    }
}

#[derive(Debug)]
pub(super) struct Section<'a> {
    path: String,
    table: Map<String, Value>,
    known: Vec<String>,
    problems: &'a Problems,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: Map<String, Value>, problems: &'a Problems) -> Self {
        Self {
            path: String::new(),
            table,
            known: Vec::new(),
            problems,
        }
    }

    pub(super) fn section(&mut self, key: &str) -> Section<'a> {
        let table = self.table(key).unwrap_or_default();
        self.nested(key, table)
    }

    pub(super) fn nested(&self, key: &str, table: Map<String, Value>) -> Section<'a> {
        Section {
            path: self.key_path(key),
            table,
            known: Vec::new(),
            problems: self.problems,
        }
    }

    pub(super) fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn problem(&self, key: &str, what: &str) {
        self.problems.add(format!("{}: {what}", self.key_path(key)));
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.table.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn table(&mut self, key: &str) -> Option<Map<String, Value>> {
        match self.take(key)? {
            Value::Object(table) => Some(table),
            _ => {
                self.problem(key, "is a table with keys of its own, not a value");
                None
            }
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text),
            // Environment variables have no types; ids may look numeric.
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.problem(key, "must be text");
                None
            }
        }
    }

    pub(super) fn required_text(&mut self, key: &str) -> String {
        self.text(key).unwrap_or_else(|| {
            self.problem(key, &format!("is required{}", self.environment_hint(key)));
            String::new()
        })
    }

    fn environment_hint(&self, key: &str) -> String {
        let name = self.key_path(key).to_uppercase().replace('.', "__");
        format!(" (in the environment: {}__{name})", super::ENVIRONMENT_PREFIX)
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.problem(key, &format!("must be {expected}"));
        }
        parsed
    }

    pub(super) fn required<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(&self.text(key).unwrap_or_default());
        if parsed.is_none() {
            self.problem(key, &format!("must be {expected}"));
        }
        parsed
    }

    pub(super) fn integer<T>(&mut self, key: &str, range: &RangeInclusive<i64>) -> T
    where
        T: TryFrom<i64> + Default,
    {
        let number = match self.take(key) {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .unwrap_or_else(|| {
                self.problem(
                    key,
                    &format!("must be a whole number from {} to {}", range.start(), range.end()),
                );
                T::default()
            })
    }

    pub(super) fn flag(&mut self, key: &str) -> bool {
        match self.take(key) {
            Some(Value::Bool(flag)) => flag,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            _ => {
                self.problem(key, "must be true or false");
                false
            }
        }
    }

    pub(super) fn list(&mut self, key: &str) -> Option<Vec<String>> {
        let items = match self.take(key)? {
            Value::String(text) => text
                .split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
            Value::Array(items) if items.iter().all(Value::is_string) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>(),
            _ => {
                self.problem(key, "must be a list of texts");
                return None;
            }
        };
        (!items.is_empty()).then_some(items)
    }

    pub(super) fn json_table(&mut self, key: &str) -> Map<String, Value> {
        match self.take(key) {
            None => Map::new(),
            Some(Value::Object(table)) => table,
            Some(Value::String(text)) if let Ok(Value::Object(table)) = json::parse(&text) => table,
            Some(_) => {
                self.problem(key, "must be a table, or the text of a JSON object");
                Map::new()
            }
        }
    }

    pub(super) fn tables(&mut self, key: &str, expected: &str) -> Vec<Section<'a>> {
        let items = match self.take(key) {
            None => Some(Vec::new()),
            Some(Value::Array(items)) => Some(items),
            Some(Value::String(text)) => match json::parse(&text) {
                Ok(Value::Array(items)) => Some(items),
                _ => None,
            },
            Some(_) => None,
        };
        let tables: Option<Vec<Map<String, Value>>> = items.and_then(|items| {
            let tables = items.into_iter().map(|item| match item {
                Value::Object(table) => Some(table),
                _ => None,
            });
            tables.collect()
        });
        if tables.is_none() {
            self.problem(key, &format!("must be {expected}"));
        }
        let tables = tables.into_iter().flatten().enumerate();
        tables
            .map(|(index, table)| self.nested(&format!("{key}[{index}]"), table))
            .collect()
    }

    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let file_key = format!("{key}_file");
        let inline = self
            .text(key)
            .map(|text| Secret::Inline(SecretString::from(text)));
        let file = self.text(&file_key).map(|path| Secret::File(path.into()));
        if inline.is_some() && file.is_some() {
            self.problem(key, &format!("is given twice, also as {file_key}: remove one"));
        }
        let secret = inline.or(file)?;
        let key = if matches!(secret, Secret::File(_)) {
            &file_key
        } else {
            key
        };
        self.look_at_secret(key, &secret);
        Some(secret)
    }

    pub(super) fn look_at_secret(&self, key: &str, secret: &Secret) {
        if let Err(error) = secret.read() {
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
            self.problem(key, &format!("{error}{}", cause.unwrap_or_default()));
        } else if secret.is_trimmed() {
            self.problems
                .trimmed_secrets
                .borrow_mut()
                .push(self.key_path(key));
        }
    }

    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let nearest = self
                .known
                .iter()
                .map(|known| (strsim::damerau_levenshtein(key, known), known))
                .min_by_key(|(distance, _)| *distance)
                .filter(|(distance, known)| *distance <= known.len().div_ceil(2));
            let hint = nearest.map_or_else(
                || format!("known here: {}", self.known.join(", ")),
                |(_, known)| format!("did you mean {}?", self.key_path(known)),
            );
            self.problems
                .add(format!("{}: unknown key; {hint}", self.key_path(key)));
        }
    }
}
