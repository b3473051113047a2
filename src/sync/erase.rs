//! Forgetting a customer: everything that is stored about them goes, in one transaction, and later
//! windows leave them out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sqlx::{Connection, PgConnection};

use crate::database::Pool;
use crate::load::LoadError;
use crate::load::erase::{self, Candidate, Erased, Place};
use crate::load::left_out::{StoreLimits, check_key};
use crate::transform::privacy::{Key, Wanted};

/// Erases the customer, of all accounts, or only counts what that would delete.
///
/// # Errors
/// Customers were erased with another key before, which no longer would be recognized; or the
/// database fails. Nothing is deleted then.
pub async fn erase(pool: &Pool, wanted: &Wanted, key: &Key, dry_run: bool) -> Result<Erased, LoadError> {
    pool.transact_patiently(async |transaction| {
        erase::begin(transaction).await?;
        let limits = StoreLimits {
            key_id: Some(key.id()),
            kept_from: None,
        };
        check_key(&mut *transaction, &limits).await?;
        if dry_run {
            let mut trial = transaction.begin().await?;
            let erased = erase_found(&mut trial, wanted).await?;
            trial.rollback().await?;
            return Ok(erased);
        }
        let erased = erase_found(transaction, wanted).await?;
        erase::record(transaction, &wanted.identifier, key.id(), &erased).await?;
        Ok(erased)
    })
    .await
}

async fn erase_found(connection: &mut PgConnection, wanted: &Wanted) -> Result<Erased, LoadError> {
    let mut erased = erase_sessions(connection, wanted).await?;
    erased.rejected_records = erase_rejected(connection, wanted).await?;
    Ok(erased)
}

async fn erase_sessions(connection: &mut PgConnection, wanted: &Wanted) -> Result<Erased, LoadError> {
    let mut erased = Erased::default();
    for (account_id, ids) in &find(connection, Place::Sessions, wanted).await? {
        erased += erase::delete_sessions(connection, account_id, ids).await?;
    }
    Ok(erased)
}

async fn erase_rejected(connection: &mut PgConnection, wanted: &Wanted) -> Result<u64, LoadError> {
    let found = find(connection, Place::RejectedRecords, wanted).await?;
    let ids: Vec<String> = found.into_values().flatten().collect();
    erase::delete_rejected(connection, &ids).await
}

/// The ids of the customer's records, by account. PostgreSQL gives whatever holds the identifier
/// anywhere; only a record that it identifies is the customer's.
async fn find(
    connection: &mut PgConnection,
    place: Place,
    wanted: &Wanted,
) -> Result<BTreeMap<String, Vec<String>>, LoadError> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last = (String::new(), String::new());
    loop {
        let candidates = erase::candidates(connection, place, wanted, (&last.0, &last.1)).await?;
        let Some(newest) = candidates.last() else {
            return Ok(found);
        };
        last = (newest.account_id.clone(), newest.id.clone());
        for candidate in candidates {
            if is_meant(&candidate, wanted) {
                found.entry(candidate.account_id).or_default().push(candidate.id);
            }
        }
    }
}

/// What cannot be taken apart is theirs where it names them at all.
fn is_meant(candidate: &Candidate, wanted: &Wanted) -> bool {
    match serde_json::from_str::<Map<String, Value>>(&candidate.record) {
        Ok(record) => wanted.is_customer_of(&record),
        Err(_) => wanted.is_named_in(&candidate.record),
    }
}
