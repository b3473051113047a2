//! Gathered once, shown as page, JSON, metrics and by `status`.

pub mod calendar;
pub mod facts;
pub mod problems;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::config::{AccountConfig, BudgetSpan, Config, RequestLimits, SyncConfig};
use crate::extract::BudgetUse;
use crate::ledger::LoadError;
use crate::ledger::problems::Problem;
use crate::ledger::status::{self, AccountDetails, AccountStatus, RunStatus};
use crate::postgres::Pool;
use crate::sync::{AccountContext, stalled_after};

use calendar::CalendarDay;
use problems::{Standing, Tolerance, WorkerState};

#[derive(Debug, Clone, Serialize)]
pub struct Board {
    pub at: DateTime<Utc>,
    pub version: &'static str,
    /// Configured, without runs.
    pub not_begun: Vec<String>,
    /// By name.
    pub accounts: Vec<AccountBoard>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AccountBoard {
    pub standing: Standing,
    /// Worst first.
    pub problems: Vec<Problem>,
    pub work: Vec<CurrentRun>,
    pub budget: Vec<BudgetUse>,
    #[serde(flatten)]
    pub status: AccountStatus,
    /// If in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<AccountDetails>,
    /// Days, if in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Vec<CalendarDay>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CurrentRun {
    #[serde(flatten)]
    pub run: RunStatus,
    pub eta_seconds: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct ConfiguredAccount<'a> {
    pub config: &'a AccountConfig,
    /// This process's worker, if any.
    pub inside: Option<WorkerState>,
}

impl<'a> ConfiguredAccount<'a> {
    pub fn of_config(config: &'a Config) -> Vec<Self> {
        let accounts = config.accounts.iter();
        accounts.map(|config| Self { config, inside: None }).collect()
    }

    pub fn of_worker(worker: &'a AccountContext) -> Self {
        let idle_for = worker.health().idle_for();
        Self {
            config: worker.api.account(),
            inside: Some(WorkerState {
                idle_for: TimeDelta::from_std(idle_for).unwrap_or(TimeDelta::MAX),
                has_stalled: idle_for >= worker.stalled_after(),
                problem: worker.health().problem(),
            }),
        }
    }
}

impl Tolerance {
    /// Counts from the last poll due before `now - stall`.
    pub fn at(now: DateTime<Utc>, sync: &SyncConfig, limits: Option<RequestLimits>) -> Self {
        let seconds = |span: Duration| TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
        let stall = seconds(limits.map_or(sync.stall, |limits| stalled_after(sync.stall, limits)));
        let due = sync.poll.last_before(now - stall);
        Self {
            lag: due.map_or(stall, |due| now - due) + seconds(sync.settle),
            stall,
        }
    }
}

/// With details of the last `days`, if given.
pub async fn gather(
    pool: &Pool,
    known: &[ConfiguredAccount<'_>],
    sync: &SyncConfig,
    now: DateTime<Utc>,
    days: Option<u64>,
) -> Result<Board, LoadError> {
    let first_day = now.date_naive() - Days::new(days.unwrap_or(1) - 1);
    let (accounts, details) = pool
        .transact(async |transaction| {
            let mut accounts = status::accounts(&mut *transaction).await?;
            accounts.retain_mut(|account| is_shown(account, known));
            accounts.sort_by(|one, other| one.name.cmp(&other.name));
            let mut details = Vec::new();
            if days.is_some() {
                let ids: Vec<&str> = accounts
                    .iter()
                    .map(|account| account.account_id.as_str())
                    .collect();
                details = status::details(&mut *transaction, &ids, first_day).await?;
            }
            Ok::<_, LoadError>((accounts, details))
        })
        .await?;
    let mut details: HashMap<String, AccountDetails> = details
        .into_iter()
        .map(|details| (details.account_id.clone(), details))
        .collect();
    let is_waiting = |known: &&ConfiguredAccount<'_>| {
        let mut of_ledger = accounts.iter();
        !of_ledger.any(|account| account.account_id == known.config.account_id)
    };
    let not_begun = known
        .iter()
        .filter(is_waiting)
        .map(|known| known.config.name.clone())
        .collect();
    let boards = accounts.into_iter().map(|account| {
        let details = details.remove(&account.account_id);
        let configured = configured(&account, known);
        AccountBoard::new(account, details, configured, sync, (first_day, now))
    });
    Ok(Board {
        at: now,
        version: env!("CARGO_PKG_VERSION"),
        accounts: boards.collect(),
        not_begun,
    })
}

fn configured<'a, 'b>(
    account: &AccountStatus,
    known: &'a [ConfiguredAccount<'b>],
) -> Option<&'a ConfiguredAccount<'b>> {
    known
        .iter()
        .find(|known| known.config.account_id == account.account_id)
}

