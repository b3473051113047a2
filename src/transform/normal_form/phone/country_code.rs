//! Strips international prefixes and trunk zeros.

use super::{SHORTEST_WHOLE, digits_of};

pub(super) const LONGEST_COUNTRY_CODE: usize = 3;

/// `011` and `010` are area codes elsewhere, in shorter numbers.
const SHORTEST_AFTER_PREFIX: usize = 10;

pub(super) fn with_country_code(run: &str) -> (String, bool) {
    let compact: String = run.chars().filter(|c| *c != ' ').collect();
    if let Some(digits) = without_trunk_zero(&compact) {
        return (digits, true);
    }
    let (digits, had_prefix) = without_prefixes(&compact);
    (digits, had_prefix || compact.starts_with('+'))
}

/// A `(0)` is dialled only within the country.
fn without_trunk_zero(run: &str) -> Option<String> {
    let (before, after) = run.split_once("(0)").or_else(|| run.split_once("[0]"))?;
    let behind = digits_of(after).len();
    let digits = without_prefixes(&format!("{before}{after}")).0;
    let code = digits.len().checked_sub(behind)?;
    let is_code = (1..=LONGEST_COUNTRY_CODE).contains(&code) && !digits.starts_with('0');
    (is_code && behind > 0).then_some(digits)
}

fn without_prefixes(text: &str) -> (String, bool) {
    let mut digits = digits_of(text);
    let mut had_prefix = false;
    while let Some(rest) = without_prefix(&digits) {
        digits = rest.to_owned();
        had_prefix = true;
    }
    (digits, had_prefix)
}

/// `0011` is Australia's prefix: no country code begins with 11.
fn without_prefix(digits: &str) -> Option<&str> {
    let rest = if let Some(rest) = digits.strip_prefix("00") {
        rest.strip_prefix("11")
            .filter(|rest| rest.len() >= SHORTEST_WHOLE)
            .unwrap_or(rest)
    } else {
        let rest = digits
            .strip_prefix("011")
            .or_else(|| digits.strip_prefix("010"))?;
        Some(rest).filter(|rest| rest.len() >= SHORTEST_AFTER_PREFIX && !rest.starts_with('0'))?
    };
    (!rest.is_empty()).then_some(rest)
}
