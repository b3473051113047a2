//! Reads configuration tables and collects problems. Reading a key makes it known.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::secret::{A_PLACEHOLDER, Secret, is_placeholder};
use super::sync::Cron;
use crate::json;

/// Each setting is read by the method of [`Section`] after its `=`.
macro_rules! settings {
    ($($(#[$attribute:meta])* $name:ident {
        $($(#[$of_field:meta])* $field:ident: $type:ty = $reader:ident($($argument:expr),*);)*
    })+) => {$(
        $(#[$attribute])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
        }

        impl $name {
            pub(in crate::config) fn read(section: &mut crate::config::section::Section<'_>) -> Option<Self> {
                $(let $field = section.$reader($($argument),*);)*
                Some(Self { $($field: $field?,)* })
            }
        }
    )+};
}

pub(super) use settings;

#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) found: RefCell<Vec<String>>,
    trimmed_secrets: RefCell<Vec<String>>,
}

/// Readers note a problem where they return `None`.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) path: String,
    table: Map<String, Value>,
    known: Vec<String>,
    problems: &'a Problems,
}

impl<'a> Section<'a> {
    pub(super) fn new(path: String, table: Map<String, Value>, problems: &'a Problems) -> Self {
        Self {
            path,
            table,
            known: Vec::new(),
            problems,
        }
    }

