use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::PrivacyKey;
use super::customer::{Holds, values};
use super::hash::{hex, is_token, kind_of_token};
use crate::transform::normal_form::{emails, phone_of_id, phones, user_id};
use crate::transform::{Ids, LONGEST_ID};

/// Hashes of different purposes differ.
const PURPOSE: &str = "smartassist-etl erasure";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// Of bot or channel.
    UserId,
    Email,
    Phone,
    /// By both ids.
    Interaction,
    Session,
    Conversation,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    pub kind: IdentifierKind,
    /// HMAC-SHA-256 of the normal form.
    pub hash: [u8; 32],
}

impl Identifier {
    pub(super) fn of(kind: IdentifierKind, normalized: &str, key: &PrivacyKey) -> Self {
        Self {
            kind,
            hash: key.digest(PURPOSE, kind.as_str(), normalized),
        }
    }

    /// By both ids, and by each.
    pub fn of_ids(account_id: &str, ids: &Ids, key: &PrivacyKey) -> Vec<Self> {
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

    pub fn of_rejected(account_id: &str, payload_hash: &[u8], key: &PrivacyKey) -> Self {
        let parts = joined(account_id, &[Some(&hex(payload_hash))]);
        Self::of(IdentifierKind::RejectedRecord, &parts, key)
    }
}

/// Lengths keep different lists different.
fn joined(account_id: &str, parts: &[Option<&str>]) -> String {
    let mut text = format!("{}:{account_id}", account_id.len());
    for part in parts {
        text += &part.map_or(" -".to_owned(), |part| format!(" {}:{part}", part.len()));
    }
    text
}

/// An address in an id counts as both.
pub(super) fn normal_forms(holds: Holds, text: &str) -> BTreeSet<(IdentifierKind, String)> {
    let (ids, phones, emails) = match holds {
        _ if is_token(text) => return BTreeSet::new(),
        Holds::Phone => (None, phones(text), BTreeSet::new()),
        Holds::Email => (None, BTreeSet::new(), emails(text)),
        Holds::Id => (
            user_id(text),
            phone_of_id(text).into_iter().collect(),
            emails(text),
        ),
        Holds::Anything => {
            let id = user_id(text).filter(|id| id.len() <= LONGEST_ID);
            (id, phones(text), emails(text))
        }
    };
    let ids = ids.into_iter().map(|id| (IdentifierKind::UserId, id));
    let phones = phones.into_iter().map(|phone| (IdentifierKind::Phone, phone));
    let emails = emails.into_iter().map(|email| (IdentifierKind::Email, email));
    ids.chain(phones).chain(emails).collect()
}

/// `erase` finds stored records by them: 32 bits of a hash of each form or token. Others may share one.
pub(in super::super) fn hints(record: &Map<String, Value>) -> Vec<i32> {
    let found = values(record);
    let of_found = found.iter().flat_map(|(holds, text)| {
        let forms = normal_forms(*holds, text);
        let of_forms = forms.into_iter().map(|(kind, form)| hint_of_form(kind, &form));
        let tokens = text.split(' ').filter(|token| kind_of_token(token).is_some());
        of_forms.chain(tokens.map(hint))
    });
    let hints: BTreeSet<i32> = of_found.collect();
    hints.into_iter().collect()
}

pub(super) fn hint_of_form(kind: IdentifierKind, form: &str) -> i32 {
    hint(&format!("{}:{form}", kind.as_str()))
}

pub(super) fn hint(text: &str) -> i32 {
    let digest = Sha256::digest(text);
    i32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}
