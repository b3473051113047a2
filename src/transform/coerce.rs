use std::borrow::Cow;
use std::mem::take;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{JsonText, LONGEST_ID, instant, normal_form};

/// How a field is read: `docs/data-dictionary.md`, Coercions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Label,
    Id,
    Identity,
    Flag,
    Integer,
    Number,
    Duration,
    Instant,
    Texts,
    Labels,
    Json,
    JsonInUtc,
}

pub(super) type Coerced<T> = Result<T, &'static str>;

pub(super) trait Coerce: Default {
    /// Leaves a value that it cannot read unchanged.
    fn coerce(value: &mut Value, kind: FieldKind, offset: i32) -> Coerced<Self>;
}

impl Coerce for Option<String> {
    fn coerce(value: &mut Value, kind: FieldKind, _: i32) -> Coerced<Self> {
        let is_id = kind == FieldKind::Id;
        match value {
            Value::Null => Ok(None),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) if is_id => Err("not an id"),
            Value::Number(_) | Value::String(_) if is_id && length(value) > LONGEST_ID => {
                Err("longer than 512 bytes")
            }
            Value::String(text) => {
                let label = text.trim();
                if kind == FieldKind::Label && label.len() < text.len() {
                    *text = label.to_owned();
                }
                Ok(Some(take(text)).filter(|text| !text.is_empty()))
            }
            other => Ok(Some(other.to_string())),
        }
    }
}

fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), str::len)
}

impl Coerce for Option<bool> {
    fn coerce(value: &mut Value, _: FieldKind, _: i32) -> Coerced<Self> {
        const NO_FLAG: &str = "not a yes or no";
        let word = match value {
            Value::Bool(flag) => return Ok(Some(*flag)),
            value => word_or_number(value).ok_or(NO_FLAG)?.to_ascii_lowercase(),
        };
        match word.as_str() {
            "" => Ok(None),
            "true" | "yes" | "y" | "1" => Ok(Some(true)),
            "false" | "no" | "n" | "0" => Ok(Some(false)),
            _ => Err(NO_FLAG),
        }
    }
}

impl Coerce for Option<i32> {
    fn coerce(value: &mut Value, kind: FieldKind, _: i32) -> Coerced<Self> {
        const NO_INTEGER: &str = "not a whole number";
        if kind == FieldKind::Duration {
            return duration(value);
        }
        let text = word_or_number(value).ok_or(NO_INTEGER)?;
        if text.is_empty() {
            return Ok(None);
        }
        let number = decimal(&text).ok_or(NO_INTEGER)?;
        let whole = whole(number)?;
        (number.fract() == 0.0).then_some(Some(whole)).ok_or(NO_INTEGER)
    }
}

impl Coerce for Option<DateTime<Utc>> {
    /// Document databases write `{"$date": …}`.
    fn coerce(value: &mut Value, _: FieldKind, offset: i32) -> Coerced<Self> {
        match value {
            Value::Object(fields) if fields.len() == 1 => match fields.get_mut("$date") {
                Some(date @ (Value::String(_) | Value::Number(_))) => {
                    Self::coerce(date, FieldKind::Instant, offset)
                }
                _ => Err(instant::NO_STAMP),
            },
            value => match word_or_number(value).ok_or(instant::NO_STAMP)? {
                text if text.is_empty() => Ok(None),
                text if value.is_number() => instant::parse(&without_exponent(&text), offset).map(Some),
                text => instant::parse(&text, offset).map(Some),
            },
        }
    }
}

impl Coerce for Vec<Option<String>> {
    /// Positions may match those of another list.
    fn coerce(value: &mut Value, kind: FieldKind, offset: i32) -> Coerced<Self> {
        let kind = match kind {
            FieldKind::Labels => FieldKind::Label,
            _ => FieldKind::Text,
        };
        let texts = list(take(value)).into_iter();
        let texts: Self = texts
            .map(|mut text| Option::coerce(&mut text, kind, offset))
            .collect::<Coerced<_>>()?;
        let has_any = texts.iter().any(Option::is_some);
        Ok(if has_any { texts } else { Vec::new() })
    }
}

