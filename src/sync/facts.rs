use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::AccountConfig;
use crate::ledger::{LoadError, conflict};
use crate::postgres::Pool;
use crate::time::pulse::Pulse;
use crate::warehouse::facts;

const TELL_EVERY: Duration = Duration::from_secs(10);

/// Returns the number of interactions; zero: no rebuild was asked for.
///
/// # Errors
/// The database fails; what is done stays done, and the next call resumes.
pub async fn rebuild(
    pool: &Pool,
    account: &AccountConfig,
    stop: &CancellationToken,
    pulse: &Pulse,
) -> Result<u64, LoadError> {
    let name = account.name.as_str();
    let (began, mut told, mut interactions) = (Instant::now(), Instant::now(), 0);
    while !stop.is_cancelled() {
        let rebuilding = || facts::rebuild_some(pool, &account.account_id);
        let some = conflict::retry(name, rebuilding).await?;
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
        let forgetting = || facts::forget_orphans(pool, &account.account_id);
        conflict::retry(name, forgetting).await?;
        let forgetting = || facts::forget_unnamed(pool, &account.account_id);
        conflict::retry(name, forgetting).await?;
    }
    Ok(interactions)
}
