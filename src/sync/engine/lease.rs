use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, warn};

use crate::extract::ApiClient;
use crate::ledger::LoadError;
use crate::ledger::leases::{self, Lease};
use crate::postgres::Pool;
use crate::telemetry::chain;

use super::super::account::AccountContext;

const BEATS_PER_LEASE: u32 = 3;

/// Bounds how late a waiting daemon is noticed.
const LONGEST_BEAT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(in crate::sync) struct HeldLease {
    pub(in crate::sync) lease: Lease,
    pub(in crate::sync) lost: CancellationToken,
    /// A daemon waits for the lease.
    pub(in crate::sync) awaited: CancellationToken,
    released: CancellationToken,
    heartbeat: AbortOnDropHandle<()>,
}

impl HeldLease {
    pub(in crate::sync) async fn acquire(account: &AccountContext) -> Result<Option<Self>, LoadError> {
        let lasts = account.settings.lease;
        let (pool, account_id) = (&account.pool, account.account_id());
        let Some(taken) = leases::acquire(pool, account_id, &account.holder, lasts).await? else {
            return Ok(None);
        };
        account.api.remember_spent(taken.spent);
        Ok(Some(Self::start(
            pool.clone(),
            taken.lease,
            Arc::clone(&account.api),
            lasts,
        )))
    }

    fn start(pool: Pool, lease: Lease, api: Arc<ApiClient>, lasts: Duration) -> Self {
        let (lost, awaited, released) = (
            CancellationToken::new(),
            CancellationToken::new(),
            CancellationToken::new(),
        );
        let beating = {
            let (lost, awaited, released, lease) =
                (lost.clone(), awaited.clone(), released.clone(), lease.clone());
            async move {
                let beat = (lasts / BEATS_PER_LEASE).min(LONGEST_BEAT);
                while released
                    .run_until_cancelled(tokio::time::sleep(beat))
                    .await
                    .is_some()
                {
                    match lease.renew(&pool, lasts, &api.spent_by_minute()).await {
                        Ok(true) => awaited.cancel(),
                        Ok(false) => {}
                        Err(LoadError::LeaseLost) => return lost.cancel(),
                        // The fencing token in every commit decides.
                        Err(error) => warn!(error = %chain(&error), "could not renew the lease"),
                    }
                }
                if let Err(error) = lease.release(&pool, &api.spent_by_minute()).await {
                    warn!(error = %chain(&error), "could not release the lease, it ends by itself");
                }
            }
        };
        let heartbeat = tokio::spawn(beating.in_current_span());
        Self {
            lease,
            lost,
            awaited,
            released,
            heartbeat: AbortOnDropHandle::new(heartbeat),
        }
    }

    /// By the heartbeat itself: a renewal after the release would lock out others.
    pub(in crate::sync) async fn release(self) {
        self.released.cancel();
        let _ = self.heartbeat.await;
    }
}
