//! How a record is spelled: the API writes one meaning in several ways, and a record keeps its way over time.

use std::borrow::Cow;

use crate::dice::{hash, mix};

/// What programs write where they have no id.
const PLACEHOLDERS: [&str; 12] = [
    "undefined",
    "null",
    " NULL ",
    "None",
    "N/A",
    "n.a.",
    "-",
    "  ",
    "0",
    "unknown",
    "[object Object]",
    "00000000-0000-0000-0000-000000000000",
];

/// The choices among the API's spellings of one record, derived from a number: which blank is an empty string, a null
/// or absent; whether `isVoicemail` is text or a boolean; whether `customerinfo` sits in `metaInfo`.
///
/// 0 spells a record as the vendor's sample response does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spelling(pub u64);

/// How a field that has no value is written; the three mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blank {
    Empty,
    Absent,
    Null,
}

impl Spelling {
    /// A number in `0..ways`, the same for the same field of the same record.
    pub(crate) fn pick(self, field: &str, ways: u64) -> u64 {
        if self.0 == 0 {
            0
        } else {
            mix(self.0 ^ hash(field)) % ways.max(1)
        }
    }

    /// A word that stands for no id.
    pub(crate) fn placeholder(self) -> &'static str {
        let picked = self.pick("placeholder", PLACEHOLDERS.len() as u64);
        usize::try_from(picked).map_or("-", |picked| PLACEHOLDERS[picked])
    }

    /// A number that begins with a plus, in one of the ways in which it is written.
    pub(crate) fn phone(self, number: &str) -> Cow<'_, str> {
        let Some(digits) = number.strip_prefix('+') else {
            return number.into();
        };
        let wide = |c: char| char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c);
        let dashed = |dash: &str| {
            format!(
                "+{}",
                digits.chars().map(String::from).collect::<Vec<_>>().join(dash)
            )
        };
        Cow::Owned(match self.pick("phone", 14) {
            0 => return number.into(),
            1 => digits.to_owned(),
            2 => format!("00{digits}"),
            3 => format!("0011 {digits}"),
            4 => format!("SIP:{number}@pbx.example.com"),
            5 => format!("<sip:{number}@10.1.2.3:5060;user=phone>"),
            6 => format!("\"Customer\" <sip:%2B{digits}@sbc.example.com>;tag=4711"),
            7 => format!("whatsapp:{number}"),
            8 => format!("{number} ext. 7"),
            9 => format!("{number},,7"),
            10 => format!("\u{202a}{number}\u{202c}"),
            11 => dashed("\u{2011}"),
            12 => dashed("\u{2009}"),
            _ => number.chars().map(wide).collect(),
        })
    }

    /// An address, in one of the ways in which it is written.
    pub(crate) fn email(self, address: &str) -> Cow<'_, str> {
        if address.is_empty() {
            return address.into();
        }
        Cow::Owned(match self.pick("email", 6) {
            0 => return address.into(),
            1 => address.to_uppercase(),
            2 => format!("MAILTO:{address}"),
            3 => format!("Customer <{address}>"),
            4 => format!("{address}; other-{address}"),
            _ => format!("{address} (home)"),
        })
    }

    pub(crate) fn blank(self, field: &str) -> Blank {
        match self.pick(field, 3) {
            0 => Blank::Empty,
            1 => Blank::Absent,
            _ => Blank::Null,
        }
    }
}
