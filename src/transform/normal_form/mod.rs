mod email;
mod phone;

use std::borrow::Cow;

use serde_json::Number;
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

pub use email::{emails, mentions_email};
pub use phone::{mentions_phone, phone_of_id, phones};

/// Stored with erasures, which hash the normal form. Raise it when a form changes, and keep comparing the old
/// one.
pub const VERSION: i16 = 1;

/// Placeholders without signs: `N/A` is `na`.
const NOTHING: &str = "anonymous blank empty false infinity invalid missing na nan nil nodata none notapplicable \
     notavailable notdefined notfound notprovided notset nothing novalue null objectobject true unassigned \
     unavailable undef undefined undetermined unknown unset unspecified void";

/// Shorter ids occur in too many texts.
const SHORTEST_MENTION: usize = 4;

const LONGEST_EXPONENT: usize = 600;

/// Trimmed; `None` for placeholders.
pub fn id(text: &str) -> Option<&str> {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    (!stands_for_nothing(trimmed)).then_some(trimmed)
}

/// As [`id`], with letters composed.
pub fn user_id(text: &str) -> Option<String> {
    let composed: Cow<'_, str> = if text.is_ascii() {
        text.into()
    } else {
        text.nfc().collect::<String>().into()
    };
    id(&composed).map(str::to_owned)
}

/// Plain decimal digits: 1e0 is 1.
pub fn number_text(number: &Number) -> String {
    let text = number.to_string();
    let Some(plain) = plain_number(&text) else {
        return text;
    };
    match plain.split_once('.') {
        Some(_) => plain.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => plain,
    }
}

/// As PostgreSQL prints a `numeric`: without an exponent, with the zeros at its end. `None` beyond any use.
pub fn plain_number(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: isize = exponent.parse().ok()?;
    if exponent.unsigned_abs() > LONGEST_EXPONENT {
        return None;
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, whole) = match whole.strip_prefix('-') {
        Some(whole) if mantissa.contains(|c| matches!(c, '1'..='9')) => ("-", whole),
        Some(whole) => ("", whole),
        None => ("", whole),
    };
    let zeros = "0".repeat(exponent.unsigned_abs());
    let digits = format!("{zeros}{whole}{fraction}{zeros}");
    let point = (zeros.len() + whole.len()).checked_add_signed(exponent)?;
    let end = point.max(digits.len() - zeros.len());
    let (whole, fraction) = (digits[..point].trim_start_matches('0'), &digits[point..end]);
    let whole = if whole.is_empty() { "0" } else { whole };
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{dot}{fraction}"))
}

fn stands_for_nothing(text: &str) -> bool {
    if text == "-1" {
        return true;
    }
    if text.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        return false;
    }
    let text = plain(text).to_lowercase();
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let consists_of = |of: char, least: usize| letters.len() >= least && letters.chars().all(|c| c == of);
    let is_nothing = |word: &str| NOTHING.split(' ').any(|nothing| nothing == word);
    let mut words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    // Signs or zeros alone, masked ids, the all-`f` id.
    letters.chars().all(|c| matches!(c, '0' | 'x')) && (letters.contains('0') || letters.len() != 1)
        || consists_of('f', 24)
        || text == "-1"
        || text == r"\n"
        || text.starts_with("[object ")
        || is_nothing(&letters)
        || words.all(is_nothing)
        || letters.replace("undefined", "").replace("null", "").is_empty()
}

pub fn folded(text: &str) -> Cow<'_, str> {
    let plain = plain(text);
    let is_folded = plain
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_folded {
        plain
    } else {
        plain.to_lowercase().into()
    }
}

/// `wanted` is [`folded`]; it must stand as a word.
pub fn mentions_id(text: &str, wanted: &str) -> bool {
    if wanted.len() < SHORTEST_MENTION {
        return false;
    }
    let text = folded(text);
    let mut from = 0;
    while let Some(at) = text[from..].find(wanted).map(|at| from + at) {
        let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let end = at + wanted.len();
        if !is_part(text[..at].chars().next_back()) && !is_part(text[end..].chars().next()) {
            return true;
        }
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
    }
    false
}

/// NFKC with ASCII digits, plain spaces, dashes and quotation marks; without invisible characters.
fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return Cow::Borrowed(text);
    }
    let mapped: String = text.nfkc().filter_map(mapped).collect();
    // Removing a joiner may free an accent.
    Cow::Owned(mapped.nfkc().collect())
}

/// Also undoes repeated percent-encoding.
fn decoded(text: &str) -> Cow<'_, str> {
    let mut text = plain(text);
    while let Some(decoded) = percent_decoded(&text) {
        text = Cow::Owned(plain(&decoded).into_owned());
    }
    text
}

fn percent_decoded(text: &str) -> Option<String> {
    memchr::memchr(b'%', text.as_bytes())?;
    let mut decoded: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        decoded.push(byte);
        while let Some(byte) = encoded_at_end(&decoded) {
            decoded.truncate(decoded.len() - 3);
            decoded.push(byte);
        }
    }
    (decoded.len() < text.len()).then(|| String::from_utf8_lossy(&decoded).into_owned())
}

