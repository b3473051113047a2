//! Erases a customer in one transaction; later windows leave the customer out.

mod scan;

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::ledger::LoadError;
use crate::postgres::Pool;
use crate::transform::privacy::{Identifier, PrivacyKey, Wanted, Whose};
use crate::warehouse::erase::{self, Erased, RecordKey};
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

/// How an erasure goes about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ErasureOptions {
    /// Only counts.
    pub dry_run: bool,
    /// Reads everything for mentions, once the customer's are deleted.
    pub find_mentions: bool,
}

/// Erases the customer from all accounts.
///
/// # Errors
/// An earlier erasure used another key, or the database fails. Nothing is deleted, unless it fails while mentions are searched.
pub async fn erase(
    pool: &Pool,
    wanted: &Wanted,
    key: &PrivacyKey,
    options: ErasureOptions,
) -> Result<Erasure, LoadError> {
    let (mut erasure, theirs) = pool
        .transact_without_timeout(async |transaction| {
            if !options.dry_run {
                erase::begin(transaction).await?;
            }
            check_key(&mut *transaction, Some(key)).await?;
            erase_found(transaction, (wanted, key), options.dry_run).await
        })
        .await?;
    if options.find_mentions {
        let find = async |transaction: &mut PgConnection| scan::mentions(transaction, wanted).await;
        let found = pool.transact_without_timeout(find).await?;
        erasure.mentioned_in.extend(found.into_iter().filter(|key| {
            let contact = theirs.get(&key.account_id);
            !contact.is_some_and(|contact| contact.interactions.contains(&key.id))
        }));
        erasure.mentioned_in.sort();
        erasure.mentioned_in.dedup();
    }
    Ok(erasure)
}

async fn erase_found(
    connection: &mut PgConnection,
    (wanted, key): (&Wanted, &PrivacyKey),
    dry_run: bool,
) -> Result<(Erasure, BTreeMap<String, Contact>), LoadError> {
    let scan = Scan::of(connection, wanted).await?;
    let contacts = contacts(connection, &scan, wanted).await?;
    let mut deleted = Erased::default();
    let mut theirs = Vec::new();
    for (account_id, contact) in &contacts {
        let ids: Vec<&str> = contact.interactions.iter().map(String::as_str).collect();
        deleted += erase::delete_sessions(connection, account_id, &ids, dry_run).await?;
        theirs.extend(contact.identifiers(account_id, key));
    }
    let (rejected, mentioned_in_rejected) = rejected(&scan, &contacts);
    deleted.rejected_records = rejected.len() as u64;
    if !dry_run {
        let texts = erase::delete_rejected(connection, &rejected).await?;
        deleted.rejected_records = texts.len() as u64;
        let texts = texts.iter();
        theirs.extend(texts.map(|(account_id, hash)| Identifier::of_rejected(account_id, hash, key)));
        erase::record(connection, &wanted.identifier, &theirs, key.id(), &deleted).await?;
    }
    let erasure = Erasure {
        deleted,
        mentioned_in: contacts.iter().flat_map(doubtful).collect(),
        mentioned_in_rejected,
    };
    Ok((erasure, contacts))
}

async fn contacts(
    connection: &mut PgConnection,
    scan: &Scan,
    wanted: &Wanted,
) -> Result<BTreeMap<String, Contact>, LoadError> {
    let mut contacts = BTreeMap::new();
    for (account_id, theirs) in scan.theirs() {
        let surroundings = Surroundings {
            rejected: &scan.rejected_of(account_id),
            is_of_another: &|record| is_of_another(record, wanted),
        };
        let contact = Contact::of(connection, account_id, theirs, &surroundings).await?;
        contacts.insert(account_id.to_owned(), contact);
    }
    Ok(contacts)
}

fn doubtful((account_id, contact): (&String, &Contact)) -> Vec<RecordKey> {
    let left = contact.doubtful.difference(&contact.interactions);
    let key = |id: &String| RecordKey {
        account_id: account_id.clone(),
        id: id.clone(),
    };
    left.map(key).collect()
}

fn rejected<'s>(scan: &'s Scan, contacts: &BTreeMap<String, Contact>) -> (Vec<&'s str>, Vec<RecordKey>) {
    let (mut theirs, mut doubtful) = (Vec::new(), Vec::new());
    for (key, entry) in &scan.rejected {
        match verdict(entry, contacts.get(&key.account_id)) {
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
