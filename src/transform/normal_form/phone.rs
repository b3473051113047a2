//! Finds phone numbers in text, as digits with country code.

use std::collections::BTreeSet;

use super::decoded;

/// ITU-T E.164.
const LONGEST: usize = 15;

/// Shorter runs beside a longer one are extensions or ports.
const SHORTEST_WHOLE: usize = 7;

const BETWEEN: &str = " -./()[]~·•‧∙⋅ー・";

const BETWEEN_NUMBERS: &[&str] = &[" / ", "/", " - ", "  ", " "];

const MARKS_OF_EXTENSION: &[&str] = &["x", "ext", "extn", "extension", "p", "w"];

const PHONE_SCHEMES: &[&str] = &[
    "tel", "sip", "sips", "sms", "smsto", "mms", "whatsapp", "wa", "callto", "phone", "fax",
];

const PHONE_HOSTS: &[&str] = &["s.whatsapp.net", "c.us"];

#[derive(Debug, Clone, PartialEq, Eq)]
struct PhoneMatch {
    digits: String,
    is_sure: bool,
    is_alone: bool,
}

impl PhoneMatch {
    fn is_whole(&self) -> bool {
        self.digits.len() >= SHORTEST_WHOLE
    }
}

/// Only the certain ones.
pub fn phones(text: &str) -> BTreeSet<String> {
    if !may_hold_digits(text) {
        return BTreeSet::new();
    }
    let found = read(&decoded(text));
    let has_whole = found.iter().any(PhoneMatch::is_whole);
    let sure = found.into_iter().filter(|found| {
        let is_one = if has_whole {
            found.is_whole()
        } else {
            found.is_alone
        };
        found.is_sure && is_one && !is_one_digit(&found.digits)
    });
    sure.map(|found| found.digits).collect()
}

pub fn phone_of_id(id: &str) -> Option<String> {
    let text = decoded(id).to_lowercase();
    let id = text.trim_matches(|c: char| " \n<>\"'".contains(c));
    let is_scheme = |scheme: &str| {
        !scheme.is_empty()
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    };
    let (scheme, rest) = match id.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest.trim_start_matches('/')),
        _ => ("", id),
    };
    let end = rest.find(['@', ';', '?']).unwrap_or(rest.len());
    let (number, after) = (rest[..end].trim(), &rest[end..]);
    let host = after
        .strip_prefix('@')
        .and_then(|host| host.split([':', ';', '/', '?']).next());
    let is_number = number
        .chars()
        .all(|c| c.is_ascii_digit() || c == '+' || BETWEEN.contains(c));
    let is_phone = number.starts_with('+')
        || PHONE_SCHEMES.contains(&scheme)
        || host.is_some_and(|host| PHONE_HOSTS.contains(&host))
        || (scheme.is_empty() && host.is_none());
    if !is_number || !is_phone {
        return None;
    }
    let [phone]: [String; 1] = Vec::from_iter(phones(&text)).try_into().ok()?;
    (SHORTEST_WHOLE..=LONGEST).contains(&phone.len()).then_some(phone)
}

/// `wanted` is normalized.
pub fn mentions_phone(text: &str, wanted: &str) -> bool {
    if !may_end_like(text, wanted) {
        return false;
    }
    let text = decoded(text);
    let is_in = |piece: &str| digits_of(piece).contains(wanted);
    wanted.len() >= SHORTEST_WHOLE && text.split(char::is_alphabetic).any(is_in)
        || read(&text).iter().any(|found| may_be(&found.digits, wanted))
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn may_be(found: &str, wanted: &str) -> bool {
    let ends_with = |long: &str, short: &str| {
        let national = short.trim_start_matches('0');
        national.len() >= SHORTEST_WHOLE && long.ends_with(national)
    };
    let has_trunk_zero = |code: usize| {
        found.get(code..=code) == Some("0") && [&found[..code], &found[code + 1..]].concat() == wanted
    };
    found == wanted
        || ends_with(wanted, found)
        || ends_with(found, wanted)
        || (1..=LONGEST_COUNTRY_CODE).any(has_trunk_zero)
}

fn may_end_like(text: &str, wanted: &str) -> bool {
    const LAST: usize = 4;
    let is_plain = text.bytes().all(|byte| byte.is_ascii() && !b"%;".contains(&byte));
    if !is_plain || wanted.len() < SHORTEST_WHOLE + LAST {
        return may_hold_digits(text);
    }
    let wanted = digits_of(wanted);
    digits_of(text).contains(&wanted[wanted.len().saturating_sub(LAST)..])
}

fn may_hold_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit() || !byte.is_ascii())
}

/// `0` and `999999999` stand for many.
fn is_one_digit(digits: &str) -> bool {
    let is_first = |digit: u8| Some(&digit) == digits.as_bytes().first();
    digits.bytes().all(|digit| digit == b'0')
        || digits.len() >= SHORTEST_WHOLE && digits.bytes().all(is_first)
}

fn read(text: &str) -> Vec<PhoneMatch> {
    let mut scanner = Scanner {
        chars: without_fraction(text.trim()).chars().collect(),
        at: 0,
        found: Vec::new(),
    };
    while let Some(c) = scanner.chars.get(scanner.at).copied() {
        match c {
            '@' => scanner.skip_until(&[';', ',', '?', '|']),
            ';' if scanner.is_at_parameter() => scanner.skip_until(&[';', ',', '?', '@']),
            '?' if !scanner.found.is_empty() => scanner.skip_until(&[',']),
            '+' | '0'..='9' => scanner.number(),
            _ => scanner.at += 1,
        }
    }
    scanner.found
}

