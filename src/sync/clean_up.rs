//! Deletes interactions older than `storage.retention_days`, and old entries of the ledger.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::AccountConfig;
use crate::ledger::{LoadError, conflict, runs};
use crate::postgres::Pool;
use crate::telemetry::{self, chain, metrics};
use crate::warehouse::{days, facts, interactions};

use super::account::AccountContext;

/// Lets other writers in between batches.
const PAUSE: Duration = Duration::from_millis(50);

const TELL_EVERY: Duration = Duration::from_secs(10);

impl AccountContext {
    /// Also recounts days and rebuilds facts. Needs no lease: each batch locks the account for writing.
    ///
    /// # Errors
    /// The database fails; earlier batches stay deleted.
    pub async fn clean_up(&self, stop: &CancellationToken) -> Result<(), LoadError> {
        let ended = self.clean_up_all(stop).await;
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

    async fn clean_up_all(&self, stop: &CancellationToken) -> Result<(), LoadError> {
        if let Some(kept_from) = self.kept_from().await? {
            self.delete_old(kept_from, stop).await?;
        }
        let prune = || runs::prune_some(&self.pool, self.account_id());
        self.in_batches(stop, prune).await?;
        self.recount().await?;
        rebuild_facts(&self.pool, self.api.account(), stop).await?;
        Ok(())
    }

    /// Changes by hand do not update the day counts.
    async fn recount(&self) -> Result<(), LoadError> {
        let recount = || days::recount_week(&self.pool, self.account_id(), self.clock.now());
        self.tell_recounted(conflict::retry(self.name(), recount).await?);
        Ok(())
    }

    pub fn tell_recounted(&self, days: u64) {
        if days > 0 {
            info!(
                account = self.name(),
                days, "interactions of some days were counted anew: rows were written or deleted by others"
            );
        }
    }

    async fn delete_old(&self, kept_from: DateTime<Utc>, stop: &CancellationToken) -> Result<(), LoadError> {
        let (pool, account, account_id) = (&self.pool, self.name(), self.account_id());
        let began = Instant::now();
        let delete = async || {
            let some = interactions::delete_old(pool, account_id, kept_from).await?;
            telemetry::count(metrics::DELETED, account, ("reason", "retention"), some);
            Ok(some)
        };
        let interactions = self.in_batches(stop, delete).await?;
        if interactions > 0 {
            let forgetting = || facts::forget_unseen(pool, account_id, kept_from);
            conflict::retry(account, forgetting).await?;
        }
        let delete_rejected = || interactions::delete_old_rejected(pool, account_id, kept_from);
        let rejected_records = self.in_batches(stop, delete_rejected).await?;
        if interactions + rejected_records > 0 {
            info!(
                account,
                interactions,
                rejected_records,
                kept_from = telemetry::instant(kept_from),
                seconds = began.elapsed().as_secs_f64(),
                "what has become too old is deleted"
            );
        }
        Ok(())
    }

    /// Until nothing is left, or `stop`; the sum of what each did.
    async fn in_batches<F>(
        &self,
        stop: &CancellationToken,
        mut batch: impl FnMut() -> F,
    ) -> Result<u64, LoadError>
    where
        F: Future<Output = Result<u64, LoadError>>,
    {
        let mut all = 0;
        while !stop.is_cancelled() {
            let some = conflict::retry(self.name(), &mut batch).await?;
            if some == 0 {
                break;
            }
            all += some;
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
        Ok(all)
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
) -> Result<(u64, bool), LoadError> {
    let name = account.name.as_str();
    let (began, mut told, mut interactions) = (Instant::now(), Instant::now(), 0);
    loop {
        if stop.is_cancelled() {
            return Ok((interactions, false));
        }
        let some = conflict::retry(name, || facts::rebuild_some(pool, &account.account_id)).await?;
        if some == 0 {
            break;
        }
        interactions += some;
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            info!(account = name, interactions, "facts are being made anew");
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