fn encoded_at_end(bytes: &[u8]) -> Option<u8> {
    let [.., b'%', high, low] = bytes else { return None };
    let digit = |hex: &u8| char::from(*hex).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn mapped(c: char) -> Option<char> {
    match c {
        ' '..='~' => Some(c),
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '‘' | '’' | '‚' | '‛' => Some('\''),
        '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›' => Some('"'),
        '⟨' | '〈' => Some('<'),
        '⟩' | '〉' => Some('>'),
        '、' => Some(','),
        '−' | '˗' | '⁃' => Some('-'),
        '∕' | '⁄' => Some('/'),
        '➕' => Some('+'),
        _ if c.is_whitespace() => Some(' '),
        _ if is_invisible(c) => None,
        _ => match c.general_category() {
            GeneralCategory::DashPunctuation => Some('-'),
            GeneralCategory::DecimalNumber => Some(ascii_digit(c)),
            _ => Some(c),
        },
    }
}

fn is_invisible(c: char) -> bool {
    match c {
        ' '..='~' => false,
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{20e3}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{e0100}'..='\u{e01ef}' => true,
        _ => {
            matches!(
                c.general_category(),
                GeneralCategory::Format | GeneralCategory::Control
            ) && !c.is_whitespace()
        }
    }
}

/// Unicode keeps the ten digits of a script together.
fn ascii_digit(digit: char) -> char {
    let before = |steps: u32| char::from_u32(digit as u32 - steps);
    let is_digit = |c: char| c.general_category() == GeneralCategory::DecimalNumber;
    let value = (1..10)
        .take_while(|steps| before(*steps).is_some_and(is_digit))
        .count();
    char::from_digit(u32::try_from(value).unwrap_or(0), 10).unwrap_or(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS_FOR_NOTHING: &str = "undefined|Undefined| NULL |\u{a0}nil\u{3000}|none|None|N/A|n.a.|#N/A|NaN|-|--|—|_|...|?|| |\
        \u{200b}|\u{feff}|0|00|0.0|-0|0x0|-1|０|٠|{}|[]|\"\"|''|\"undefined\"|'null'|<nil>|(null)|[null]|[object Object]|\
        [object Undefined]|unknown|UNKNOWN|Not Available|not set|undefined-undefined|null_null|undefinednull|\
        00000000-0000-0000-0000-000000000000|000000000000000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff|\
        FFFFFFFFFFFFFFFFFFFFFFFF|xxxxxxxx-xxxx|****|\\N|ＵＮＤＥＦＩＮＥＤ|un\u{200b}defined|\u{fffd}\u{fffd}|“null”|true|False";

    #[test]
    fn words_that_stand_for_nothing_are_no_ids() {
        for word in WORDS_FOR_NOTHING.split('|') {
            assert_eq!(id(word), None, "{word:?}");
        }
    }

    #[test]
    fn ids_stay_as_they_are_but_for_the_blanks_around_them() {
        for same in [
            "s",
            "x",
            "c-1",
            "1",
            "-2",
            "Null-1",
            "undefined-1",
            "nina",
            "Nullmeier",
            "c-none",
            "s-undefined",
            "68db745779cb8cebd651abcd",
            "u-4245d01e-6124-587a-85b2-939fe3cf0000",
            "100",
            "1e0",
            "东京",
            "a b",
            "fff",
        ] {
            assert_eq!(id(same), Some(same), "{same:?}");
            assert_eq!(id(&format!("\u{feff}\t{same}\u{a0}\n")), Some(same), "{same:?}");
        }
    }

    #[test]
    fn a_number_is_its_digits() {
        for (number, digits) in [
            ("1", "1"),
            ("1.0", "1"),
            ("1e0", "1"),
            ("10e-1", "1"),
            ("1.5550100000e10", "15550100000"),
            ("15550100000.0", "15550100000"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("1.50", "1.5"),
            ("5e-3", "0.005"),
            ("-12.0e1", "-120"),
            ("18446744073709551616", "18446744073709551616"),
            ("1e9999", "1e+9999"),
        ] {
            let parsed: Number = serde_json::from_str(number).unwrap();
            assert_eq!(number_text(&parsed), digits, "{number}");
        }
    }

    #[test]
    fn an_id_is_mentioned_as_a_word_of_its_own() {
        assert!(mentions_id("please call U-77, she said", "u-77"));
        assert!(mentions_id("(u-77)", "u-77"));
        assert!(!mentions_id("u-777 and xu-77", "u-77"));
        assert!(!mentions_id("12", "12"));
    }

    #[test]
    fn digits_of_every_script_are_ascii_digits() {
        for zero in ['٠', '۰', '०', '০', '๐', '０', '𝟎', '𝟘', '𝟶', '᱀', '\u{1e950}'] {
            for value in 0..10 {
                let digit = char::from_u32(zero as u32 + value).unwrap();
                let expected = char::from_digit(value, 10).unwrap().to_string();
                assert_eq!(plain(&digit.to_string()), expected, "{digit}");
            }
        }
    }

    #[test]
    fn dashes_blanks_and_quotation_marks_are_one_each() {
        assert_eq!(plain("a\u{2011}b\u{2013}c\u{2212}d\u{fe63}e－f"), "a-b-c-d-e-f");
        assert_eq!(plain("a\u{a0}b\u{2009}c\u{202f}d\u{3000}e\tf"), "a b c d e f");
        assert_eq!(plain("“a” ‘b’"), "\"a\" 'b'");
    }

    #[test]
    fn what_shows_nothing_is_gone_also_within_a_letter() {
        assert_eq!(plain("\u{202a}+1\u{200b}5\u{202c}\u{feff}"), "+15");
        assert_eq!(plain("e\u{200d}\u{301}"), "é");
        assert_eq!(plain("1\u{fe0f}\u{20e3}"), "1");
    }
}
