//! Holding the account's lease while anything works under it.
//!
//! A poll and a refresh may run at the same time: they share one lease, and the last one to end
//! releases it.

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

/// A lease is renewed this often while it lasts, so that a lost heartbeat or two do no harm.
const BEATS_PER_LEASE: u32 = 3;

/// A lease that is renewed until it is released or dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// Cancelled once the lease has passed to another worker.
    pub(super) lost: CancellationToken,
    /// Ends the heartbeat after the renewal that is under way.
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
                        // The fence in every commit decides; a heartbeat that fails is only worth a word.
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

    /// Releases the lease once no renewal is under way: one that came after it would hold the account
    /// for nobody.
    async fn release(self, pool: &Pool) -> Result<(), LoadError> {
        self.released.cancel();
        // One that panicked renews no more either.
        let _ = self.heartbeat.await;
        self.lease.release(pool).await
    }
}

/// The lease of one worker's account, shared by its runs.
#[derive(Debug, Default)]
pub(super) struct LeaseKeeper(Mutex<Weak<Held>>);

impl LeaseKeeper {
    /// The lease, where this worker has it already or nobody has it.
    ///
    /// # Errors
    /// The database fails.
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

    /// Releases the lease, unless another run works under it.
    pub(super) async fn release(&self, held: Arc<Held>, pool: &Pool) {
        // Locked, so that nobody takes it up while it is being released.
        let _shared = self.0.lock().await;
        if let Some(held) = Arc::into_inner(held)
            && let Err(error) = held.release(pool).await
        {
            warn!(error = %chain(&error), "could not release the lease, it ends by itself");
        }
    }
}
