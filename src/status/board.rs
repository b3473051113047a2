//! The state shown by page, `/api/status` and `status`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::config::{BudgetSpan, Config, RequestLimits, SyncConfig};
use crate::extract::BudgetUse;
use crate::ledger::LoadError;
use crate::ledger::status::{self, AccountDetails, AccountStatus, RunStatus};
use crate::postgres::Pool;
use crate::sync::{AccountWorker, stalled_after};

use super::calendar::{Calendar, Cell};
use super::concern::{self, Concern, Standing, Tolerance, WorkerState};
use super::pace;
use crate::telemetry::{grouped, plural, span};

/// State of all accounts.
#[derive(Debug, Clone, Serialize)]
pub struct Board {
    /// When gathered.
    pub at: DateTime<Utc>,
    /// Program version.
    pub version: &'static str,
    /// Configured accounts without runs.
    pub not_begun: Vec<String>,
    /// Sorted by name.
    pub accounts: Vec<AccountBoard>,
}

/// State of an account.
#[derive(Debug, Clone, Serialize)]
pub struct AccountBoard {
    /// Overall state.
    pub standing: Standing,
    /// Worst first.
    pub concerns: Vec<Concern>,
    /// Current runs.
    pub work: Vec<Work>,
    /// Use of request limits.
    pub budget: Vec<BudgetLine>,
    /// Ledger state.
    #[serde(flatten)]
    pub status: AccountStatus,
    /// If in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<AccountDetails>,
    /// Days, if in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Vec<Cell>>,
}

/// A current run.
#[derive(Debug, Clone, Serialize)]
pub struct Work {
    /// Run kind.
    pub kind: String,
    /// Start.
    pub since: DateTime<Utc>,
    /// Requests made.
    pub requests: i64,
    /// Estimated requests left.
    pub requests_left: Option<i64>,
    /// Records received.
    pub records: i64,
    /// Estimated seconds left.
    pub eta_seconds: Option<u64>,
}

/// Use of a limit.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BudgetLine {
    /// Sliding span.
    #[serde(rename = "span_seconds")]
    pub span: BudgetSpan,
    /// Requests made.
    pub used: u64,
    /// Requests allowed.
    pub limit: u64,
}

/// A configured account.
#[derive(Debug, Clone)]
pub struct ConfiguredAccount {
    /// API account id.
    pub account_id: String,
    /// Configured name.
    pub name: String,
    /// Request limits.
    pub limits: RequestLimits,
    /// This process's requests.
    pub spent: Vec<BudgetUse>,
    /// This process's worker, if any.
    pub inside: Option<WorkerState>,
}

impl ConfiguredAccount {
    /// Accounts without workers.
    pub fn of_config(config: &Config) -> Vec<Self> {
        let known = |account: &crate::config::AccountConfig| Self {
            account_id: account.account_id.clone(),
            name: account.name.clone(),
            limits: account.limits,
            spent: Vec::new(),
            inside: None,
        };
        config.accounts.iter().map(known).collect()
    }

