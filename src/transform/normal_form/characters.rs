use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// NFKC with ASCII digits, plain spaces, dashes and quotation marks; without invisible characters.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return Cow::Borrowed(text);
    }
    let mapped: String = text.nfkc().filter_map(mapped).collect();
    // Removing a joiner may free an accent.
    Cow::Owned(mapped.nfkc().collect())
}

/// Also undoes repeated percent-encoding.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
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

pub(super) fn is_invisible(c: char) -> bool {
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
