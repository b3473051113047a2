//! What identifies a customer: by it erased ones are recognized.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

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

/// A customer who is looked for, by one identifier.
#[derive(Debug)]
pub struct Wanted {
    kind: IdentifierKind,
    normalized: String,
    /// What the identifier is where it was hashed before it was stored.
    token: String,
    /// As the books of erasures keep it.
    pub identifier: Identifier,
}

impl Wanted {
    /// Whom this value identifies; `None` where it could identify many, or nobody: an e-mail address
    /// without `@`, a phone number of fewer than five digits, an empty id.
    pub fn new(kind: IdentifierKind, value: &str, key: &Key) -> Option<Self> {
        let normalized = normalize(kind, value)?;
        let is_usable = match kind {
            IdentifierKind::UserId => true,
            IdentifierKind::Email => normalized
                .split_once('@')
                .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()),
            IdentifierKind::Phone => normalized.len() >= SHORTEST_PHONE,
        };
        is_usable.then(|| Self {
            kind,
            token: key.token(kind.as_str(), &normalized),
            identifier: Identifier {
                kind,
                hash: key.erasure(kind, &normalized),
            },
            normalized,
        })
    }

    /// Whether the customer of a stored record is the one who is looked for, also where its values
    /// were hashed.
    pub fn is_customer_of(&self, record: &Map<String, Value>) -> bool {
        let is_wanted = |kind, value: &str| {
            value == self.token
                || kind == self.kind && normalize(kind, value).as_ref() == Some(&self.normalized)
        };
        identifying_values(record).into_iter().any(|(field, value)| {
            field
                .kinds(&value)
                .into_iter()
                .any(|kind| is_wanted(kind, &value))
        })
    }

    /// Whether a text that cannot be taken apart speaks of them, as it stands or once JSON's escapes in it are
    /// undone.
    pub fn is_named_in(&self, text: &str) -> bool {
        let is_named_in = |text: &str| {
            let text = match self.kind {
                IdentifierKind::UserId => text.to_owned(),
                IdentifierKind::Email => text.to_lowercase(),
                IdentifierKind::Phone => text.chars().filter(char::is_ascii_digit).collect(),
            };
            text.contains(&self.normalized) || text.contains(&self.token)
        };
        is_named_in(text) || is_named_in(&unescaped(text))
    }

    /// What every stored text about them holds, unless it holds escapes: one of a fragment of the identifier, in
    /// whatever case its letters are (of a phone number: once all but digits is taken from the text), and its
    /// hashed form. The fragment is the longest that is plain ASCII, and empty where there is none.
    pub fn traces(&self) -> (&str, &str) {
        let is_plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !r#""\"#.contains(c);
        let fragments = self.normalized.split(|c| !is_plain(c));
        (
            fragments
                .max_by_key(|fragment| fragment.len())
                .unwrap_or_default(),
            &self.token,
        )
    }

    /// What it is.
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }
}

/// A text without JSON's escapes. What is none stays as it is.
fn unescaped(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.extend(before.encode_utf16());
        let code = escape.strip_prefix('u').and_then(|hex| hex.get(..4));
        match code.and_then(|hex| u16::from_str_radix(hex, 16).ok()) {
            Some(unit) => {
                plain.push(unit);
                rest = &escape[5..];
            }
            // The others stand for white space, or for themselves.
            None => rest = escape,
        }
    }
    plain.extend(rest.encode_utf16());
    String::from_utf16_lossy(&plain)
}

/// A shorter number is an extension, of which every centre has the same.
const SHORTEST_PHONE: usize = 5;

/// What a field that identifies a customer holds.
#[derive(Debug, Clone, Copy)]
enum Field {
    /// An id, which may be an address or a number.
    Id,
    Email,
    Phone,
}

impl Field {
    /// What a value of it may be asked for as: an id that is an address is an id all the same.
    fn kinds(self, value: &str) -> BTreeSet<IdentifierKind> {
        match self {
            Self::Id => BTreeSet::from([IdentifierKind::UserId, kind_of(value)]),
            Self::Email => BTreeSet::from([IdentifierKind::Email]),
            Self::Phone => BTreeSet::from([IdentifierKind::Phone]),
        }
    }
}

/// What identifies the customer of a record, sorted and distinct.
pub(in super::super) fn identifiers(record: &Map<String, Value>, key: &Key) -> Vec<Identifier> {
    let mut identifiers = BTreeSet::new();
    for (field, value) in identifying_values(record) {
        let kinds = field.kinds(&value).into_iter();
        identifiers.extend(kinds.filter_map(|kind| Identifier::of(kind, &value, key)));
    }
    identifiers.into_iter().collect()
}

/// The values of the fields that identify a customer. The centre's own number never does: of the
/// two ends of a call, the customer's is the one that the direction says.
fn identifying_values(record: &Map<String, Value>) -> Vec<(Field, String)> {
    let meta = objects(record, "metaInfo");
    let mut customers = objects(record, "customerinfo");
    customers.extend(meta.iter().flat_map(|meta| objects(meta, "customerinfo")));
    let is_outbound = std::iter::once(&record)
        .chain(&customers)
        .flat_map(|object| values(object, "Direction"))
        .any(|direction| direction.eq_ignore_ascii_case("outbound"));
    let mut found = Vec::new();
    let mut add = |field, object: &Map<String, Value>, name| {
        found.extend(values(object, name).into_iter().map(|value| (field, value)));
    };
    for name in ["userId", "channelSpecificUserId"] {
        add(Field::Id, record, name);
    }
    for customer in customers {
        add(Field::Phone, customer, "CustomerPhone");
        add(Field::Email, customer, "CustomerEmail");
    }
    let ends: &[&str] = if is_outbound {
        &["callee", "dialedNumber"]
    } else {
        &["caller"]
    };
    for meta in meta {
        for name in ["userId", "_id"] {
            add(Field::Id, meta, name);
        }
        for name in ["email", "emailId"] {
            add(Field::Email, meta, name);
        }
        for name in ["endUserNumber", "phoneNumber"].iter().chain(ends) {
            add(Field::Phone, meta, name);
        }
        for identity in objects(meta, "identities") {
            add(Field::Id, identity, "val");
        }
    }
    found
}

/// The objects under a name, without regard to case: itself or those of a list.
fn objects<'a>(object: &'a Map<String, Value>, name: &str) -> Vec<&'a Map<String, Value>> {
    each(object, name).filter_map(Value::as_object).collect()
}

/// The texts under a name, without regard to case: itself or those of a list. Numbers are texts.
fn values(object: &Map<String, Value>, name: &str) -> Vec<String> {
    each(object, name)
        .filter_map(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect()
}

fn each<'a>(object: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    let named = object
        .iter()
        .filter(move |(key, _)| key.eq_ignore_ascii_case(name));
    let items: Vec<&Value> = named
        .flat_map(|(_, value)| match value {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        })
        .collect();
    items.into_iter()
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