    pub(super) fn nested(&self, key: &str, table: Map<String, Value>) -> Section<'a> {
        Section::new(self.key_path(key), table, self.problems)
    }

    fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn problem(&self, key: &str, what: &str) {
        let problem = format!("{}: {what}", self.key_path(key));
        self.problems.found.borrow_mut().push(problem);
    }

    pub(super) fn problem_count(&self) -> usize {
        self.problems.found.borrow().len()
    }

    /// What an account inherits was told where it stands.
    pub(super) fn forget_inherited_problems(&self, before: usize, account: &str) {
        let mut found = self.problems.found.borrow_mut();
        let of_account = found.split_off(before);
        let is_told = |problem: &String| {
            ["", "account_defaults."]
                .iter()
                .any(|inherited| found.contains(&problem.replace(account, inherited)))
        };
        let own: Vec<String> = of_account
            .into_iter()
            .filter(|problem| !is_told(problem))
            .collect();
        found.extend(own);
    }

    pub(super) fn invalid<T>(&self, key: &str, what: &str) -> Option<T> {
        self.problem(key, what);
        None
    }

    /// Reads all keys; others are problems.
    pub(super) fn read_all<T>(mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let value = read(&mut self);
        for key in self.table.keys() {
            let hint = match nearest(key, self.known.iter().map(String::as_str)) {
                Some(known) => format!("did you mean {}?", self.key_path(known)),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.problem(key, &format!("unknown key; {hint}"));
        }
        value
    }

    pub(super) fn section<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let table = self.table(key)?;
        self.nested(key, table).read_all(read)
    }

    pub(super) fn shared<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Arc<T>> {
        self.section(key, read).map(Arc::new)
    }

    pub(super) fn group<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        read(self)
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.table.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn is_set(&self, key: &str) -> bool {
        let value = self.table.get(key);
        value.is_some_and(|value| !value.is_null() && value != "")
    }

    pub(super) fn table(&mut self, key: &str) -> Option<Map<String, Value>> {
        match self.take(key) {
            None => Some(Map::new()),
            Some(Value::Object(table)) => Some(table),
            Some(_) => self.invalid(key, "is a table with keys of its own, not a value"),
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Option<Option<String>> {
        let text = match self.take(key) {
            None => None,
            Some(Value::String(text)) if is_placeholder(&text) => return self.invalid(key, A_PLACEHOLDER),
            Some(Value::String(text)) => Some(text).filter(|text| !text.is_empty()),
            // Environment variables have no types; ids may look numeric.
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Bool(flag)) => Some(flag.to_string()),
            Some(_) => return self.invalid(key, "must be text"),
        };
        Some(text)
    }

    pub(super) fn required_text(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        text.or_else(|| {
            let name = self.key_path(key).to_uppercase().replace('.', "__");
            let prefix = super::ENVIRONMENT_PREFIX;
            self.invalid(
                key,
                &format!("is required (in the environment: {prefix}__{name})"),
            )
        })
    }

    pub(super) fn path(&mut self, key: &str) -> Option<Option<PathBuf>> {
        Some(self.text(key)?.map(PathBuf::from))
    }

    pub(super) fn required_path(&mut self, key: &str) -> Option<PathBuf> {
        self.required_text(key).map(PathBuf::from)
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.is_set(key) {
            self.required(key, expected, parse).map(Some)
        } else {
            self.take(key);
            Some(None)
        }
    }

    pub(super) fn required<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key)?.unwrap_or_default();
        parse(&text).or_else(|| self.invalid(key, &format!("must be {expected}")))
    }

    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<Option<T>> {
        self.parsed(key, &alternatives(choices), |text| chosen(choices, text))
    }

    pub(super) fn required_choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.required(key, &alternatives(choices), |text| chosen(choices, text))
    }

    pub(super) fn cron(&mut self, key: &str) -> Option<Cron> {
        self.required(key, Cron::EXPECTED, Cron::parse_occurring)
    }

    pub(super) fn integer<T: TryFrom<i64>>(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<T> {
        let number: Option<i64> = match self.take(key) {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).or_else(|| {
            let (from, to) = range.into_inner();
            self.invalid(key, &format!("must be a whole number from {from} to {to}"))
        })
    }

    pub(super) fn number<N: TryFrom<i64>, T>(
        &mut self,
        key: &str,
        range: RangeInclusive<i64>,
        unit: fn(N) -> T,
    ) -> Option<T> {
        self.integer(key, range).map(unit)
    }

    /// 0 switches it off.
    pub(super) fn span_or_off(
        &mut self,
        key: &str,
        range: RangeInclusive<i64>,
        unit: fn(i64) -> TimeDelta,
    ) -> Option<Option<TimeDelta>> {
        let span = self.number(key, range, unit)?;
        Some((!span.is_zero()).then_some(span))
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.take(key) {
            Some(Value::Bool(flag)) => Some(flag),
            Some(Value::String(text)) if text == "true" => Some(true),
            Some(Value::String(text)) if text == "false" => Some(false),
            _ => self.invalid(key, "must be true or false"),
        }
    }

    pub(super) fn list(&mut self, key: &str) -> Option<Vec<String>> {
        let items = match self.take(key) {
            None => Some(Vec::new()),
            Some(Value::String(text)) => {
                let items = text.split(',').map(str::trim);
                Some(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            Some(_) => None,
        };
        items.or_else(|| self.invalid(key, "must be a list of texts"))
    }

    pub(super) fn list_unless_empty(&mut self, key: &str) -> Option<Option<Vec<String>>> {
        Some(Some(self.list(key)?).filter(|items| !items.is_empty()))
    }

    /// The environment gives tables and lists as JSON.
    fn take_parsed(&mut self, key: &str) -> Option<Value> {
        match self.take(key)? {
            Value::String(text) => Some(json::parse(&text).unwrap_or(Value::String(text))),
            value => Some(value),
        }
    }

    pub(super) fn json_table(&mut self, key: &str) -> Option<Map<String, Value>> {
        match self.take_parsed(key) {
            None => Some(Map::new()),
            Some(Value::Object(table)) => Some(table),
            Some(_) => self.invalid(key, "must be a table, or the text of a JSON object"),
        }
    }

    pub(super) fn tables<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let expected = format!("must be {expected}");
        let items = match self.take_parsed(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => return self.invalid(key, &expected),
        };
        let mut tables = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let Value::Object(table) = item else {
                return self.invalid(key, &expected);
            };
            let section = self.nested(&format!("{key}[{index}]"), table);
            tables.extend(section.read_all(&read));
        }
        Some(tables)
    }

    pub(super) fn secret(&mut self, key: &str) -> Option<Option<Secret>> {
        let file_key = format!("{key}_file");
        let inline = self
            .text(key)?
            .map(|text| Secret::Inline(SecretString::from(text)));
        let file = self.path(&file_key)?.map(Secret::File);
        let (key, secret) = match (inline, file) {
            (Some(_), Some(_)) => {
                return self.invalid(key, &format!("is given twice, also as {file_key}: remove one"));
            }
            (Some(inline), None) => (key, inline),
            (None, Some(file)) => (file_key.as_str(), file),
            (None, None) => return Some(None),
        };
        if let Err(error) = secret.read() {
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
            return self.invalid(key, &format!("{error}{}", cause.unwrap_or_default()));
        }
        if secret.is_trimmed() {
            let mut trimmed = self.problems.trimmed_secrets.borrow_mut();
            trimmed.push(self.key_path(key));
        }
        Some(Some(secret))
    }

    pub(super) fn long_secret(&mut self, key: &str, shortest: usize) -> Option<Option<Secret>> {
        let secret = self.secret(key)?;
        if secret
            .as_ref()
            .is_none_or(|secret| secret.read_long(shortest).is_ok())
        {
            return Some(secret);
        }
        let problem = format!("must have at least {shortest} characters, as from: openssl rand -hex 32");
        self.invalid(key, &problem)
    }

    pub(super) fn trimmed_secrets(&mut self) -> Option<Vec<String>> {
        Some(self.problems.trimmed_secrets.borrow().clone())
    }
}

pub(crate) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let (distance, known) = nearest_of_all(name, known)?;
    (distance <= known.len().div_ceil(2)).then_some(known)
}

/// With its distance.
pub(super) fn nearest_of_all<'k>(
    name: &str,
    known: impl Iterator<Item = &'k str>,
) -> Option<(usize, &'k str)> {
    let distances = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    distances.min_by_key(|(distance, _)| *distance)
}

fn chosen<T: Copy>(choices: &[(&str, T)], text: &str) -> Option<T> {
    let choice = choices.iter().find(|(name, _)| *name == text);
    choice.map(|(_, value)| *value)
}

fn alternatives<T>(choices: &[(&str, T)]) -> String {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
