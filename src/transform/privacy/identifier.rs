//! What identifies a customer: by it erased ones are recognized.

use super::key::Key;

/// What a customer is identified by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// An id of the bot's or of the channel's.
    UserId,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
}

impl IdentifierKind {
    /// As the column `kind` of `smartassist_sync.erasures` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserId => "user_id",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

/// An identifier as the books of erasures keep it: its kind and a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    /// What it is.
    pub kind: IdentifierKind,
    /// HMAC-SHA-256 of the normalized value.
    pub hash: [u8; 32],
}

impl Identifier {
    /// The identifier that `value` is, normalized as values of records are; `None` where it holds
    /// nothing that could identify anybody.
    pub fn of(kind: IdentifierKind, value: &str, key: &Key) -> Option<Self> {
        let normalized = normalize(kind, value)?;
        Some(Self {
            kind,
            hash: key.erasure(kind, &normalized),
        })
    }
}

/// A value in the one spelling that is hashed. Phones: their digits, without a leading `00`, so
/// that `+49 (30) 1234-5` and `0049301 2345` are one; e-mail addresses and ids: without white
/// space around, addresses in lower case.
pub(super) fn normalize(kind: IdentifierKind, value: &str) -> Option<String> {
    let value = value.trim();
    let normalized = match kind {
        IdentifierKind::UserId => value.to_owned(),
        IdentifierKind::Email => value.strip_prefix("mailto:").unwrap_or(value).to_lowercase(),
        IdentifierKind::Phone => phone(value)?,
    };
    (!normalized.is_empty()).then_some(normalized)
}

/// The digits of a phone number, of which there must be some; `None` where the text holds anything
/// that no phone number does.
fn phone(value: &str) -> Option<String> {
    let value = ["tel:", "sip:", "sips:"]
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme))
        .unwrap_or(value);
    let number = value.split(['@', ';']).next()?.trim();
    let is_part = |c: char| c.is_ascii_digit() || "+-()./ \u{a0}".contains(c);
    if !number.chars().all(is_part) {
        return None;
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    (!digits.is_empty()).then(|| digits.to_owned())
}

/// What an id looks like: an e-mail address, a phone number, or just an id.
pub(super) fn kind_of(id: &str) -> IdentifierKind {
    let is_phone = || phone(id).is_some_and(|digits| (7..=15).contains(&digits.len()));
    match id.trim().split_once('@') {
        Some((name, host)) if !name.is_empty() && host.contains('.') && !host.contains(['@', '/', ' ']) => {
            IdentifierKind::Email
        }
        _ if is_phone() => IdentifierKind::Phone,
        _ => IdentifierKind::UserId,
    }
}
