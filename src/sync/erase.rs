//! Erasing a customer: everything that is stored about them is deleted, in one transaction, and later
//! windows leave them out.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::database::Pool;
use crate::json;
use crate::load::LoadError;
use crate::load::erase::{self, Erased, Place, RecordKey, StoredRecord};
use crate::load::left_out::check_key;
use crate::load::siblings::Contact;
use crate::transform::Ids;
use crate::transform::privacy::{Identifier, Key, Wanted};

/// What an erasure came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasure {
    /// What was deleted.
    pub deleted: Erased,
    /// Interactions that mention the customer, but in a place or a spelling that does not say surely
    /// whose they are: they are not deleted.
    pub mentioned_in: Vec<RecordKey>,
    /// The same of rejected records.
    pub mentioned_in_rejected: Vec<RecordKey>,
}

impl Erasure {
    /// How many records mention the customer and are not deleted.
    pub fn mentions(&self) -> usize {
        self.mentioned_in.len() + self.mentioned_in_rejected.len()
    }
}

/// Erases the customer, of all accounts, or only counts what that would delete.
///
/// # Errors
/// Customers were erased with another key before, which no longer would be recognized; or the
/// database fails. Nothing is deleted then.
pub async fn erase(pool: &Pool, wanted: &Wanted, key: &Key, dry_run: bool) -> Result<Erasure, LoadError> {
    let erasure = pool
        .transact_patiently(async |transaction| {
            erase::begin(transaction).await?;
            check_key(&mut *transaction, Some(key)).await?;
            if dry_run {
                let mut trial = transaction.begin().await?;
                let erasure = erase_found(&mut trial, wanted, key).await?;
                trial.rollback().await?;
                return Ok(erasure);
            }
            erase_found(transaction, wanted, key).await
        })
        .await?;
    if !dry_run && erasure.deleted != Erased::default() {
        super::statistics::renew(pool).await;
    }
    Ok(erasure)
}

async fn erase_found(
    connection: &mut PgConnection,
    wanted: &Wanted,
    key: &Key,
) -> Result<Erasure, LoadError> {
    let rejected = search(connection, Place::RejectedRecords, |record| {
        judge_rejected(record, wanted)
    })
    .await?;
    let sessions = search(connection, Place::Sessions, |record| judge(record, wanted)).await?;
    let contacts = contacts(connection, &sessions, &rejected).await?;
    let mut deleted = Erased::default();
    let mut theirs = Vec::new();
    for (account_id, contact) in &contacts {
        let ids: Vec<&str> = contact.interactions.iter().map(String::as_str).collect();
        deleted += erase::delete_sessions(connection, account_id, &ids).await?;
        theirs.extend(contact.identifiers(account_id, key));
    }
    let ids = rejected_of(connection, &rejected, &contacts).await?;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let texts = erase::delete_rejected(connection, &ids).await?;
    deleted.rejected_records = texts.len() as u64;
    theirs.extend(
        texts
            .iter()
            .map(|(account_id, hash)| Identifier::of_rejected(account_id, hash, key)),
    );
    erase::record(connection, &wanted.identifier, &theirs, key.id(), &deleted).await?;
    let is_left = |found: &&RecordKey| {
        !contacts
            .get(&found.account_id)
            .is_some_and(|contact| contact.interactions.contains(&found.id))
    };
    Ok(Erasure {
        deleted,
        mentioned_in: sessions.mentions.iter().filter(is_left).cloned().collect(),
        mentioned_in_rejected: rejected
            .mentions
            .into_iter()
            .filter(|found| !ids.contains(&found.id.as_str()))
            .collect(),
    })
}

/// Whose a record is.
enum Verdict {
    Theirs,
    /// Not surely theirs.
    Mention,
    Another,
}

/// What was found in one place.
#[derive(Default)]
struct Search {
    theirs: Vec<(RecordKey, Vec<Ids>)>,
    mentions: Vec<RecordKey>,
}

async fn search(
    connection: &mut PgConnection,
    place: Place,
    judge: impl Fn(&StoredRecord) -> (Verdict, Vec<Ids>),
) -> Result<Search, LoadError> {
    let mut search = Search::default();
    let mut records = erase::records(connection, place);
    while let Some(record) = records.try_next().await? {
        let (verdict, ids) = judge(&record);
        let key = RecordKey {
            account_id: record.account_id,
            id: record.id,
        };
        match verdict {
            Verdict::Theirs => search.theirs.push((key, ids)),
            Verdict::Mention => search.mentions.push(key),
            Verdict::Another => {}
        }
    }
    search.mentions.sort();
    Ok(search)
}

fn parsed(record: &StoredRecord) -> Option<Value> {
    json::parse(&record.record).ok()
}

fn judge(record: &StoredRecord, wanted: &Wanted) -> (Verdict, Vec<Ids>) {
    let verdict = match parsed(record) {
        Some(Value::Object(object)) if wanted.is_customer_of(&object) => Verdict::Theirs,
        Some(value) => mention(wanted.is_mentioned_in(&value)),
        // What cannot be taken apart is theirs where it names them at all.
        None if wanted.is_named_in_text(&record.record) => Verdict::Theirs,
        None => mention(wanted.is_mentioned_in_text(&record.record)),
    };
    (verdict, Vec::new())
}

/// A rejected record may be none at all: then it is theirs where it names them.
fn judge_rejected(record: &StoredRecord, wanted: &Wanted) -> (Verdict, Vec<Ids>) {
    match parsed(record) {
        Some(value) if wanted.is_named_in(&value) => (Verdict::Theirs, Ids::all_in(&value)),
        _ => judge(record, wanted),
    }
}

fn mention(is_mentioned: bool) -> Verdict {
    if is_mentioned {
        Verdict::Mention
    } else {
        Verdict::Another
    }
}

/// What of each account is theirs, with what belongs together with it.
async fn contacts(
    connection: &mut PgConnection,
    sessions: &Search,
    rejected: &Search,
) -> Result<BTreeMap<String, Contact>, LoadError> {
    let mut found: BTreeMap<&str, (BTreeSet<String>, BTreeSet<Ids>)> = BTreeMap::new();
    for (key, _) in &sessions.theirs {
        found.entry(&key.account_id).or_default().0.insert(key.id.clone());
    }
    for (key, ids) in &rejected.theirs {
        found
            .entry(&key.account_id)
            .or_default()
            .1
            .extend(ids.iter().cloned());
    }
    let mut contacts = BTreeMap::new();
    for (account_id, (interactions, ids)) in found {
        let contact = Contact::of(connection, account_id, interactions, ids).await?;
        contacts.insert(account_id.to_owned(), contact);
    }
    Ok(contacts)
}

/// The rejected records that are theirs, and those of their interactions.
async fn rejected_of(
    connection: &mut PgConnection,
    rejected: &Search,
    contacts: &BTreeMap<String, Contact>,
) -> Result<BTreeSet<String>, LoadError> {
    let mut ids: BTreeSet<String> = rejected.theirs.iter().map(|(key, _)| key.id.clone()).collect();
    if contacts.is_empty() {
        return Ok(ids);
    }
    let mut records = erase::records(connection, Place::RejectedRecords);
    while let Some(record) = records.try_next().await? {
        let Some(contact) = contacts.get(&record.account_id) else {
            continue;
        };
        let of = parsed(&record)
            .map(|value| Ids::all_in(&value))
            .unwrap_or_default();
        if of.iter().any(|ids| contact.has(ids)) {
            ids.insert(record.id);
        }
    }
    Ok(ids)
}