impl Coerce for Option<JsonText> {
    fn coerce(value: &mut Value, kind: FieldKind, offset: i32) -> Coerced<Self> {
        if kind == FieldKind::JsonInUtc {
            instant::to_utc_within(value, offset);
        }
        Ok(Some(take(value).into()))
    }
}

/// Placeholders such as `undefined` would merge many records.
pub(super) fn identity(value: &Value) -> Coerced<Option<String>> {
    let text = match value {
        Value::String(text) if !text.trim().is_empty() => Cow::Borrowed(text.as_str()),
        Value::Number(number) => Cow::Owned(normal_form::number_text(number)),
        value if is_nothing(value) || value.is_string() => return Ok(None),
        _ => return Err("not an id"),
    };
    let id = normal_form::id(&text).ok_or("stands for nothing")?;
    Ok(Some(id.to_owned()))
}

/// Such a value is no free text.
pub(super) fn is_readable(value: &Value, kind: FieldKind) -> bool {
    fn can_be<T: Coerce>(value: &Value, kind: FieldKind) -> bool {
        T::coerce(&mut value.clone(), kind, 0).is_ok()
    }
    match kind {
        FieldKind::Flag => can_be::<Option<bool>>(value, kind),
        FieldKind::Integer | FieldKind::Duration => can_be::<Option<i32>>(value, kind),
        FieldKind::Instant => can_be::<Option<DateTime<Utc>>>(value, kind),
        FieldKind::Number => word_or_number(value).is_some_and(|text| {
            text.is_empty() || text.parse().is_ok_and(|number: f64| number.abs() < 1_000_000.0)
        }),
        _ => !value.is_object(),
    }
}

/// Null counts as the empty text.
fn word_or_number(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => Some("".into()),
        Value::String(text) => Some(text.trim().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Unlike "NaN" and "inf".
fn decimal(text: &str) -> Option<f64> {
    let has_digits = text.contains(|c: char| c.is_ascii_digit());
    text.parse().ok().filter(|_| has_digits)
}

fn whole(number: f64) -> Coerced<i32> {
    if number < f64::from(i32::MIN) || number > f64::from(i32::MAX) {
        return Err("too large for its column");
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is within the range of i32")]
    Ok(number as i32)
}

fn without_exponent(number: &str) -> Cow<'_, str> {
    match number.parse::<f64>() {
        Ok(float) if number.contains(['e', 'E']) => float.to_string().into(),
        _ => number.into(),
    }
}

pub(super) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other if is_empty(&other) => Vec::new(),
        other => vec![other],
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    is_nothing(value) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

const NO_DURATION: &str = "not a duration in seconds";

/// Milliseconds give about 1,000.
const MOST_TIMES_ITS_SPAN: i64 = 100;

/// Whether stamps contradict a duration. Stamps in the wrong order prove nothing.
pub(super) fn contradicts(span: Option<TimeDelta>, seconds: i32) -> bool {
    let span = span.map(|span| span.num_seconds()).filter(|span| *span >= 0);
    span.is_some_and(|span| i64::from(seconds) >= MOST_TIMES_ITS_SPAN * (span + 1))
}

/// `00:49` is refused: it may be hours or minutes.
fn duration(value: &Value) -> Coerced<Option<i32>> {
    let text = word_or_number(value).ok_or(NO_DURATION)?;
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = seconds(&text).ok_or(NO_DURATION)?.round();
    if seconds < 0.0 {
        return Err("negative");
    }
    whole(seconds).map(Some)
}

fn seconds(text: &str) -> Option<f64> {
    if text.contains(':') {
        clock_time(text)
    } else {
        finite(text)
    }
}

fn clock_time(text: &str) -> Option<f64> {
    let [hours, minutes, seconds] = text.split(':').collect::<Vec<_>>().try_into().ok()?;
    let is_whole =
        |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole(hours) || !is_whole(minutes) || !seconds.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let below_sixty = |part: &str| finite(part).filter(|number| *number < 60.0);
    Some(finite(hours)? * 3_600.0 + below_sixty(minutes)? * 60.0 + below_sixty(seconds)?)
}

fn finite(text: &str) -> Option<f64> {
    decimal(text).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests;
