//! Erases a customer in one transaction; later windows leave them out.

mod scan;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::ledger::LoadError;
use crate::postgres::Pool;
use crate::transform::privacy::{Identifier, PrivacyKey, Wanted, Whose};
use crate::warehouse::erase::{self, Erased, RecordKey};
use crate::warehouse::facts;
use crate::warehouse::left_out::check_key;
use crate::warehouse::siblings::{Contact, Surroundings};
use scan::{Scan, ScanEntry, ScanVerdict, is_of_another};

/// The result of an erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasure {
    /// What was deleted.
    pub deleted: Erased,
    /// Doubtful interactions, kept: an ambiguous mention or a shared id.
    pub mentioned_in: Vec<RecordKey>,
    /// Doubtful rejected records, kept.
    pub mentioned_in_rejected: Vec<RecordKey>,
}

impl Erasure {
    /// Number of doubtful records.
    pub fn mentions(&self) -> usize {
        self.mentioned_in.len() + self.mentioned_in_rejected.len()
    }
}

/// Erases the customer from all accounts; a dry run only counts.
///
/// # Errors
/// An earlier erasure used another key, or the database fails. Nothing is deleted.
pub async fn erase(
    pool: &Pool,
    wanted: &Wanted,
    key: &PrivacyKey,
    dry_run: bool,
) -> Result<Erasure, LoadError> {
    let mut scan = Scan::default();
    // Without the lock, so that little is left to scan under it.
    for _ in ["everything", "what was written meanwhile"] {
        pool.transact_without_timeout(async |transaction| {
            check_key(&mut *transaction, Some(key)).await?;
            scan.catch_up(transaction, wanted).await
        })
        .await?;
    }
    let erasure = pool
        .transact_without_timeout(async |transaction| {
            if !dry_run {
                erase::begin(transaction).await?;
            }
            check_key(&mut *transaction, Some(key)).await?;
            scan.catch_up(transaction, wanted).await?;
            erase_found(transaction, &scan, (wanted, key), dry_run).await
        })
        .await?;
    if !dry_run && erasure.deleted != Erased::default() {
        for account_id in scan.theirs().keys() {
            facts::forget_unnamed(pool, account_id).await?;
        }
        super::statistics::renew(pool).await;
    }
    Ok(erasure)
}

async fn erase_found(
    connection: &mut PgConnection,
    scan: &Scan,
    (wanted, key): (&Wanted, &PrivacyKey),
    dry_run: bool,
) -> Result<Erasure, LoadError> {
    let contacts = contacts(connection, scan, wanted).await?;
    let mut deleted = Erased::default();
    let mut theirs = Vec::new();
    for (account_id, contact) in &contacts {
        let ids: Vec<&str> = contact.interactions.iter().map(String::as_str).collect();
        deleted += erase::delete_sessions(connection, account_id, &ids, dry_run).await?;
        theirs.extend(contact.identifiers(account_id, key));
    }
    let (rejected, doubtful) = rejected(scan, &contacts);
    deleted.rejected_records = rejected.len() as u64;
    if !dry_run {
        let texts = erase::delete_rejected(connection, &rejected).await?;
        deleted.rejected_records = texts.len() as u64;
        let texts = texts.iter();
        theirs.extend(texts.map(|(account_id, hash)| Identifier::of_rejected(account_id, hash, key)));
        erase::record(connection, &wanted.identifier, &theirs, key.id(), &deleted).await?;
    }
    Ok(Erasure {
        deleted,
        mentioned_in: mentions(scan, &contacts),
        mentioned_in_rejected: doubtful,
    })
}

async fn contacts<'s>(
    connection: &mut PgConnection,
    scan: &'s Scan,
    wanted: &Wanted,
) -> Result<BTreeMap<&'s str, Contact>, LoadError> {
    let mut contacts = BTreeMap::new();
    for (account_id, theirs) in scan.theirs() {
        let surroundings = Surroundings {
            rejected: &scan.rejected_of(account_id),
            is_of_another: &|record| is_of_another(record, wanted),
        };
        let contact = Contact::of(connection, account_id, theirs, &surroundings).await?;
        contacts.insert(account_id, contact);
    }
    Ok(contacts)
}

fn mentions(scan: &Scan, contacts: &BTreeMap<&str, Contact>) -> Vec<RecordKey> {
    let doubtful = contacts.iter().flat_map(|(account_id, contact)| {
        contact.doubtful.iter().map(|id| RecordKey {
            account_id: (*account_id).to_owned(),
            id: id.clone(),
        })
    });
    let is_left = |found: &RecordKey| {
        let contact = contacts.get(found.account_id.as_str());
        !contact.is_some_and(|contact| contact.interactions.contains(&found.id))
    };
    let all: BTreeSet<RecordKey> = scan.mentions().cloned().chain(doubtful).collect();
    all.into_iter().filter(is_left).collect()
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
