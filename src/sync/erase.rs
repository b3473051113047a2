//! Erases a customer in one transaction; later windows leave the customer out.

mod scan;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::ledger::LoadError;
use crate::postgres::Pool;
use crate::transform::privacy::{Identifier, PrivacyKey, Wanted, Whose};
use crate::warehouse::erase::{self, Erased, RecordKey};
use crate::warehouse::left_out::check_key;
use crate::warehouse::siblings::{Contact, Surroundings};
use scan::{Scan, ScanEntry, ScanVerdict, is_of_another};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasure {
    pub deleted: Erased,
    theirs: BTreeSet<RecordKey>,
    /// Kept, because doubtful: an ambiguous mention or a shared id.
    pub mentioned_in: BTreeSet<RecordKey>,
    /// Kept, because doubtful.
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
    let find = async |transaction: &mut PgConnection| scan::mentions(transaction, wanted).await;
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
        let ids: Vec<&str> = contact.interactions.iter().map(String::as_str).collect();
        deleted += erase::delete_sessions(connection, account_id, &ids, dry_run).await?;
        identifiers.extend(contact.identifiers(account_id, key));
    }
    let (rejected, mentioned_in_rejected) = rejected(&scan, &contacts);
    deleted.rejected_records = rejected.len() as u64;
    if !dry_run {
        let texts = erase::delete_rejected(connection, &rejected).await?;
        deleted.rejected_records = texts.len() as u64;
        let texts = texts.iter();
        identifiers.extend(texts.map(|(account_id, hash)| Identifier::of_rejected(account_id, hash, key)));
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
