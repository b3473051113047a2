//! Reads accounts: plans what is left into windows, reads them until complete, and writes them.

mod account;
mod clean_up;
mod command;
mod compare;
mod density;
mod engine;
mod erase;
mod plan;
mod policies;
mod read;
mod report;
mod reprocess;
mod serve;
mod time_zone;

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use tracing::Span;

pub use account::{AccountContext, Headway, Health, kept_from, stalled_after};
pub use clean_up::rebuild_facts;
pub use command::{WishError, ask, catch_up, compared, fulfil, loaded, pass, see_through};
pub use compare::{DayComparison, Method};
pub use erase::{Erasure, erase, find_mentions};
pub use plan::head;
pub use read::{ApiProfile, NumResults, OffsetUnit, Probe, Range, Reached, probe, reach, worth_probing};
pub use report::RunReport;
pub use reprocess::{Replayed, Retry, RetryReport};
pub use serve::serve;
pub use time_zone::{TimeZoneVerdict, Witness};

/// Many accounts catch up at once.
static PROCESSORS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// What takes a processor for long, beside the tasks that wait for API and database.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (span, processor) = (Span::current(), PROCESSORS.acquire().await);
    let working = move || {
        let _held = processor;
        span.in_scope(work)
    };
    joined(spawn_blocking(working).await)
}

/// A panic in a task ends who waits for it: the next attempt starts from the ledger.
fn joined<T>(task: Result<T, JoinError>) -> T {
    task.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
}
