//! Keyed hashes that identify erased customers.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::normal_form::{emails, phone_of_id, phones, user_id};
use super::super::{Ids, LONGEST_ID};
use super::Key;
use super::customer::{Field, Found, values, values_of_any};
use super::hash::is_token;
use super::old_form;
use super::wanted::unescaped;

/// Kind of an erasure entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// Id in bot or channel.
    UserId,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// Erased interaction, by both ids.
    Interaction,
    /// Erased session.
    Session,
    /// Erased conversation.
    Conversation,
    /// Erased rejected record.
    RejectedRecord,
}

impl IdentifierKind {
    /// Spelling in `smartassist_sync.erasures`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserId => "user_id",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Interaction => "interaction",
            Self::Session => "session",
            Self::Conversation => "conversation",
            Self::RejectedRecord => "rejected_record",
        }
    }
}

/// Entry in the list of erasures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    /// Kind of the identifier.
    pub kind: IdentifierKind,
    /// HMAC-SHA-256 of the normal form.
    pub hash: [u8; 32],
}

impl Identifier {
    pub(super) fn of(kind: IdentifierKind, normalized: &str, key: &Key) -> Self {
        Self {
            kind,
            hash: key.erasure(kind, normalized),
        }
    }

    /// Identifies a record by both ids, and by each.
    pub fn of_ids(account_id: &str, ids: &Ids, key: &Key) -> Vec<Self> {
        let [session, conversation] = [&ids.session_id, &ids.conversation_id].map(Option::as_deref);
        if session.is_none() && conversation.is_none() {
            return Vec::new();
        }
        let of = |kind, parts: &[Option<&str>]| Self::of(kind, &joined(account_id, parts), key);
        let mut identifiers = vec![of(IdentifierKind::Interaction, &[conversation, session])];
        identifiers.extend(session.map(|_| of(IdentifierKind::Session, &[session])));
        identifiers.extend(conversation.map(|_| of(IdentifierKind::Conversation, &[conversation])));
        identifiers
    }

    /// Identifies a rejected record.
    pub fn of_rejected(account_id: &str, payload_hash: &[u8], key: &Key) -> Self {
        let hash: String = payload_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::of(
            IdentifierKind::RejectedRecord,
            &joined(account_id, &[Some(&hash)]),
            key,
        )
    }
}

/// Lengths keep different lists different.
fn joined(account_id: &str, parts: &[Option<&str>]) -> String {
    let mut text = format!("{}:{account_id}", account_id.len());
    for part in parts {
        match part {
            Some(part) => text += &format!(" {}:{part}", part.len()),
            None => text += " -",
        }
    }
    text
}

pub(in super::super) fn identifiers(record: &Map<String, Value>, key: &Key) -> Vec<Identifier> {
    hashed(&values(record), key)
}

pub(in super::super) fn identifiers_in(value: &Value, key: &Key) -> Vec<Identifier> {
    hashed(&values_of_any(value), key)
}

pub(in super::super) fn identifiers_in_text(text: &str, key: &Key) -> Vec<Identifier> {
    let parts = text.split('"').map(|part| (Field::Text, unescaped(part)));
    hashed(&parts.collect::<Vec<_>>(), key)
}

fn hashed(found: &[Found<'_>], key: &Key) -> Vec<Identifier> {
    let mut forms = BTreeSet::new();
    for (field, text) in found {
        if !is_token(text) {
            forms.extend(normal_forms(*field, text));
            forms.extend(old_forms(*field, text));
        }
    }
    let hashed = forms
        .iter()
        .map(|(kind, normalized)| Identifier::of(*kind, normalized, key));
    hashed.collect()
}

/// An address in an id counts as both.
pub(super) fn normal_forms(field: Field, text: &str) -> BTreeSet<(IdentifierKind, String)> {
    use IdentifierKind::{Email, Phone, UserId};
    let of = |kind, found: BTreeSet<String>| found.into_iter().map(move |one| (kind, one));
    let mut forms = BTreeSet::new();
    match field {
        Field::Phone => forms.extend(of(Phone, phones(text))),
        Field::Email => forms.extend(of(Email, emails(text))),
        Field::Id => {
            forms.extend(user_id(text).map(|id| (UserId, id)));
            forms.extend(phone_of_id(text).map(|phone| (Phone, phone)));
            forms.extend(of(Email, emails(text)));
        }
        Field::Text => {
            let id = user_id(text).filter(|id| id.len() <= LONGEST_ID);
            forms.extend(id.map(|id| (UserId, id)));
            forms.extend(of(Phone, phones(text)));
            forms.extend(of(Email, emails(text)));
        }
    }
    forms
}

fn old_forms(field: Field, text: &str) -> BTreeSet<(IdentifierKind, String)> {
    let kinds = match field {
        Field::Id => BTreeSet::from([IdentifierKind::UserId, old_form::kind_of(text)]),
        Field::Email => BTreeSet::from([IdentifierKind::Email]),
        Field::Phone => BTreeSet::from([IdentifierKind::Phone]),
        Field::Text => BTreeSet::new(),
    };
    let form = |kind| Some((kind, old_form::normalize(kind, text)?));
    kinds.into_iter().filter_map(form).collect()
}

pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    is_token(text).then(|| text.split(' ')).into_iter().flatten()
}
