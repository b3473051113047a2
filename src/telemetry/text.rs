use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// RFC 3339.
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Whole seconds.
pub fn second(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `3 d 4 h`.
pub fn span(seconds: i64) -> String {
    let span = TimeDelta::seconds(seconds.max(0));
    let units = [
        (span.num_days(), "d"),
        (span.num_hours() % 24, "h"),
        (span.num_minutes() % 60, "min"),
        (span.num_seconds() % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown: Vec<String> = units[first..]
        .iter()
        .take(2)
        .filter(|(count, _)| *count > 0 || first == 3)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    shown.join(" ")
}

/// `1,234,567`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub fn plural(number: i64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_shown_in_two_units() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(302), "5 min 2 s");
        assert_eq!(span(273_600), "3 d 4 h");
        assert_eq!(span(86_400), "1 d");
        assert_eq!(span(-5), "0 s");
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        let shown = [0, 12, 999, 1_000, -1_234_567].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1,000", "-1,234,567"]);
        assert_eq!(plural(1, "gap", "gaps"), "1 gap");
    }
}
