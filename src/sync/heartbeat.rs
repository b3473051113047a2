//! Keeping a lease alive while a run works under it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, warn};

use crate::load::LoadError;
use crate::load::leases::Lease;
use crate::observe::chain;

/// A lease is renewed this often while it lasts, so that a lost heartbeat or two do no harm.
const BEATS_PER_LEASE: u32 = 3;

/// Renews a lease until it is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// Cancelled when the run should fetch nothing more: it was told to stop, or the lease is lost.
    pub(super) enough: CancellationToken,
    lost: Arc<AtomicBool>,
    _task: AbortOnDropHandle<()>,
}

impl Heartbeat {
    pub(super) fn start(pool: PgPool, lease: Lease, lasts: Duration, stop: &CancellationToken) -> Self {
        let enough = stop.child_token();
        let lost = Arc::new(AtomicBool::new(false));
        let beating = {
            let (enough, lost) = (enough.clone(), Arc::clone(&lost));
            async move {
                until_lost(pool, lease, lasts).await;
                lost.store(true, Ordering::Relaxed);
                enough.cancel();
            }
        };
        let task = tokio::spawn(beating.in_current_span());
        Self {
            enough,
            lost,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Whether the lease has passed to another worker.
    pub(super) fn lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

async fn until_lost(pool: PgPool, lease: Lease, lasts: Duration) {
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
