use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::PrivacyKey;
use super::customer::{CustomerMatch, Holds, any_text, values, values_of_any};
use super::hash::{self, Hashing, is_token};
use super::identifier::{Identifier, IdentifierKind, hint, hint_of_form, normal_forms};
use crate::json;
use crate::transform::normal_form::{
    emails, folded, mentions_email, mentions_id, mentions_phone, phones, user_id,
};

/// Shorter numbers are extensions.
const SHORTEST_PHONE: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Theirs,
    /// It names no customer, or perhaps the wanted one.
    Unsaid,
    Another,
}

#[derive(Debug)]
pub struct Wanted {
    kind: IdentifierKind,
    normalized: String,
    folded: String,
    tokens: BTreeSet<String>,
    pub identifier: Identifier,
}

impl Wanted {
    /// Parses an identifier.
    ///
    /// # Errors
    /// The value identifies nobody or many.
    pub fn new(kind: IdentifierKind, value: &str, key: &PrivacyKey) -> Result<Self, &'static str> {
        let normalized = normalized(kind, value)?;
        let mut tokens = BTreeSet::from([hash::token(key, kind.as_str(), &normalized)]);
        if kind == IdentifierKind::UserId {
            tokens.extend(Hashing::UserId.tokens(value, key));
        }
        Ok(Self {
            kind,
            folded: folded(&normalized).into_owned(),
            tokens,
            identifier: Identifier::of(kind, &normalized, key),
            normalized,
        })
    }

    /// Each stored record of the customer has one of them.
    pub fn hints(&self) -> Vec<i32> {
        let of_tokens = self.tokens.iter().map(|token| hint(token));
        of_tokens
            .chain([hint_of_form(self.kind, &self.normalized)])
            .collect()
    }

    /// Customers have several user ids: one alone decides only a search by user id.
    pub fn whose(&self, record: &Map<String, Value>) -> Whose {
        let found = values(record);
        if found.iter().any(|found| self.is_in(found)) {
            return Whose::Theirs;
        }
        let names = found.iter().filter(|found| self.names_somebody(found));
        let mut is_mention = names.map(|(_, text)| self.is_mentioned(text)).peekable();
        if is_mention.peek().is_none() || is_mention.any(|is_mention| is_mention) {
            Whose::Unsaid
        } else {
            Whose::Another
        }
    }

    fn names_somebody(&self, (holds, text): &CustomerMatch<'_>) -> bool {
        let kinds = [IdentifierKind::Phone, IdentifierKind::Email, self.kind];
        if is_token(text) {
            let mut of_tokens = text.split(' ').filter_map(hash::kind_of_token);
            return of_tokens.any(|token| kinds.iter().any(|kind| kind.as_str() == token));
        }
        let is_short = |form: &str| form.len() < SHORTEST_PHONE;
        normal_forms(*holds, text)
            .iter()
            .any(|(kind, form)| kinds.contains(kind) && !(*kind == IdentifierKind::Phone && is_short(form)))
    }

    /// True if it is the customer's record, or no record but names the customer.
    pub fn is_named_in(&self, value: &Value) -> bool {
        let is_named = |found: &CustomerMatch<'_>| {
            let (holds, text) = found;
            let is_text = *holds == Holds::Anything && self.kind == IdentifierKind::UserId;
            self.is_in(found) || is_text && mentions_id(text, &self.folded)
        };
        values_of_any(value).iter().any(is_named)
    }

    /// In any field.
    pub fn is_mentioned_in(&self, value: &Value) -> bool {
        any_text(value, &mut |text| self.is_mentioned(text))
    }

    fn is_mentioned(&self, text: &str) -> bool {
        match self.kind {
            _ if is_token(text) => self.has_token_in(text),
            IdentifierKind::Phone => mentions_phone(text, &self.normalized),
            IdentifierKind::Email => mentions_email(text, &self.normalized),
            _ => mentions_id(text, &self.folded),
        }
    }

    fn has_token_in(&self, text: &str) -> bool {
        self.tokens.iter().any(|token| text.contains(token))
    }

    fn is_in(&self, (holds, text): &CustomerMatch<'_>) -> bool {
        let may_be = match self.kind {
            IdentifierKind::UserId => matches!(holds, Holds::Id | Holds::Anything),
            IdentifierKind::Email => *holds != Holds::Phone,
            _ => *holds != Holds::Email,
        };
        let is_of_form = || normal_forms(*holds, text).contains(&(self.kind, self.normalized.clone()));
        self.has_token_in(text) || may_be && is_of_form()
    }
}

/// Text that is no JSON becomes a string.
pub fn value_of(text: &str) -> Value {
    json::parse(text).unwrap_or_else(|_| Value::String(unescaped(text).into_owned()))
}

fn normalized(kind: IdentifierKind, value: &str) -> Result<String, &'static str> {
    let (found, why_none, why_several) = match kind {
        IdentifierKind::Phone => (
            phones(value)
                .into_iter()
                .filter(|phone| phone.len() >= SHORTEST_PHONE)
                .collect(),
            "this is no phone number: it needs at least five digits, which are not all the same, and its country code",
            "these are several phone numbers: run `erase` once for each",
        ),
        IdentifierKind::Email => (
            Vec::from_iter(emails(value)),
            "this is no e-mail address: it needs a name, an @ and a host",
            "these are several e-mail addresses: run `erase` once for each",
        ),
        _ => (
            Vec::from_iter(user_id(value)),
            "this id stands for nothing, so it identifies nobody, or many: erase by another identifier",
            "these are several ids: run `erase` once for each",
        ),
    };
    match <[String; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(found) if found.is_empty() => Err(why_none),
        Err(_) => Err(why_several),
    }
}

pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
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
            // Line ends and tabs separate words.
            None if escape.starts_with(['n', 'r', 't', 'b', 'f']) => {
                plain.push(u16::from(b' '));
                rest = &escape[1..];
            }
            None => match escape.chars().next() {
                Some(itself) => {
                    plain.extend(itself.encode_utf16(&mut [0; 2]).iter());
                    rest = &escape[itself.len_utf8()..];
                }
                None => rest = escape,
            },
        }
    }
    plain.extend(rest.encode_utf16());
    Cow::Owned(String::from_utf16_lossy(&plain))
}
