use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::customer::{CustomerMatch, Holds, any_text, values, values_of_any};
use super::{Hashing, Policy, PrivacyKey, hex, is_token, kind_of_token, token};
use crate::json;
use crate::transform::normal_form::{
    emails, folded, mentions_email, mentions_id, mentions_phone, phone_of_id, phones, user_id,
};
use crate::transform::{Ids, LONGEST_ID};

/// Of agent assist records, which are no contacts.
const SHADOW_CHANNELS: [&str; 2] = ["agentassist", "AgentAssistV2"];

/// Hashes of different purposes differ.
const PURPOSE: &str = "smartassist-etl erasure";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentifierKind {
    /// Of bot or channel.
    UserId,
    Email,
    Phone,
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

impl Policy {
    /// Empty without a key.
    pub(in super::super) fn identifiers<'a>(
        &self,
        found: impl FnOnce() -> Vec<CustomerMatch<'a>>,
    ) -> Vec<Identifier> {
        let Some(key) = &self.key else { return Vec::new() };
        let found = found();
        let forms = found.iter().flat_map(|(holds, text)| normal_forms(*holds, text));
        let forms: BTreeSet<(IdentifierKind, String)> = forms.collect();
        let identifiers = forms.iter().map(|(kind, form)| Identifier::of(*kind, form, key));
        identifiers.collect()
    }
}

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
    /// Refuses what identifies nobody or many.
    pub fn new(kind: IdentifierKind, value: &str, key: &PrivacyKey) -> Result<Self, &'static str> {
        let normalized = normalized(kind, value)?;
        let mut tokens = BTreeSet::from([token(key, kind.as_str(), &normalized)]);
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
            let mut of_tokens = text.split(' ').filter_map(kind_of_token);
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
        any_text(value, &|text| self.is_mentioned(text))
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

/// Text that is no JSON becomes a string.
pub fn value_of(text: &str) -> Value {
    json::parse(text).unwrap_or_else(|| text.into())
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
fn normal_forms(holds: Holds, text: &str) -> BTreeSet<(IdentifierKind, String)> {
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

fn hint_of_form(kind: IdentifierKind, form: &str) -> i32 {
    hint(&format!("{}:{form}", kind.as_str()))
}

fn hint(text: &str) -> i32 {
    let digest = Sha256::digest(text);
    i32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

pub(in crate::transform) fn is_shadow_channel(channel: &str) -> bool {
    SHADOW_CHANNELS
        .iter()
        .any(|name| name.eq_ignore_ascii_case(channel))
}

/// From `<account>/agentassist/<conversation>`.
pub(in crate::transform) fn shadowed_conversation(user_id: &str) -> Option<&str> {
    let [account, channel, conversation] = user_id.trim().split('/').collect::<Vec<_>>().try_into().ok()?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_id = |id: &str| (1..=64).contains(&id.len()) && id.bytes().all(is_part);
    let is_shadow =
        is_shadow_channel(channel) && is_id(account) && is_id(conversation) && conversation.starts_with("c-");
    is_shadow.then_some(conversation)
}
