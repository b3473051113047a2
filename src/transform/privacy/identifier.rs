//! What identifies a customer, as the list of erasures keeps it: by it erased ones are recognized.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::normal_form::{emails, phone_of_id, phones, user_id};
use super::super::{Ids, LONGEST_ID};
use super::Key;
use super::customer::{Field, Found, values, values_of_any};
use super::hash::is_token;
use super::old_form;
use super::wanted::unescaped;

/// What is remembered of who was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// An id of the bot's or of the channel's.
    UserId,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// An interaction that was theirs, by both of its ids.
    Interaction,
    /// A session that was theirs.
    Session,
    /// A conversation that was theirs.
    Conversation,
    /// A rejected record that was theirs, by its text.
    RejectedRecord,
}

impl IdentifierKind {
    /// As the column `kind` of `smartassist_sync.erasures` spells it.
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

/// An identifier as the list of erasures keeps it: its kind and a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    /// What it is.
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

    /// What a record is recognized by once it was erased, also when nothing in it identifies its
    /// customer any longer: both of its ids together, and each.
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

    /// What a rejected record is recognized by once it was erased.
    pub fn of_rejected(account_id: &str, payload_hash: &[u8], key: &Key) -> Self {
        let hash: String = payload_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::of(
            IdentifierKind::RejectedRecord,
            &joined(account_id, &[Some(&hash)]),
            key,
        )
    }
}

/// Ids of one account, each with its length: no two lists are the same text.
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

/// What identifies the customer of a record; sorted and distinct.
pub(in super::super) fn identifiers(record: &Map<String, Value>, key: &Key) -> Vec<Identifier> {
    hashed(&values(record), key)
}

/// The same of what is no record, but perhaps a list of some.
pub(in super::super) fn identifiers_in(value: &Value, key: &Key) -> Vec<Identifier> {
    hashed(&values_of_any(value), key)
}

/// The same of a text that cannot be taken apart: of every text between quotation marks in it, and of what is between those.
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

/// The identifiers in a text, each with its kind: an id that is an address is an id all the same.
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

/// The same by the first version of the normal forms.
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

/// The identifiers that are hashes in place of values: rules had been applied before.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    is_token(text).then(|| text.split(' ')).into_iter().flatten()
}
