//! Coerces a JSON value to the type of a column; `None` means no value.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::instant;
use super::normal_form;

pub(super) type Coerced<T> = Result<Option<T>, &'static str>;

pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(text),
        other => Some(other.to_string()),
    }
}

pub(super) fn label(value: Value) -> Option<String> {
    let text = text(value)?;
    let label = text.trim();
    match label.len() {
        0 => None,
        length if length == text.len() => Some(text),
        _ => Some(label.to_owned()),
    }
}

pub(super) fn id(value: &Value) -> Coerced<String> {
    match value {
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err("not an id"),
        value => Ok(text(value.clone())),
    }
}

/// Placeholders such as `undefined` would merge many records.
pub(super) fn identity(value: &Value) -> Coerced<String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => Cow::Owned(normal_form::number_text(number)),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err("not an id"),
    };
    match normal_form::id(&text) {
        Some(id) => Ok(Some(id.to_owned())),
        None => Err("stands for nothing"),
    }
}

pub(super) fn flag(value: &Value) -> Coerced<bool> {
    let word = match value {
        Value::Null => return Ok(None),
        Value::Bool(flag) => return Ok(Some(*flag)),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Array(_) | Value::Object(_) => return Err("not a yes or no"),
    };
    match word.as_str() {
        "" => Ok(None),
        "true" | "yes" | "y" | "1" => Ok(Some(true)),
        "false" | "no" | "n" | "0" => Ok(Some(false)),
        _ => Err("not a yes or no"),
    }
}

pub(super) fn integer(value: &Value) -> Coerced<i32> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err("not a whole number"),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = text.parse::<i32>() {
        return Ok(Some(number));
    }
    let has_digits = text.contains(|c: char| c.is_ascii_digit()); // unlike "NaN" and "inf"
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|_| has_digits)
        .ok_or("not a whole number")?;
    if number < f64::from(i32::MIN) || number > f64::from(i32::MAX) {
        return Err("too large for its column");
    }
    if number.fract() != 0.0 {
        return Err("not a whole number");
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number within the range of i32"
    )]
    Ok(Some(number as i32))
}

/// Document databases write `{"$date": …}`.
pub(super) fn instant(value: &Value, offset: i32) -> Coerced<DateTime<Utc>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => instant::parse(text, offset).map(Some),
        Value::Number(number) => instant::parse(&without_exponent(number.to_string()), offset).map(Some),
        Value::Object(fields) if fields.len() == 1 => match fields.get("$date") {
            Some(date @ (Value::String(_) | Value::Number(_))) => instant(date, offset),
            _ => Err("not a date and time"),
        },
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err("not a date and time"),
    }
}

fn without_exponent(number: String) -> String {
    match number.parse::<f64>() {
        Ok(float) if number.contains(['e', 'E']) => float.to_string(),
        _ => number,
    }
}

pub(super) fn is_number(value: &Value) -> bool {
    let number = match value {
        Value::Null => return true,
        Value::Number(number) => number.to_string().parse::<f64>(),
        Value::String(text) if text.trim().is_empty() => return true,
        Value::String(text) => text.trim().parse(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return false,
    };
    number.is_ok_and(|number| number.abs() < 1_000_000.0)
}

/// Positions may match those of another list.
pub(super) fn texts(value: Value, element: impl Fn(Value) -> Option<String>) -> Vec<Option<String>> {
    let texts: Vec<Option<String>> = list(value).into_iter().map(element).collect();
    if texts.iter().all(Option::is_none) {
        Vec::new()
    } else {
        texts
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yes_and_no_are_read_in_every_spelling() {
        for yes in [
            json!(true),
            json!("YES"),
            json!("True"),
            json!("1"),
            json!(1),
            json!(" y "),
        ] {
            assert_eq!(flag(&yes), Ok(Some(true)), "{yes}");
        }
        for no in [json!(false), json!("NO"), json!("False"), json!("0"), json!(0)] {
            assert_eq!(flag(&no), Ok(Some(false)), "{no}");
        }
        assert_eq!(flag(&json!("")), Ok(None));
        assert!(flag(&json!("perhaps")).is_err());
        assert!(flag(&json!([true])).is_err());
    }

    #[test]
    fn whole_numbers_are_read_from_text_and_floats_and_must_fit() {
        for number in [
            json!(7),
            json!("7"),
            json!(7.0),
            json!(" 7 "),
            json!("7.0"),
            json!(7e0),
        ] {
            assert_eq!(integer(&number), Ok(Some(7)), "{number}");
        }
        assert_eq!(integer(&json!("")), Ok(None));
        assert_eq!(integer(&json!(2_147_483_647)), Ok(Some(i32::MAX)));
        assert_eq!(
            integer(&json!(2_147_483_648_i64)),
            Err("too large for its column")
        );
        assert_eq!(integer(&json!(7.5)), Err("not a whole number"));
        assert_eq!(integer(&json!("NaN")), Err("not a whole number"));
        assert_eq!(integer(&json!(true)), Err("not a whole number"));
    }

    #[test]
    fn an_empty_string_is_nothing_and_what_is_not_text_is_its_json() {
        assert_eq!(text(json!("")), None);
        assert_eq!(text(json!(" ")), Some(" ".to_owned()));
        assert_eq!(
            text(json!({"a": [1, null]})),
            Some(r#"{"a":[1,null]}"#.to_owned())
        );
    }

    #[test]
    fn a_label_has_no_white_space_around_it() {
        assert_eq!(label(json!("Voice")), Some("Voice".to_owned()));
        assert_eq!(label(json!("\u{2003}Jones Ltd \n")), Some("Jones Ltd".to_owned()));
        assert_eq!(label(json!(" \u{a0}")), None);
        assert_eq!(label(json!(7)), Some("7".to_owned()));
    }

    #[test]
    fn a_stamp_may_be_a_number_or_the_date_of_a_document() {
        let read = |value: Value| instant(&value, -330).map(|at| at.map(|at| at.to_rfc3339()));
        let meant = || Ok(Some("2025-09-30T12:04:48+00:00".to_owned()));
        for stamp in [
            json!(1_759_233_888),
            json!(1_759_233_888_000_i64),
            json!({"$date": "2025-09-30T12:04:48Z"}),
        ] {
            assert_eq!(read(stamp.clone()), meant(), "{stamp}");
        }
        assert_eq!(read(serde_json::from_str("1.759233888e9").unwrap()), meant());
        for none in [
            json!({"$date": {"$date": 1}}),
            json!({"$date": 1, "a": 1}),
            json!({}),
            json!(true),
            json!([1_759_233_888]),
        ] {
            assert_eq!(read(none), Err("not a date and time"));
        }
    }

    #[test]
    fn a_lone_value_counts_as_a_list_of_one() {
        let some = |text: &str| Some(text.to_owned());
        let texts = |value| texts(value, text);
        assert_eq!(texts(json!("x")), [some("x")]);
        assert_eq!(
            texts(json!(["x", null, "", 3])),
            [some("x"), None, None, some("3")]
        );
        assert!(texts(json!(["", null])).is_empty());
        assert!(texts(Value::Null).is_empty());
        assert!(texts(json!("")).is_empty());
    }
}
