//! `replay` and `retry-rejected`: transforms stored records again.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream, TryStreamExt};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use crate::json;
use crate::ledger::runs::Outcome;
use crate::ledger::{Counters, LoadError, conflict};
use crate::transform::privacy::Policy;
use crate::transform::{Interaction, Origin, RecordText, Rejected, ruled, transform_stored};
use crate::warehouse::rejections::{self, Rejection, Retried};
use crate::warehouse::replay::{self, Portion, Raw, Rebuilt, Rewritten};
use crate::warehouse::{facts, left_out};

use super::account::AccountContext;
use super::{compute, joined};

/// Each takes a processor; a third would only take memory.
const REBUILT_AT_ONCE: usize = 2;

/// Privacy rules keep ids, so only another normal form of ids leads here.
const UNDER_ANOTHER_KEY: &str = "its ids give another interaction_key today";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Failed if any record was rejected; `None`: never loaded.
    pub outcome: Option<Outcome>,
    /// 0 until known.
    #[serde(skip)]
    pub total: u64,
    /// Of the last attempt.
    #[serde(skip)]
    pub run_id: Option<i64>,
    /// The last interaction that was done.
    #[serde(skip)]
    pub position: Uuid,
    pub records: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// Rejected today, so left alone.
    pub rejected: u64,
    pub without_raw: u64,
}

impl AccountContext {
    /// `stop` ends it after a portion.
    ///
    /// # Errors
    /// An erasure used another key, another replay began, or the database fails. The same `replayed` resumes.
    pub async fn replay(
        &self,
        replayed: &watch::Sender<Replayed>,
        stop: &CancellationToken,
    ) -> Result<(), LoadError> {
        // Another key would hide erased customers.
        left_out::check_key(&self.pool, self.policy.key.as_ref()).await?;
        let earlier = *replayed.borrow();
        let begin = || replay::open(&self.pool, self.account_id(), earlier.run_id, self.clock.now());
        let Some(run_id) = conflict::retry(self.name(), begin).await? else {
            return Ok(());
        };
        replayed.send_modify(|all| all.run_id = Some(run_id));
        let worked = self.replay_from(run_id, replayed, stop).await;
        let all = *replayed.borrow();
        let counters = Counters {
            records: all.records - earlier.records,
            updated: all.updated - earlier.updated,
            unchanged: all.unchanged - earlier.unchanged,
            rejected: all.rejected - earlier.rejected,
            ..Counters::default()
        };
        let outcome = *worked.as_ref().unwrap_or(&Outcome::Interrupted);
        replay::close(&self.pool, run_id, counters, outcome, self.clock.now()).await?;
        replayed.send_modify(|all| all.outcome = Some(outcome));
        worked.map(drop)
    }

    async fn replay_from(
        &self,
        run_id: i64,
        replayed: &watch::Sender<Replayed>,
        stop: &CancellationToken,
    ) -> Result<Outcome, LoadError> {
        let (pool, account_id) = (&self.pool, self.account_id());
        let (total, without_raw) = replay::extent(pool, account_id).await?;
        replayed.send_modify(|all| (all.total, all.without_raw) = (total, without_raw));
        let position = replayed.borrow().position;
        let mut portions = pin!(self.portions(position));
        let mut ready = portions.try_next().await?;
        while let Some(portion) = ready {
            if stop.is_cancelled() {
                return Ok(Outcome::Interrupted);
            }
            let write = || replay::write(pool, account_id, run_id, &portion.rebuilt, self.clock.now());
            let (written, next) = tokio::join!(conflict::retry(self.name(), write), portions.try_next());
            let Rewritten { updated, refused } = written?;
            refused.iter().for_each(|reason| warn_rejected(reason));
            let rejected = portion.rejected + refused.len() as u64;
            replayed.send_modify(|all| {
                all.position = portion.last;
                all.records += portion.records;
                all.updated += updated;
                all.rejected += rejected;
                all.unchanged += portion.records - rejected - updated;
            });
            ready = next?;
        }
        self.rule_rejections().await?;
        // Rows may have been renamed by others: a refetch, or an earlier attempt.
        facts::forget_unnamed(pool, account_id).await?;
        Ok(match replayed.borrow().rejected {
            0 => Outcome::Succeeded,
            _ => Outcome::Failed,
        })
    }

    /// Read one after the other, rebuilt in parallel.
    fn portions(&self, after: Uuid) -> impl Stream<Item = Result<Portion, LoadError>> {
        let read = stream::try_unfold(after, move |after| async move {
            let raw = self.read_portion(after).await?;
            let last = raw.last().map(|raw| raw.interaction_key);
            Ok(last.map(|last| ((last, raw), last)))
        });
        let rebuilt = read.map_ok(|(last, raw)| self.rebuild_portion(last, raw));
        rebuilt.try_buffered(REBUILT_AT_ONCE)
    }

    /// In its own task: PostgreSQL ends transactions that stand idle.
    async fn read_portion(&self, after: Uuid) -> Result<Vec<Raw>, LoadError> {
        let (pool, account_id) = (self.pool.clone(), self.account_id().to_owned());
        let read = tokio::spawn(async move { replay::next(&pool, &account_id, after).await }).await;
        joined(read)
    }