/// Of a number exported as a float.
fn without_fraction(text: &str) -> &str {
    let are_digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = text.trim_end_matches('0').strip_suffix('.');
    whole.filter(are_digits).unwrap_or(text)
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
    found: Vec<PhoneMatch>,
}

impl Scanner {
    fn skip_until(&mut self, ends: &[char]) {
        let is_end = |c: &char| c.is_whitespace() || "<>\"".contains(*c) || ends.contains(c);
        let rest = &self.chars[self.at + 1..];
        self.at += 1 + rest.iter().position(is_end).unwrap_or(rest.len());
    }

    /// A `;` may also separate numbers.
    fn is_at_parameter(&self) -> bool {
        let rest = &self.chars[self.at + 1..];
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        let next = rest.iter().find(|c| !is_name(c));
        rest.first().is_some_and(char::is_ascii_alphabetic)
            && next.is_none_or(|next| next.is_whitespace() || "=;>?,\"@".contains(*next))
    }

    fn number(&mut self) {
        let start = self.at;
        let rest = self.chars[start + 1..].iter();
        let run = 1 + rest
            .take_while(|c| c.is_ascii_digit() || BETWEEN.contains(**c))
            .count();
        let last = self.chars[start + 1..start + run]
            .iter()
            .rposition(char::is_ascii_digit);
        let end = start + 1 + last.map_or(0, |last| last + 1);
        self.at = end;
        let run: String = self.chars[start..end].iter().collect();
        if !run.contains(|c: char| c.is_ascii_digit()) {
            return;
        }
        let is_sure = !self.is_glued_before(start) && !self.is_glued_behind(end);
        let digits = with_country_code(&run);
        if digits.len() > LONGEST && run.contains(|c| BETWEEN.contains(c)) {
            return self.several(&run);
        }
        self.found.push(PhoneMatch {
            digits,
            is_sure,
            is_alone: self.is_alone(start, end),
        });
    }

    fn several(&mut self, run: &str) {
        let number = |piece: &str| {
            let digits = with_country_code(piece);
            (SHORTEST_WHOLE..=LONGEST)
                .contains(&digits.len())
                .then_some(PhoneMatch {
                    digits,
                    is_sure: true,
                    is_alone: false,
                })
        };
        let mut parted = BETWEEN_NUMBERS
            .iter()
            .map(|between| run.split(*between).map(number));
        let whole = parted.find_map(|pieces| pieces.collect::<Option<Vec<PhoneMatch>>>());
        let found = whole.unwrap_or_else(|| run.split([' ', '/']).filter_map(number).collect());
        self.found.extend(found);
    }

    fn is_glued_before(&self, start: usize) -> bool {
        self.chars[..start]
            .last()
            .is_some_and(|before| before.is_alphabetic())
    }

    /// `x7`, `ext. 12` and `p` are extensions.
    fn is_glued_behind(&self, end: usize) -> bool {
        let rest = &self.chars[end..];
        let letters: String = rest.iter().take_while(|c| c.is_alphabetic()).collect();
        if letters.is_empty() {
            return false;
        }
        let rest = &rest[letters.chars().count()..];
        let marks = rest.iter().take_while(|c| ".: =#".contains(**c)).count();
        let digits = rest[marks..].iter().take_while(|c| c.is_ascii_digit()).count();
        let is_end = rest
            .get(marks + digits)
            .is_none_or(|next| !next.is_alphanumeric());
        let is_extension = (1..SHORTEST_WHOLE).contains(&digits) && is_end;
        let is_mark = MARKS_OF_EXTENSION.contains(&letters.to_lowercase().as_str());
        !(is_extension && (is_mark || marks > 0) || is_mark && rest.is_empty())
    }

    fn is_alone(&self, start: usize, end: usize) -> bool {
        let before = self.chars[..start].iter().rev().find(|c| !"( [".contains(**c));
        let behind = self.chars[end..].iter().find(|c| !") ]".contains(**c));
        before.is_none_or(|c| ":<\"/\n".contains(*c)) && behind.is_none_or(|c| "@;>\",\n".contains(*c))
    }
}

const LONGEST_COUNTRY_CODE: usize = 3;

/// `011` and `010` are area codes elsewhere, in shorter numbers.
const SHORTEST_AFTER_PREFIX: usize = 10;

/// Without international prefixes and trunk zeros.
fn with_country_code(run: &str) -> String {
    let compact: String = run.chars().filter(|c| *c != ' ').collect();
    without_trunk_zero(&compact).unwrap_or_else(|| without_prefixes(&compact))
}

/// A `(0)` is dialled only within the country.
fn without_trunk_zero(run: &str) -> Option<String> {
    let (before, after) = run.split_once("(0)").or_else(|| run.split_once("[0]"))?;
    let behind = digits_of(after).len();
    let digits = without_prefixes(&format!("{before}{after}"));
    let code = digits.len().checked_sub(behind)?;
    let is_code = (1..=LONGEST_COUNTRY_CODE).contains(&code) && !digits.starts_with('0');
    (is_code && behind > 0).then_some(digits)
}

fn without_prefixes(text: &str) -> String {
    let mut digits = digits_of(text);
    while let Some(rest) = without_prefix(&digits) {
        digits = rest.to_owned();
    }
    digits
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

#[cfg(test)]
mod tests;
