//! Retries rejected records: a later version may read them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ledger::LoadError;
use crate::ledger::conflict;
use crate::transform::privacy::Policy;
use crate::transform::{Interaction, Origin, RecordText, Rejected, transform_stored};
use crate::warehouse::rejections::{self, Rejection, Retried};

use super::account::AccountContext;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryReport {
    pub tried: u64,
    pub stored: u64,
    pub were_stored: u64,
    /// Customer erased, or too old.
    pub left_out: u64,
    /// By reason.
    pub rejected: BTreeMap<String, u64>,
    pub is_complete: bool,
}

#[derive(Debug, Default)]
pub struct Retry {
    pub report: RetryReport,
    after: Option<Rejection>,
    pending: VecDeque<Rejection>,
    /// Their newest version was tried.
    done: BTreeSet<Uuid>,
}

impl AccountContext {
    /// `stop` ends it after the current record.
    ///
    /// # Errors
    /// The database fails. Call again with the same `retry` to resume.
    pub async fn retry_rejected(&self, retry: &mut Retry, stop: &CancellationToken) -> Result<(), LoadError> {
        let kept_from = self.kept_from().await?;
        let account_id = &self.api.account().account_id;
        loop {
            while let Some(entry) = retry.pending.front() {
                if stop.is_cancelled() {
                    return Ok(());
                }
                let tried = self.retry(entry, &retry.done, kept_from).await?;
                retry.count(tried);
                retry.pending.pop_front();
            }
            let entries = rejections::next(&self.pool, account_id, retry.after.as_ref(), true).await?;
            let Some(last) = entries.last() else {
                retry.report.is_complete = true;
                return Ok(());
            };
            retry.after = Some(last.clone());
            retry.pending = entries.into();
        }
    }

    async fn retry(
        &self,
        entry: &Rejection,
        done: &BTreeSet<Uuid>,
        kept_from: Option<DateTime<Utc>>,
    ) -> Result<Tried, LoadError> {
        let account_id = self.api.account().account_id.as_str();
        let interaction = match read(entry, account_id, &self.settings.policy) {
            Ok(interaction) => interaction,
            Err(rejected) => return Ok(Err(rejected.reason.into_owned())),
        };
        let key = interaction.key;
        let constants = (account_id, self.clock.now());
        let limits = self.limits_of_storing(kept_from);
        let how = (!done.contains(&key), self.settings.keep_raw);
        let store = || rejections::store(&self.pool, constants, &limits, entry, &interaction, how);
        match conflict::retry(&self.api.account().name, store).await {
            Err(error @ LoadError::Refused { .. }) => Ok(Err(error.to_string())),
            retried => Ok(Ok((key, retried?))),
        }
    }
}

type Tried = Result<(Uuid, Retried), String>;

impl Retry {
    fn count(&mut self, tried: Tried) {
        let report = &mut self.report;
        report.tried += 1;
        match tried {
            Err(reason) => *report.rejected.entry(reason).or_default() += 1,
            Ok((key, retried)) => {
                self.done.insert(key);
                match retried {
                    Retried::Stored => report.stored += 1,
                    Retried::WasStored => report.were_stored += 1,
                    Retried::LeftOut => report.left_out += 1,
                }
            }
        }
    }
}

fn read(entry: &Rejection, account_id: &str, policy: &Policy) -> Result<Interaction, Box<Rejected>> {
    let origin = Origin {
        account_id,
        time_zone_offset: entry.time_zone_offset,
    };
    // Too large: only a part is kept, which must not become a row.
    if entry.record_bytes.is_some() {
        return Err(Rejected::of_part(&entry.payload, entry.reason.clone(), policy).into());
    }
    transform_stored(&RecordText::of(&entry.payload), origin, policy)
}

pub(super) fn ruled(entry: &Rejection, account_id: &str, policy: &Policy) -> Option<Rejected> {
    if policy.keeps_all() {
        return None;
    }
    match read(entry, account_id, policy) {
        Err(rejected) => Some(*rejected),
        Ok(interaction) => Some(Rejected {
            key: Some(interaction.key),
            ..Rejected::new("can be read now, waits for retry-rejected", interaction.payload)
        }),
    }
}
