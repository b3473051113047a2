//! Finds the records of a customer to be erased.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::normal_form::{
    emails, folded, mentions_email, mentions_id, mentions_phone, phones, user_id,
};
use super::Key;
use super::customer::{Field, Found, any_text, values, values_of_any};
use super::hash::{self, is_token};
use super::identifier::{Identifier, IdentifierKind, normal_forms, tokens};
use super::old_form;

/// Shorter numbers are extensions.
const SHORTEST_PHONE: usize = 5;

/// Whose a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The wanted customer's.
    Theirs,
    /// No customer named, or perhaps the wanted one.
    Unsaid,
    /// Another customer's.
    Another,
}

/// The wanted customer.
#[derive(Debug)]
pub struct Wanted {
    kind: IdentifierKind,
    normalized: String,
    folded: String,
    tokens: BTreeSet<String>,
    /// Entry for the list of erasures.
    pub identifier: Identifier,
}

impl Wanted {
    /// Parses an identifier.
    ///
    /// # Errors
    /// The value identifies nobody or many.
    pub fn new(kind: IdentifierKind, value: &str, key: &Key) -> Result<Self, &'static str> {
        let normalized = normalized(kind, value)?;
        let mut tokens = BTreeSet::from([key.token(kind.as_str(), &normalized)]);
        if kind == IdentifierKind::UserId {
            tokens.extend(hash::id_tokens(value, key));
        }
        let old_kind = match kind {
            IdentifierKind::UserId => old_form::kind_of(value),
            kind => kind,
        };
        let old = old_form::normalize(old_kind, value);
        tokens.extend(old.map(|old| key.token(old_kind.as_str(), &old)));
        Ok(Self {
            kind,
            folded: folded(&normalized).into_owned(),
            tokens,
            identifier: Identifier::of(kind, &normalized, key),
            normalized,
        })
    }

    /// Whether the customer is the wanted one.
    pub fn is_customer_of(&self, record: &Map<String, Value>) -> bool {
        values(record).iter().any(|found| self.is_in(found))
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

    fn names_somebody(&self, (field, text): &Found<'_>) -> bool {
        let is_enough = |kind: &str| {
            let is = |one: IdentifierKind| one.as_str() == kind;
            is(IdentifierKind::Phone) || is(IdentifierKind::Email) || is(self.kind)
        };
        if is_token(text) {
            let mut kinds = tokens(text).filter_map(hash::kind_of_token);
            return kinds.any(is_enough);
        }
        let is_short =
            |kind: &IdentifierKind, one: &str| *kind == IdentifierKind::Phone && one.len() < SHORTEST_PHONE;
        let forms = normal_forms(*field, text);
        let mut forms = forms.iter().filter(|(kind, one)| !is_short(kind, one));
        forms.any(|(kind, _)| is_enough(kind.as_str()))
    }

    /// Whether any JSON names the customer.
    pub fn is_named_in(&self, value: &Value) -> bool {
        let is_named = |found: &Found<'_>| {
            let is_text = found.0 == Field::Text && self.kind == IdentifierKind::UserId;
            self.is_in(found) || is_text && mentions_id(&found.1, &self.folded)
        };
        values_of_any(value).iter().any(is_named)
    }

    /// Whether unparsable text names the customer.
    pub fn is_named_in_text(&self, text: &str) -> bool {
        let text = unescaped(text);
        let is_named = match self.kind {
            IdentifierKind::Phone => phones(&text).contains(&self.normalized),
            IdentifierKind::Email => emails(&text).contains(&self.normalized),
            _ => mentions_id(&text, &self.folded),
        };
        is_named || self.tokens.iter().any(|token| text.contains(token))
    }

    /// Whether any field may mention the customer.
    pub fn is_mentioned_in(&self, value: &Value) -> bool {
        any_text(value, &mut |text| self.is_mentioned(text))
    }

    /// Whether unparsable text may mention the customer.
    pub fn is_mentioned_in_text(&self, text: &str) -> bool {
        self.is_mentioned(&unescaped(text))
    }

    fn is_mentioned(&self, text: &str) -> bool {
        if is_token(text) {
            return text.split(' ').any(|token| self.tokens.contains(token));
        }
        match self.kind {
            IdentifierKind::Phone => mentions_phone(text, &self.normalized),
            IdentifierKind::Email => mentions_email(text, &self.normalized),
            _ => mentions_id(text, &self.folded),
        }
    }

    fn is_in(&self, found: &Found<'_>) -> bool {
        let (field, text) = found;
        if is_token(text) {
            return tokens(text).any(|token| self.tokens.contains(token));
        }
        let may_be = match self.kind {
            IdentifierKind::UserId => matches!(field, Field::Id | Field::Text),
            IdentifierKind::Email => *field != Field::Phone,
            _ => *field != Field::Email,
        };
        may_be && normal_forms(*field, text).contains(&(self.kind, self.normalized.clone()))
    }
}

fn normalized(kind: IdentifierKind, value: &str) -> Result<String, &'static str> {
    let only = |found: BTreeSet<String>, why_none, why_several| {
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(why_none),
            (Some(_), Some(_)) => Err(why_several),
        }
    };
    match kind {
        IdentifierKind::Phone => only(
            phones(value)
                .into_iter()
                .filter(|phone| phone.len() >= SHORTEST_PHONE)
                .collect(),
            "this is no phone number: it needs at least five digits, which are not all the same, and its country code",
            "these are several phone numbers: run `erase` once for each",
        ),
        IdentifierKind::Email => only(
            emails(value),
            "this is no e-mail address: it needs a name, an @ and a host",
            "these are several e-mail addresses: run `erase` once for each",
        ),
        _ => user_id(value).ok_or(
            "this id stands for nothing, so it identifies nobody, or many: erase by another identifier",
        ),
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