    async fn rebuild_portion(&self, last: Uuid, raw: Vec<Raw>) -> Result<Portion, LoadError> {
        let (account_id, policy) = (self.account_id().to_owned(), Arc::clone(&self.policy));
        Ok(compute(move || rebuild(last, raw, &account_id, &policy)).await)
    }

    async fn rule_rejections(&self) -> Result<(), LoadError> {
        let (account_id, policy) = (self.account_id(), &self.policy);
        let mut after = None;
        loop {
            let entries = rejections::next(&self.pool, account_id, after.as_ref(), false).await?;
            let Some(last) = entries.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            for entry in &entries {
                if let Some(ruled) = ruled_again(entry, account_id, policy)
                    && ruled.payload != entry.payload
                {
                    rejections::rule(&self.pool, entry, &ruled).await?;
                }
            }
        }
    }
}

fn rebuild(last: Uuid, raw: Vec<Raw>, account_id: &str, policy: &Policy) -> Portion {
    let mut portion = Portion {
        last,
        records: raw.len() as u64,
        ..Portion::default()
    };
    for raw in raw {
        let origin = Origin {
            account_id,
            time_zone_offset: raw.time_zone_offset,
        };
        let (interaction, payload) = match transform_stored(&RecordText::of(&raw.payload), origin, policy) {
            Ok(mut interaction) if interaction.key == raw.interaction_key => {
                let payload = std::mem::take(&mut interaction.payload);
                (Some(interaction), payload)
            }
            other => {
                let reason = other.map_or_else(|rejected| rejected.reason, |_| UNDER_ANOTHER_KEY.into());
                portion.rejected += 1;
                warn_rejected(&reason);
                (None, ruled(&raw.payload, policy))
            }
        };
        let payload_differs = !policy.keeps_all() && canonical(&raw.payload) != payload;
        let rows_differ = interaction
            .as_ref()
            .is_some_and(|interaction| interaction.content_hash != *raw.content_hash);
        if payload_differs || rows_differ {
            portion.rebuilt.push(Rebuilt {
                raw,
                interaction,
                payload: payload_differs.then_some(payload),
            });
        }
    }
    portion
}

fn warn_rejected(reason: &str) {
    warn!(
        reason,
        remedy = "its raw record follows the privacy rules, its rows stay as they are: read the range again (backfill --refetch), \
                  or delete the interaction",
        "a raw record cannot be rebuilt"
    );
}

/// PostgreSQL reorders keys and spaces.
fn canonical(payload: &str) -> String {
    json::parse(payload).map_or_else(|| payload.to_owned(), |value| value.to_string())
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RetryReport {
    pub tried: u64,
    pub stored: u64,
    pub were_stored: u64,
    /// Customer erased, or too old.
    pub left_out: u64,
    pub rejected: BTreeMap<String, u64>,
    #[serde(skip)]
    pub is_complete: bool,
}

#[derive(Debug, Default)]
pub struct Retry {
    pub report: RetryReport,
    after: Option<Rejection>,
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
        loop {
            let after = retry.after.as_ref();
            let entries = rejections::next(&self.pool, self.account_id(), after, true).await?;
            if entries.is_empty() {
                retry.report.is_complete = true;
                return Ok(());
            }
            for entry in entries {
                if stop.is_cancelled() {
                    return Ok(());
                }
                self.retry(retry, &entry, kept_from).await?;
                retry.report.tried += 1;
                retry.after = Some(entry);
            }
        }
    }

    async fn retry(
        &self,
        Retry { report, done, .. }: &mut Retry,
        entry: &Rejection,
        kept_from: Option<DateTime<Utc>>,
    ) -> Result<(), LoadError> {
        let account_id = self.account_id();
        let mut reject = |reason: String| *report.rejected.entry(reason).or_default() += 1;
        let interaction = match read(entry, account_id, &self.policy) {
            Ok(interaction) => interaction,
            Err(rejected) => {
                reject(rejected.reason.into_owned());
                return Ok(());
            }
        };
        let constants = (account_id, self.clock.now());
        let limits = self.limits_of_storing(kept_from);
        let how = (!done.contains(&interaction.key), self.storage.raw);
        let store = || rejections::store(&self.pool, constants, &limits, entry, &interaction, how);
        match conflict::retry(self.name(), store).await {
            Err(error @ LoadError::Refused { .. }) => {
                reject(error.to_string());
                return Ok(());
            }
            retried => match retried? {
                Retried::Stored => report.stored += 1,
                Retried::WasStored => report.were_stored += 1,
                Retried::LeftOut => report.left_out += 1,
            },
        }
        done.insert(interaction.key);
        Ok(())
    }
}

fn read(entry: &Rejection, account_id: &str, policy: &Policy) -> Result<Interaction, Box<Rejected>> {
    let origin = Origin {
        account_id,
        time_zone_offset: entry.time_zone_offset,
    };
    if entry.has_only_ids {
        return Err(Rejected::new(entry.reason.clone(), entry.payload.clone()).into());
    }
    transform_stored(&RecordText::of(&entry.payload), origin, policy)
}

fn ruled_again(entry: &Rejection, account_id: &str, policy: &Policy) -> Option<Rejected> {
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
