//! Erases a customer in one transaction; later windows leave the customer out.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::PgConnection;

use crate::ledger::LoadError;
use crate::postgres::Pool;
use crate::transform::privacy::{Identifier, PrivacyKey, Wanted, Whose, value_of};
use crate::transform::{Ids, records_in};
use crate::warehouse::erase::{self, Erased, RecordKey, StoredRecord};
use crate::warehouse::interactions::delete_interactions;
use crate::warehouse::left_out::check_key;
use crate::warehouse::siblings::{Contact, Surroundings};

const PORTION: usize = 500;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasure {
    pub deleted: Erased,
    theirs: BTreeSet<RecordKey>,
    /// Kept, because doubtful: an ambiguous mention or a shared id.
    pub mentioned_in: BTreeSet<RecordKey>,
    pub mentioned_in_rejected: Vec<RecordKey>,
}

impl Erasure {
    pub fn mentions(&self) -> usize {
        self.mentioned_in.len() + self.mentioned_in_rejected.len()
    }
}

/// In all accounts; a dry run only counts.
///
/// # Errors
/// An earlier erasure used another key, or the database fails. Nothing is deleted.
pub async fn erase(
    pool: &Pool,
    wanted: &Wanted,
    key: &PrivacyKey,
    dry_run: bool,
) -> Result<Erasure, LoadError> {
    pool.transact_without_timeout(async |transaction| {
        if !dry_run {
            erase::begin(transaction).await?;
        }
        check_key(&mut *transaction, Some(key)).await?;
        erase_found(transaction, (wanted, key), dry_run).await
    })
    .await
}

/// Adds interactions of others that mention the customer in any field. Reads everything.
pub async fn find_mentions(pool: &Pool, wanted: &Wanted, erasure: &mut Erasure) -> Result<(), LoadError> {
    let find = async |transaction: &mut PgConnection| mentions(transaction, wanted).await;
    let found = pool.transact_without_timeout(find).await?;
    erasure
        .mentioned_in
        .extend(found.difference(&erasure.theirs).cloned());
    Ok(())
}

async fn erase_found(
    connection: &mut PgConnection,
    (wanted, key): (&Wanted, &PrivacyKey),
    dry_run: bool,
) -> Result<Erasure, LoadError> {
    let scan = Scan::of(connection, wanted).await?;
    let contacts = contacts(connection, &scan, wanted).await?;
    let mut deleted = Erased::default();
    let mut identifiers = Vec::new();
    for (account_id, contact) in &contacts {
        deleted.sessions += contact.interactions.len() as u64;
        if !dry_run {
            let keys = contact.interactions.iter().filter_map(|key| key.parse().ok());
            delete_interactions(connection, account_id, &Vec::from_iter(keys)).await?;
        }
        identifiers.extend(contact.identifiers(account_id, key));
    }
    let (rejected, mentioned_in_rejected) = rejected(&scan, &contacts);
    deleted.rejected_records = rejected.len() as u64;
    if !dry_run {
        let texts = erase::delete_rejected(connection, &rejected).await?;
        identifiers.extend(
            texts
                .iter()
                .map(|(account_id, hash)| Identifier::of_rejected(account_id, hash, key)),
        );
        erase::record(connection, &wanted.identifier, &identifiers, key.id(), &deleted).await?;
    }
    let theirs = keys(&contacts, |contact| &contact.interactions);
    let doubtful = keys(&contacts, |contact| &contact.doubtful);
    Ok(Erasure {
        deleted,
        mentioned_in: doubtful.difference(&theirs).cloned().collect(),
        theirs,
        mentioned_in_rejected,
    })
}

async fn contacts<'s>(
    connection: &mut PgConnection,
    scan: &'s Scan,
    wanted: &Wanted,
) -> Result<BTreeMap<&'s str, Contact>, LoadError> {
    let mut contacts = BTreeMap::new();
    for (account_id, theirs) in &scan.theirs {
        let surroundings = Surroundings {
            rejected: &scan.rejected_of(account_id),
            is_of_another: &|record| is_of_another(record, wanted),
        };
        let contact = Contact::of(connection, account_id, theirs.clone(), &surroundings).await?;
        contacts.insert(account_id.as_str(), contact);
    }
    Ok(contacts)
}

fn keys(
    contacts: &BTreeMap<&str, Contact>,
    of: impl Fn(&Contact) -> &BTreeSet<String>,
) -> BTreeSet<RecordKey> {
    let keys = contacts.iter().flat_map(|(account_id, contact)| {
        of(contact).iter().map(|id| RecordKey {
            account_id: (*account_id).to_owned(),
            id: id.clone(),
        })
    });
    keys.collect()
}

