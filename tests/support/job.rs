//! What tests have an account read, in one pass of this process.

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_etl::ledger::Purpose;
use smartassist_etl::ledger::requests::{self, NewRequest};
use smartassist_etl::ledger::runs::Kind;
use smartassist_etl::sync::{self, AccountContext, RunReport};
use smartassist_etl::time::Window;
use tokio_util::sync::CancellationToken;

use super::real_now;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    Poll,
    Sync,
    Refresh {
        lookback: TimeDelta,
        /// By the database's clock.
        since: DateTime<Utc>,
        /// Also sessions without an end that started since, by the account's clock.
        open_since: Option<DateTime<Utc>>,
        /// Also what was read before it had settled.
        unsettled: bool,
    },
    Backfill {
        range: Window,
        refetch: bool,
    },
}

pub(crate) trait Runs {
    async fn run(&self, job: &Job, stop: &CancellationToken) -> RunReport;
}

impl Runs for AccountContext {
    async fn run(&self, job: &Job, stop: &CancellationToken) -> RunReport {
        match job {
            Job::Poll => sync::pass(self, Kind::Poll, stop).await,
            Job::Sync => sync::pass(self, Kind::Sync, stop).await,
            Job::Refresh { since, .. } => {
                for (policy, purpose, ranges) in selected(self, job).await {
                    ask(self, policy, purpose, &ranges, *since).await;
                }
                sync::pass(self, Kind::Poll, stop).await
            }
            Job::Backfill { range, refetch } => {
                let ranges = [*range];
                let wish = NewRequest {
                    due_for: refetch.then(TimeDelta::zero),
                    ..NewRequest::of(Purpose::Backfill, &ranges)
                };
                sync::fulfil(self, &wish, stop).await.1
            }
        }
    }
}

async fn selected(account: &AccountContext, job: &Job) -> Vec<(&'static str, Purpose, Vec<Window>)> {
    let Job::Refresh {
        lookback,
        open_since,
        unsettled,
        ..
    } = job
    else {
        return Vec::new();
    };
    let (pool, account_id) = (&account.pool, account.api.account().account_id.as_str());
    let head = sync::head(account.clock.now(), account.sync.settle);
    let mut selected = vec![(
        name(*lookback),
        Purpose::Refresh,
        vec![Window::new(head - *lookback, head)],
    )];
    if let Some(start) = open_since {
        let range = Window::new(*start, head - *lookback);
        let open = requests::select_open(pool, account_id, range).await.unwrap();
        selected.push(("open", Purpose::Open, open));
    }
    if *unsettled {
        let (late, now) = (account.sync.late, account.clock.now());
        let late = requests::select_late(pool, account_id, late, now).await;
        selected[0].2.extend(late.unwrap());
    }
    selected.retain(|(_, _, ranges)| !ranges.is_empty());
    selected
}

/// One policy for each lookback.
fn name(lookback: TimeDelta) -> &'static str {
    Box::leak(format!("{}m", lookback.num_minutes()).into_boxed_str())
}

async fn ask(
    account: &AccountContext,
    policy: &str,
    purpose: Purpose,
    ranges: &[Window],
    since: DateTime<Utc>,
) {
    let wish = NewRequest {
        due_for: Some(real_now() - since),
        policy: Some((policy, since)),
        ..NewRequest::of(purpose, ranges)
    };
    let by = (account.api.account().account_id.as_str(), "test");
    requests::ask(&account.pool, by, &wish).await.unwrap();
}
