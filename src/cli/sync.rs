//! `sync`: one pass up to now, then due refreshes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::Config;
use crate::ledger::problems::Failure;
use crate::ledger::runs::Outcome;
use crate::sync::{Job, RunReport};
use crate::telemetry::logging::Screen;

use super::accounts;
use super::exit::CommandError;
use super::progress::Watched;

const RETRY_PAUSE: Duration = Duration::from_secs(3);

/// Minimum time before a refresh yields.
const SHORTEST_TURN: Duration = Duration::from_secs(60);

pub(super) async fn sync(config: &Config, screen: &Screen) -> Result<(), CommandError> {
    accounts::work(config, screen, async |watched, stop| {
        let mut report = pass(watched, config, stop).await;
        if watched.clean_up(stop).await.is_err() && report.outcome == Outcome::Succeeded {
            report.outcome = Outcome::Failed;
        }
        report
    })
    .await
}

/// Repeats until no refresh yielded.
async fn pass(watched: &Watched<'_>, config: &Config, stop: &CancellationToken) -> RunReport {
    // Long enough for a dead worker's lease to expire.
    let patience = config.sync.lease * 2;
    let mut report = run_when_free(watched, &Job::Sync, stop, patience).await;
    loop {
        let mut made_way = false;
        for due in watched.due_refreshes(&config.sync) {
            if ends_sync(&report) || stop.is_cancelled() {
                return report;
            }
            let turn = stop.child_token();
            let refreshing = run_when_free(watched, &due.job, &turn, patience);
            let refreshed = until_made_way(refreshing, &turn, pause_until(watched, due.makes_way_at)).await;
            made_way =
                refreshed.outcome == Outcome::Interrupted && turn.is_cancelled() && !stop.is_cancelled();
            if made_way {
                break;
            }
            report = worse(report, refreshed);
        }
        if !made_way {
            return report;
        }
        report = worse(report, run_when_free(watched, &Job::Sync, stop, patience).await);
    }
}

async fn until_made_way(
    running: impl Future<Output = RunReport>,
    turn: &CancellationToken,
    makes_way: impl Future<Output = ()>,
) -> RunReport {
    let mut running = std::pin::pin!(running);
    tokio::select! {
        report = &mut running => report,
        () = makes_way => {
            turn.cancel();
            running.await
        }
    }
}

async fn pause_until(watched: &Watched<'_>, at: Option<DateTime<Utc>>) {
    match at {
        Some(at) => {
            let pause = (at.to_utc() - watched.now()).to_std().unwrap_or_default();
            tokio::time::sleep(pause.max(SHORTEST_TURN)).await;
        }
        None => std::future::pending().await,
    }
}

fn ends_sync(report: &RunReport) -> bool {
    let is_general = matches!(
        report.failure(),
        Some(Failure::Refused | Failure::DatabaseUnreachable)
    );
    is_general || matches!(report.outcome, Outcome::Skipped | Outcome::Interrupted)
}

fn worse(before: RunReport, after: RunReport) -> RunReport {
    let rank = |report: &RunReport| match report.outcome {
        Outcome::Succeeded => 0,
        Outcome::Skipped => 1,
        Outcome::Interrupted => 2,
        Outcome::Failed if report.failure() == Some(Failure::DatabaseUnreachable) => 5,
        Outcome::Failed if report.failure() == Some(Failure::Refused) => 4,
        Outcome::Failed => 3,
    };
    if rank(&after) > rank(&before) {
        after
    } else {
        before
    }
}

async fn run_when_free(
    watched: &Watched<'_>,
    job: &Job,
    stop: &CancellationToken,
    patience: Duration,
) -> RunReport {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let report = watched.run(job, stop).await;
        let give_up = stop.is_cancelled() || tokio::time::Instant::now() >= deadline;
        if report.outcome != Outcome::Skipped || give_up {
            return report;
        }
        info!(
            account = watched.account(),
            pause_seconds = RETRY_PAUSE.as_secs(),
            "waiting for the account"
        );
        stop.run_until_cancelled(tokio::time::sleep(RETRY_PAUSE)).await;
    }
}

#[cfg(test)]
mod tests {
    use crate::ledger::Counters;

    use super::*;

    fn ended(outcome: Outcome) -> RunReport {
        RunReport {
            outcome,
            counters: Counters::default(),
            watermark_before: None,
            watermark: None,
            problem: None,
            gave_way: false,
            was_idle: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refresh_is_stopped_when_it_has_to_make_way_and_not_before() {
        for (takes, stopped) in [(50, false), (100, true)] {
            let turn = CancellationToken::new();
            let told = turn.clone();
            let running = async {
                let work = tokio::time::sleep(Duration::from_secs(takes));
                let is_done = told.run_until_cancelled(work).await.is_some();
                ended(if is_done {
                    Outcome::Succeeded
                } else {
                    Outcome::Interrupted
                })
            };
            let way = tokio::time::sleep(Duration::from_secs(60));
            let report = until_made_way(running, &turn, way).await;
            assert_eq!(report.outcome == Outcome::Interrupted, stopped);
        }
    }

    #[test]
    fn of_several_runs_the_worst_is_told() {
        let outcomes = [Outcome::Succeeded, Outcome::Failed, Outcome::Skipped];
        let reports = outcomes.map(ended);
        let worst = reports.into_iter().reduce(worse).unwrap();
        assert_eq!(worst.outcome, Outcome::Failed);
    }
}
