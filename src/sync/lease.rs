//! Holds the account's lease, shared by a poll and a refresh.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, warn};

use crate::ledger::LoadError;
use crate::ledger::leases::{self, Lease};
use crate::postgres::Pool;
use crate::telemetry::chain;

const BEATS_PER_LEASE: u32 = 3;

#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) lost: CancellationToken,
    released: CancellationToken,
    heartbeat: AbortOnDropHandle<()>,
}

impl Held {
    fn start(pool: Pool, lease: Lease, lasts: Duration) -> Self {
        let (lost, released) = (CancellationToken::new(), CancellationToken::new());
        let beating = {
            let (lost, released, lease) = (lost.clone(), released.clone(), lease.clone());
            async move {
                let beats = lasts / BEATS_PER_LEASE;
                while released
                    .run_until_cancelled(tokio::time::sleep(beats))
                    .await
                    .is_some()
                {
                    match lease.renew(&pool, lasts).await {
                        Ok(()) => {}
                        Err(LoadError::LeaseLost) => return lost.cancel(),
                        // The fencing token in every commit decides.
                        Err(error) => warn!(error = %chain(&error), "could not renew the lease"),
                    }
                }
            }
        };
        let heartbeat = tokio::spawn(beating.in_current_span());
        Self {
            lease,
            lost,
            released,
            heartbeat: AbortOnDropHandle::new(heartbeat),
        }
    }

    /// A renewal after the release would lock out others.
    async fn release(self, pool: &Pool) -> Result<(), LoadError> {
        self.released.cancel();
        let _ = self.heartbeat.await;
        self.lease.release(pool).await
    }
}

#[derive(Debug, Default)]
pub(super) struct LeaseKeeper(Mutex<Weak<Held>>);

impl LeaseKeeper {
    pub(super) async fn hold(
        &self,
        pool: &Pool,
        account_id: &str,
        holder: &str,
        lasts: Duration,
    ) -> Result<Option<Arc<Held>>, LoadError> {
        let mut shared = self.0.lock().await;
        if let Some(held) = shared.upgrade().filter(|held| !held.lost.is_cancelled()) {
            return Ok(Some(held));
        }
        let Some(lease) = leases::acquire(pool, account_id, holder, lasts).await? else {
            return Ok(None);
        };
        let held = Arc::new(Held::start(pool.clone(), lease, lasts));
        *shared = Arc::downgrade(&held);
        Ok(Some(held))
    }

    pub(super) async fn release(&self, held: Arc<Held>, pool: &Pool) {
        // No run may take the lease meanwhile.
        let _shared = self.0.lock().await;
        if let Some(held) = Arc::into_inner(held)
            && let Err(error) = held.release(pool).await
        {
            warn!(error = %chain(&error), "could not release the lease, it ends by itself");
        }
    }
}