    /// A worker's account.
    pub fn of_worker(worker: &AccountWorker) -> Self {
        let account = worker.api.account();
        let idle_for = worker.liveness.idle_for();
        Self {
            account_id: account.account_id.clone(),
            name: account.name.clone(),
            limits: worker.api.account().limits,
            spent: worker.api.budget_uses(),
            inside: Some(WorkerState {
                idle_for: TimeDelta::from_std(idle_for).unwrap_or(TimeDelta::MAX),
                has_stalled: idle_for >= worker.stalled_after(),
                problem: worker.liveness.problem(),
                api_clock_ahead: worker.api.clock_skew(),
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

/// What to read.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Details only up to this number of accounts.
    Few(usize),
    /// One account.
    One(&'a str),
    /// Everything.
    Whole,
}

/// Reads the board.
///
/// # Errors
/// The database fails.
pub async fn gather(
    pool: &Pool,
    known: &[ConfiguredAccount],
    sync: &SyncConfig,
    now: DateTime<Utc>,
    scope: Scope<'_>,
) -> Result<Board, LoadError> {
    let (accounts, mut details) = pool
        .transact(async |transaction| {
            let mut accounts = status::accounts(&mut *transaction).await?;
            // Without configured accounts, all are shown.
            accounts.retain(|account| known.is_empty() || is_configured(known, account));
            if let Scope::One(name) = scope {
                accounts.retain(|account| account.name == name);
            }
            let is_whole = match scope {
                Scope::Few(most) => accounts.len() <= most,
                Scope::One(_) | Scope::Whole => true,
            };
            let mut details = Vec::new();
            if is_whole {
                let ids: Vec<&str> = accounts
                    .iter()
                    .map(|account| account.account_id.as_str())
                    .collect();
                details = status::details(&mut *transaction, &ids).await?;
            }
            Ok::<_, LoadError>((accounts, details))
        })
        .await?;
    let boards = accounts.into_iter().map(|account| {
        let details = details
            .iter()
            .position(|of| of.account_id == account.account_id)
            .map(|place| details.swap_remove(place));
        let known = known.iter().find(|known| known.account_id == account.account_id);
        let tolerance = Tolerance::at(now, sync, known.map(|known| known.limits));
        AccountBoard::new(account, details, known, tolerance, now)
    });
    let accounts: Vec<AccountBoard> = boards.collect();
    let is_in_books = |known: &&ConfiguredAccount| {
        let mut of_books = accounts.iter().map(|account| &account.status.account_id);
        of_books.any(|account_id| *account_id == known.account_id)
    };
    let not_begun = known.iter().filter(|known| !is_in_books(known));
    Ok(Board {
        at: now,
        version: env!("CARGO_PKG_VERSION"),
        not_begun: match scope {
            Scope::One(_) => Vec::new(),
            _ => not_begun.map(|known| known.name.clone()).collect(),
        },
        accounts,
    })
}

fn is_configured(known: &[ConfiguredAccount], account: &AccountStatus) -> bool {
    known.iter().any(|known| known.account_id == account.account_id)
}

impl Board {
    /// Worst account state.
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
        known: Option<&ConfiguredAccount>,
        tolerance: Tolerance,
        now: DateTime<Utc>,
    ) -> Self {
        let inside = known.and_then(|known| known.inside.as_ref());
        let concerns = concern::concerns(&status, inside, tolerance, now);
        let calendar = details.as_ref().map(|details| {
            let calendar = Calendar {
                start_from: status.start_from,
                details,
                now,
            };
            calendar.days()
        });
        Self {
            standing: concern::standing(&status, &concerns, tolerance),
            concerns,
            work: concern::work(&status)
                .map(|run| Work::new(run, known, now))
                .collect(),
            budget: known.map(|known| budget(known, &status)).unwrap_or_default(),
            status,
            details,
            calendar,
        }
    }

    /// Whether the watermark moved.
    pub fn has_loaded(&self) -> bool {
        self.status.watermark > self.status.start_from
    }

    /// Whether anything has settled.
    pub fn has_settled(&self) -> bool {
        self.status.settled_through > self.status.start_from
    }
}

impl BudgetLine {
    /// Display text.
    pub fn words(&self) -> String {
        format!("{} of {} a {}", self.used, self.limit, self.span.as_str())
    }
}

impl Work {
    fn new(run: &RunStatus, known: Option<&ConfiguredAccount>, now: DateTime<Utc>) -> Self {
        let limits = known.map(|known| known.limits);
        let left = run.requests_left.and_then(|left| u64::try_from(left).ok());
        let elapsed = (now - run.started_at).to_std().unwrap_or_default();
        let made = u64::try_from(run.requests).unwrap_or_default();
        let eta = left.and_then(|left| pace::at_average(elapsed, made, left, limits));
        Self {
            kind: run.kind.clone(),
            since: run.started_at,
            requests: run.requests,
            requests_left: run.requests_left,
            records: run.records,
            eta_seconds: eta.map(|eta| eta.as_secs()),
        }
    }

    /// Display text.
    pub fn words(&self, now: DateTime<Utc>) -> String {
        let since = span((now - self.since).num_seconds());
        let requests = plural(self.requests, "request", "requests");
        let mut words = format!("{} for {since}, {requests}", self.kind);
        if let (Some(left), Some(percent)) = (self.requests_left, self.percent()) {
            words += &format!(" of about {} ({percent} %)", grouped(self.requests + left));
        }
        words += &format!(", {}", plural(self.records, "record", "records"));
        if let Some(seconds) = self.eta_seconds.and_then(|seconds| i64::try_from(seconds).ok()) {
            words += &format!(", about {} left", span(seconds));
        }
        words
    }

    /// Percent done, if known.
    pub fn percent(&self) -> Option<i64> {
        let left = self.requests_left?;
        let all = self.requests + left;
        (all > 0).then(|| self.requests * 100 / all)
    }
}

/// The ledger counts all processes, but only ended windows.
fn budget(known: &ConfiguredAccount, status: &AccountStatus) -> Vec<BudgetLine> {
    let line = |(span, limit): (BudgetSpan, u32)| {
        let booked = match span {
            BudgetSpan::Minute => status.requests_last_minute,
            BudgetSpan::Hour => status.requests_last_hour,
        };
        let here = known.spent.iter().find(|spent| spent.span == span);
        let here = here.map_or(0, |spent| spent.used as u64);
        BudgetLine {
            span,
            used: here.max(u64::try_from(booked).unwrap_or_default()),
            limit: limit.into(),
        }
    };
    known.limits.spans().map(line).collect()
}
