//! Deletes interactions older than `storage.retention_days`, and old entries of the ledger.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::AccountConfig;
use crate::ledger::{LoadError, conflict, runs};
use crate::postgres::Pool;
use crate::telemetry::{self, chain, metrics};
use crate::time::Pulse;
use crate::warehouse::interactions::{self, Deleted};
use crate::warehouse::{days, facts};

use super::account::AccountContext;

/// Lets other writers in between batches.
const PAUSE: Duration = Duration::from_millis(50);

const TELL_EVERY: Duration = Duration::from_secs(10);

impl AccountContext {
    /// Also recounts days and rebuilds facts. Needs no lease: each batch locks the account for writing.
    ///
    /// # Errors
    /// The database fails; earlier batches stay deleted.
    pub async fn clean_up(&self, stop: &CancellationToken, pulse: &Pulse) -> Result<(), LoadError> {
        let ended = self.clean_up_all(stop, pulse).await;
        if let Err(error) = &ended {
            let account = self.name();
            telemetry::database_error(account, error.kind());
            error!(
                account,
                error = %chain(error),
                remedy = error.remedy(),
                "could not clean up, trying again at the next tick"
            );
        }
        ended
    }

    async fn clean_up_all(&self, stop: &CancellationToken, pulse: &Pulse) -> Result<(), LoadError> {
        let account = self.name();
        let began = Instant::now();
        let kept_from = self.kept_from().await?;
        let mut deleted = Deleted::default();
        let ended = match kept_from {
            Some(kept_from) => self.delete_old(kept_from, stop, pulse, &mut deleted).await,
            None => Ok(()),
        };
        telemetry::count(
            metrics::DELETED,
            account,
            ("reason", "retention"),
            deleted.interactions,
        );
        if deleted != Deleted::default() {
            info!(
                account,
                interactions = deleted.interactions,
                rejected_records = deleted.rejected_records,
                kept_from = kept_from.map(telemetry::instant),
                seconds = began.elapsed().as_secs_f64(),
                "what has become too old is deleted"
            );
        }
        ended?;
        self.prune(stop, pulse).await?;
        self.recount(pulse).await?;
        rebuild_facts(&self.pool, self.api.account(), stop, pulse).await?;
        Ok(())
    }

    /// Changes by hand do not update the day counts.
    async fn recount(&self, pulse: &Pulse) -> Result<(), LoadError> {
        let recount = || days::recount_week(&self.pool, self.account_id(), self.clock.now());
        let days = conflict::retry(self.name(), recount).await?;
        pulse.beat();
        if days > 0 {
            info!(
                account = self.name(),
                days, "interactions of some days were counted anew: rows were written or deleted by others"
            );
        }
        Ok(())
    }

    async fn prune(&self, stop: &CancellationToken, pulse: &Pulse) -> Result<(), LoadError> {
        while !stop.is_cancelled() {
            let pruning = || runs::prune_some(&self.pool, self.account_id());
            let pruned = conflict::retry(self.name(), pruning).await?;
            pulse.beat();
            if pruned == 0 {
                break;
            }
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
        Ok(())
    }

    async fn delete_old(
        &self,
        kept_from: DateTime<Utc>,
        stop: &CancellationToken,
        pulse: &Pulse,
        deleted: &mut Deleted,
    ) -> Result<(), LoadError> {
        while !stop.is_cancelled() {
            let delete = || interactions::delete_old(&self.pool, self.account_id(), kept_from);
            let some = conflict::retry(self.name(), delete).await?;
            pulse.beat();
            if some == Deleted::default() {
                break;
            }
            deleted.interactions += some.interactions;
            deleted.rejected_records += some.rejected_records;
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
        if deleted.interactions > 0 {
            let forgetting = || facts::forget_unseen(&self.pool, self.account_id(), kept_from);
            conflict::retry(self.name(), forgetting).await?;
        }
        Ok(())
    }
}

/// Zero: no rebuild was asked for.
///
/// # Errors
/// The database fails; what is done stays done, and the next call resumes.
pub async fn rebuild_facts(
    pool: &Pool,
    account: &AccountConfig,
    stop: &CancellationToken,
    pulse: &Pulse,
) -> Result<(u64, bool), LoadError> {
    let name = account.name.as_str();
    let (began, mut told, mut interactions) = (Instant::now(), Instant::now(), 0);
    loop {
        if stop.is_cancelled() {
            return Ok((interactions, false));
        }
        let some = conflict::retry(name, || facts::rebuild_some(pool, &account.account_id)).await?;
        pulse.beat();
        if some == 0 {
            break;
        }
        interactions += some;
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            // Only shown: the rebuild must not fail if counting is slow.
            let left = facts::left(pool, &account.account_id).await.ok();
            let of = left.map(|left| interactions + left);
            info!(account = name, interactions, of, "facts are being made anew");
        }
    }
    if interactions > 0 {
        let seconds = began.elapsed().as_secs_f64();
        info!(account = name, interactions, seconds, "facts were made anew");
        conflict::retry(name, || facts::forget_orphans(pool, &account.account_id)).await?;
        conflict::retry(name, || facts::forget_unnamed(pool, &account.account_id)).await?;
    }
    Ok((interactions, true))
}
