//! Holding the account's lease while anything works under it.
//!
//! A poll and a refresh may run at the same time: they share one lease, and the last one to end
//! lets it go.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, warn};

use crate::database::Pool;
use crate::load::LoadError;
use crate::load::leases::{self, Lease};
use crate::observe::chain;

/// A lease is renewed this often while it lasts, so that a lost heartbeat or two do no harm.
const BEATS_PER_LEASE: u32 = 3;

/// A lease that is renewed until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// Cancelled once the lease has passed to another worker.
    pub(super) lost: CancellationToken,
    _heartbeat: AbortOnDropHandle<()>,
}

impl Held {
    fn start(pool: Pool, lease: Lease, lasts: Duration) -> Self {
        let lost = CancellationToken::new();
        let beating = {
            let (lost, lease) = (lost.clone(), lease.clone());
            async move {
                until_lost(pool, lease, lasts).await;
                lost.cancel();
            }
        };
        let heartbeat = tokio::spawn(beating.in_current_span());
        Self {
            lease,
            lost,
            _heartbeat: AbortOnDropHandle::new(heartbeat),
        }
    }
}

async fn until_lost(pool: Pool, lease: Lease, lasts: Duration) {
    loop {
        tokio::time::sleep(lasts / BEATS_PER_LEASE).await;
        match lease.renew(&pool, lasts).await {
            Ok(()) => {}
            Err(LoadError::LeaseLost) => return,
            // The fence in every commit decides; a heartbeat that fails is only worth a word.
            Err(error) => warn!(error = %chain(&error), "could not renew the lease"),
        }
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

    /// Lets the lease go, unless another run works under it.
    pub(super) async fn let_go(&self, held: Arc<Held>, pool: &Pool) {
        // Locked, so that nobody takes it up while it is being released.
        let _shared = self.0.lock().await;
        if let Some(held) = Arc::into_inner(held)
            && let Err(error) = held.lease.release(pool).await
        {
            warn!(error = %chain(&error), "could not release the lease, it ends by itself");
        }
    }
}
