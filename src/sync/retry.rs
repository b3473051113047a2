//! Trying the records that were set aside again: a later version may be able to read them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::load::LoadError;
use crate::load::aside::{self, Aside, Retried};
use crate::load::conflict;
use crate::transform::privacy::Policy;
use crate::transform::{Interaction, Rejected, transform};

use super::run::AccountWorker;

/// What trying again came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryReport {
    /// Records that were tried.
    pub tried: u64,
    /// Those that are rows now.
    pub stored: u64,
    /// Those of which a row was there already.
    pub were_stored: u64,
    /// Those that must not be stored: their customer was erased, or they are too old.
    pub left_out: u64,
    /// Those that still cannot be read, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Whether all were tried.
    pub is_complete: bool,
}

impl AccountWorker {
    /// Tries every unresolved record of the account again. `stop` ends it after the record in hand.
    ///
    /// # Errors
    /// The database fails. What was stored until then stays.
    pub async fn retry_rejected(&self, stop: &CancellationToken) -> Result<RetryReport, LoadError> {
        self.reckon_retention().await?;
        let account_id = &self.api.account().account_id;
        let mut report = RetryReport::default();
        let (mut after, mut done) = (None, BTreeSet::new());
        loop {
            let entries = aside::next(&self.pool, account_id, after.as_ref(), true).await?;
            let Some(last) = entries.last() else {
                report.is_complete = true;
                return Ok(report);
            };
            after = Some(last.clone());
            for entry in &entries {
                if stop.is_cancelled() {
                    return Ok(report);
                }
                self.retry(entry, &mut done, &mut report).await?;
            }
        }
    }

    /// Tries one; of those of the same interaction that were `done` before it, all were newer.
    async fn retry(
        &self,
        entry: &Aside,
        done: &mut BTreeSet<String>,
        report: &mut RetryReport,
    ) -> Result<(), LoadError> {
        report.tried += 1;
        let interaction = match read(entry, &self.settings.policy) {
            Ok(interaction) => interaction,
            Err(rejected) => {
                *report.rejected.entry(rejected.reason).or_default() += 1;
                return Ok(());
            }
        };
        let constants = (self.api.account().account_id.as_str(), self.clock.now());
        let limits = self.limits_of_storing();
        let how = (done.insert(interaction.id().to_owned()), self.settings.keep_raw);
        let store = || aside::store(&self.pool, constants, &limits, entry, &interaction, how);
        match conflict::retry(&self.api.account().name, store).await? {
            Retried::Stored => report.stored += 1,
            Retried::WasStored => report.were_stored += 1,
            Retried::LeftOut => report.left_out += 1,
        }
        Ok(())
    }
}

fn read(entry: &Aside, policy: &Policy) -> Result<Interaction, Rejected> {
    // Text that a parser refuses whole was received as a record all the same; as text it is rejected.
    let record = RawValue::from_string(entry.payload.clone())
        .or_else(|_| serde_json::value::to_raw_value(&entry.payload));
    match record {
        Ok(record) => transform(&record, entry.time_zone_offset, policy),
        Err(_) => Err(Rejected {
            reason: "not storable as JSON",
            interaction_id: None,
            identifiers: Vec::new(),
            payload_hash: Sha256::digest(&entry.payload).into(),
            payload: entry.payload.clone(),
        }),
    }
}

/// An entry as it would be set aside today. One that can be read now waits to be tried again, and
/// only its text is ruled; `None` where nothing is to be ruled.
pub(super) fn ruled(entry: &Aside, policy: &Policy) -> Option<Rejected> {
    if policy.keeps_all() {
        return None;
    }
    match read(entry, policy) {
        Err(rejected) => Some(rejected),
        Ok(interaction) => Some(Rejected {
            reason: "can be read now, waits for retry-rejected",
            interaction_id: Some(interaction.id().to_owned()),
            identifiers: Vec::new(),
            payload_hash: Sha256::digest(&interaction.payload).into(),
            payload: interaction.payload,
        }),
    }
}
