use std::collections::HashMap;
use std::path::Path;

use config::{Source, ValueKind};
use serde_json::{Map, Value};

use super::{ConfigError, ENVIRONMENT_PREFIX};

const DEFAULTS: &str = include_str!("../../config/default.toml");

pub(super) fn merge(
    file: Option<&Path>,
    environment: HashMap<String, String>,
) -> Result<Map<String, Value>, ConfigError> {
    let mut builder = config::Config::builder().add_source(toml_source(DEFAULTS, "config/default.toml")?);
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::Unreadable(format!(
                "cannot read the configuration file {}: {error}",
                path.display()
            ))
        })?;
        builder = builder.add_source(toml_source(&text, &path.display().to_string())?);
    }
    let common_url = environment.get("DATABASE_URL").cloned();
    // No `try_parsing`: the password 007 must not become 7.
    let environment = config::Environment::with_prefix(ENVIRONMENT_PREFIX)
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(environment));
    let merged = builder
        .add_source(environment)
        .build()
        .and_then(|config| config.collect())
        .map_err(|error| ConfigError::Unreadable(format!("cannot combine the configuration: {error}")))?;
    let merged = merged.into_iter();
    let mut tree: Map<String, Value> = merged.map(|(key, value)| (key, json(value.kind))).collect();
    if let (Some(Value::Object(database)), Some(url)) = (tree.get_mut("database"), common_url) {
        let is_unset = |key: &&str| database.get(*key).is_none_or(|value| value == "");
        if ["url", "url_file"].iter().all(is_unset) {
            database.insert("url".to_owned(), url.into());
        }
    }
    Ok(tree)
}

/// Deserializing gives some keys a special meaning, see `crate::json`.
fn json(value: ValueKind) -> Value {
    match value {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(flag) => flag.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        ValueKind::I128(number) => number.to_string().into(),
        ValueKind::U128(number) => number.to_string().into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => text.into(),
        ValueKind::Table(table) => {
            let fields = table.into_iter().map(|(key, value)| (key, json(value.kind)));
            Value::Object(fields.collect())
        }
        ValueKind::Array(items) => items.into_iter().map(|item| json(item.kind)).collect(),
    }
}

fn toml_source(
    text: &str,
    name: &str,
) -> Result<config::File<config::FileSourceString, config::FileFormat>, ConfigError> {
    // The errors of `config` quote lines, which may hold secrets.
    if let Err(error) = toml::de::DeTable::parse(text) {
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        return Err(ConfigError::Unreadable(format!(
            "{name}, line {line}, is not valid TOML: {}",
            error.message()
        )));
    }
    Ok(config::File::from_str(text, config::FileFormat::Toml))
}
