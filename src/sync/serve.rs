//! Serves an account: takes the lease, runs engines, and ends one that hangs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::ledger::leases;
use crate::ledger::problems::Problem;
use crate::ledger::runs::{Kind, Outcome};
use crate::telemetry;
use crate::time::{Pulse, guard};

use super::account::{AccountContext, Health, HeldLease};
use super::engine::{self, Goal};
use super::report::RunReport;

pub(super) const LOOK_FOR_LEASE: Duration = Duration::from_secs(5);

/// One engine after the other, until stopped; each begins from the ledger.
pub async fn serve(account: AccountContext, wake: Arc<Notify>, stop: CancellationToken) {
    let mut stands_by = false;
    while !stop.is_cancelled() {
        let (began, pulse) = (Instant::now(), Arc::<Pulse>::default());
        let serving = serve_once(
            account.clone(),
            Arc::clone(&wake),
            stop.clone(),
            Arc::clone(&pulse),
        );
        let served = guard(serving, &pulse, account.sync.stall).await;
        let was_taken = matches!(served, Ok(Outcome::Skipped));
        if was_taken && !stands_by {
            info!(
                account = account.name(),
                "another worker has the account, standing by"
            );
        }
        stands_by = was_taken;
        if let Err(crash) = served {
            error!(account = account.name(), error = %crash, remedy = crash.remedy(), "run crashed");
            let (kind, failed) = (Kind::Poll.as_str(), Outcome::Failed.as_str());
            telemetry::run_finished(account.name(), kind, failed, began.elapsed());
            let report = RunReport::of_failure(Problem::failed("crashed", crash.to_string(), crash.remedy()));
            account.health.send_modify(|health| health.ended(&report));
        }
        stop.run_until_cancelled(tokio::time::sleep(LOOK_FOR_LEASE)).await;
    }
}

async fn serve_once(
    account: AccountContext,
    wake: Arc<Notify>,
    stop: CancellationToken,
    pulse: Arc<Pulse>,
) -> Outcome {
    account.health.send_modify(Health::begin);
    let report = match HeldLease::acquire(&account).await {
        Ok(Some(held)) => engine::work(&account, held, Goal::Serve(wake), stop, pulse).await,
        Ok(None) => match leases::ask_for(&account.pool, account.account_id()).await {
            Ok(()) => RunReport::skipped(),
            Err(error) => RunReport::not_begun(account.name(), &error),
        },
        Err(error) => RunReport::not_begun(account.name(), &error),
    };
    account.health.send_modify(|health| health.ended(&report));
    report.outcome
}