/// Without configured accounts, all are shown. The configured name wins: the ledger's may be old.
fn is_shown(account: &mut AccountStatus, known: &[ConfiguredAccount<'_>]) -> bool {
    let configured = configured(account, known);
    if let Some(configured) = configured {
        account.name.clone_from(&configured.config.name);
    }
    configured.is_some() || known.is_empty()
}

impl Board {
    pub fn worst(&self) -> Option<Standing> {
        let waits = (!self.not_begun.is_empty()).then_some(Standing::CatchingUp);
        let accounts = self.accounts.iter().map(|account| account.standing);
        accounts.chain(waits).max()
    }
}

impl AccountBoard {
    fn new(
        status: AccountStatus,
        details: Option<AccountDetails>,
        known: Option<&ConfiguredAccount<'_>>,
        sync: &SyncConfig,
        (first_day, now): (NaiveDate, DateTime<Utc>),
    ) -> Self {
        let limits = known.map(|known| known.config.limits);
        let tolerance = Tolerance::at(now, sync, limits);
        let inside = known.and_then(|known| known.inside.as_ref());
        let problems = problems::problems(&status, inside, tolerance, now);
        let calendar = details
            .as_ref()
            .map(|details| calendar::days(status.start_from, details, first_day, now));
        Self {
            standing: problems::standing(&status, &problems, tolerance),
            problems,
            work: problems::work(&status)
                .map(|run| CurrentRun::new(run, limits, now))
                .collect(),
            budget: limits.map(|limits| budget(limits, &status)).unwrap_or_default(),
            status,
            details,
            calendar,
        }
    }
}

impl CurrentRun {
    fn new(run: &RunStatus, limits: Option<RequestLimits>, now: DateTime<Utc>) -> Self {
        let left = run.requests_left.and_then(|left| u64::try_from(left).ok());
        let elapsed = (now - run.started_at).to_std().unwrap_or_default();
        let made = u64::try_from(run.requests).unwrap_or_default();
        let eta = left.and_then(|left| eta(elapsed, made, left, limits));
        Self {
            run: run.clone(),
            eta_seconds: eta.map(|eta| eta.as_secs()),
        }
    }
}

/// The ledger counts all processes, but only ended windows.
fn budget(limits: RequestLimits, status: &AccountStatus) -> Vec<BudgetUse> {
    let in_use = |(span, limit): (BudgetSpan, u32)| {
        let used = match span {
            BudgetSpan::Minute => status.requests_last_minute,
            BudgetSpan::Hour => status.requests_last_hour,
        };
        let (used, limit) = (usize::try_from(used).unwrap_or_default(), limit as usize);
        BudgetUse { span, used, limit }
    };
    limits.spans().map(in_use).collect()
}

/// At the pace so far, no faster than the budget allows.
#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate needs no more than 52 bits"
)]
pub(crate) fn eta(took: Duration, made: u64, left: u64, limits: Option<RequestLimits>) -> Option<Duration> {
    let by_budget = limits.map_or(0.0, |limits| limits.time_for(1).as_secs_f64());
    let by_pace = (made > 0).then(|| took.as_secs_f64() / made as f64);
    let each = by_pace.or_else(|| (by_budget > 0.0).then_some(by_budget))?;
    Duration::try_from_secs_f64(each.max(by_budget) * left as f64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_estimate_follows_the_pace_so_far_within_the_budget() {
        assert_eq!(
            eta(seconds(10), 20, 10, Some(RequestLimits::of(0, 0))),
            Some(seconds(5))
        );
        assert_eq!(
            eta(seconds(10), 20, 10, Some(RequestLimits::of(60, 0))),
            Some(seconds(10))
        );
        assert_eq!(
            eta(seconds(100), 20, 30, Some(RequestLimits::of(60, 1_800))),
            Some(seconds(150))
        );
        assert_eq!(eta(seconds(10), 20, 0, None), Some(Duration::ZERO));
        assert_eq!(eta(seconds(10), 0, 10, None), None);
        assert_eq!(
            eta(seconds(10), 0, 10, Some(RequestLimits::of(0, 3_600))),
            Some(seconds(10))
        );
    }
}