fn rejected<'s>(scan: &'s Scan, contacts: &BTreeMap<&str, Contact>) -> (Vec<&'s str>, Vec<RecordKey>) {
    let (mut theirs, mut doubtful) = (Vec::new(), Vec::new());
    for (key, entry) in &scan.rejected {
        match verdict(entry, contacts.get(key.account_id.as_str())) {
            ScanVerdict::Theirs => theirs.push(key.id.as_str()),
            ScanVerdict::Mention => doubtful.push(key.clone()),
            ScanVerdict::Another => {}
        }
    }
    (theirs, doubtful)
}

fn verdict(entry: &ScanEntry, contact: Option<&Contact>) -> ScanVerdict {
    let any = |is: &dyn Fn(&Contact, &(_, Whose)) -> bool| {
        contact.is_some_and(|contact| entry.records.iter().any(|record| is(contact, record)))
    };
    let is_sibling =
        |contact: &Contact, (ids, whose): &(_, Whose)| *whose != Whose::Another && contact.has(ids);
    let is_doubtful = |contact: &Contact, (ids, _): &(_, Whose)| contact.has(ids) || contact.may_have(ids);
    match entry.verdict {
        ScanVerdict::Theirs => ScanVerdict::Theirs,
        _ if any(&is_sibling) => ScanVerdict::Theirs,
        ScanVerdict::Another if any(&is_doubtful) => ScanVerdict::Mention,
        verdict => verdict,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanVerdict {
    Theirs,
    Mention,
    Another,
}

#[derive(Debug, Default)]
struct Scan {
    /// By account: keys, and ids of rejected records.
    theirs: BTreeMap<String, (BTreeSet<String>, BTreeSet<Ids>)>,
    rejected: BTreeMap<RecordKey, ScanEntry>,
}

#[derive(Debug)]
struct ScanEntry {
    verdict: ScanVerdict,
    records: Vec<(Ids, Whose)>,
}

impl Scan {
    /// Only interactions have an index of hints; all rejected records are read.
    async fn of(connection: &mut PgConnection, wanted: &Wanted) -> Result<Self, LoadError> {
        let mut scan = Self::default();
        let candidates = erase::candidates(&mut *connection, &wanted.hints()).await?;
        for of_account in candidates.chunk_by(|one, other| one.account_id == other.account_id) {
            for portion in of_account.chunks(PORTION) {
                let ids: Vec<&str> = portion.iter().map(|key| key.id.as_str()).collect();
                let mut records = erase::records_of(&mut *connection, &portion[0].account_id, &ids);
                while let Some(record) = records.try_next().await? {
                    if wanted.is_named_in(&value_of(&record.record)) {
                        scan.theirs
                            .entry(record.account_id)
                            .or_default()
                            .0
                            .insert(record.id);
                    }
                }
            }
        }
        let mut rejected = erase::rejected_records(connection);
        while let Some(record) = rejected.try_next().await? {
            scan.note_rejected(&record, wanted);
        }
        Ok(scan)
    }

    fn note_rejected(&mut self, record: &StoredRecord, wanted: &Wanted) {
        let value = value_of(&record.record);
        let verdict = judge(&value, wanted);
        let records = records_in(&value).into_iter();
        let records = records.map(|record| (Ids::of(record), wanted.whose(record)));
        let records: Vec<_> = records.filter(|(ids, _)| *ids != Ids::default()).collect();
        // A list may hold other people's records.
        for (ids, _) in records.iter().filter(|(_, whose)| *whose == Whose::Theirs) {
            let of_account = self.theirs.entry(record.account_id.clone()).or_default();
            of_account.1.insert(ids.clone());
        }
        if verdict != ScanVerdict::Another || !records.is_empty() {
            self.rejected.insert(record.key(), ScanEntry { verdict, records });
        }
    }

    fn rejected_of(&self, account_id: &str) -> Vec<(&Ids, bool)> {
        let of_account = self
            .rejected
            .iter()
            .filter(|(key, _)| key.account_id == account_id);
        let records = of_account.flat_map(|(_, entry)| &entry.records);
        records
            .map(|(ids, whose)| (ids, *whose == Whose::Another))
            .collect()
    }
}

/// Reads everything: no index finds every spelling within other text.
async fn mentions(connection: &mut PgConnection, wanted: &Wanted) -> Result<BTreeSet<RecordKey>, LoadError> {
    let mut mentions = BTreeSet::new();
    let mut records = erase::records(connection);
    while let Some(record) = records.try_next().await? {
        if judge(&value_of(&record.record), wanted) != ScanVerdict::Another {
            mentions.insert(record.key());
        }
    }
    Ok(mentions)
}

fn is_of_another(record: &StoredRecord, wanted: &Wanted) -> bool {
    match value_of(&record.record) {
        Value::Object(object) => wanted.whose(&object) == Whose::Another,
        _ => false,
    }
}

fn judge(value: &Value, wanted: &Wanted) -> ScanVerdict {
    if wanted.is_named_in(value) {
        ScanVerdict::Theirs
    } else if wanted.is_mentioned_in(value) {
        ScanVerdict::Mention
    } else {
        ScanVerdict::Another
    }
}
