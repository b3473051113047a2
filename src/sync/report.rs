//! The progress and result of a run.

use chrono::{DateTime, Utc};
use tracing::{error, info, warn};

use crate::ledger::gaps;
use crate::ledger::runs::{Kind, Outcome};
use crate::ledger::{Counters, LoadError};
use crate::telemetry::{self, chain};
use crate::time::window::Window;

use super::failure::{Next, WindowFailure};
use super::window::WindowReport;

/// The result of a run.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// How it ended.
    pub outcome: Outcome,
    /// Sum of its windows.
    pub counters: Counters,
    /// Watermark before; `None` if not begun.
    pub watermark_before: Option<DateTime<Utc>>,
    /// Watermark after; `None` if not begun.
    pub watermark: Option<DateTime<Utc>>,
    /// Kind of failure.
    pub failure: Option<Failure>,
    /// The first problem.
    pub problem: Option<Problem>,
    /// It yielded, unfinished.
    pub gave_way: bool,
    /// Nothing was unread.
    pub was_idle: bool,
}

/// What made a run fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Sign-in or rights refused.
    Refused,
    /// The database is unreachable.
    DatabaseUnreachable,
    /// Anything else; see the log.
    Other,
}

/// The first problem, without bodies, values or secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong.
    pub error: String,
    /// For the operator; empty if none.
    pub remedy: &'static str,
}

impl Problem {
    fn of(error: &LoadError) -> Self {
        Self {
            error: chain(error).to_string(),
            remedy: error.remedy(),
        }
    }
}

impl Failure {
    fn of(error: &LoadError) -> Self {
        if error.is_unreachable() {
            Self::DatabaseUnreachable
        } else {
            Self::Other
        }
    }
}

impl RunReport {
    pub(super) fn skipped() -> Self {
        Self::without_windows(Outcome::Skipped, None, None)
    }

    pub(super) fn idle(watermark: DateTime<Utc>) -> Self {
        Self {
            watermark_before: Some(watermark),
            watermark: Some(watermark),
            was_idle: true,
            ..Self::without_windows(Outcome::Succeeded, None, None)
        }
    }

    pub(super) fn not_begun(error: &LoadError) -> Self {
        if matches!(error, LoadError::LeaseLost) {
            log_lost_lease(error);
            return Self::without_windows(Outcome::Interrupted, None, Some(Problem::of(error)));
        }
        error!(error = %chain(error), remedy = error.remedy(), "run failed");
        Self::without_windows(
            Outcome::Failed,
            Some(Failure::of(error)),
            Some(Problem::of(error)),
        )
    }

    pub(super) fn crashed(problem: Problem) -> Self {
        Self::without_windows(Outcome::Failed, Some(Failure::Other), Some(problem))
    }

    fn without_windows(outcome: Outcome, failure: Option<Failure>, problem: Option<Problem>) -> Self {
        Self {
            outcome,
            counters: Counters::default(),
            watermark_before: None,
            watermark: None,
            failure,
            problem,
            gave_way: false,
            was_idle: false,
        }
    }

    /// `docs/logging.md` documents the fields as an interface.
    pub(super) fn log(&self, kind: Kind, took: std::time::Duration) {
        let counters = &self.counters;
        info!(
            kind = kind.as_str(),
            outcome = self.outcome.as_str(),
            windows = counters.windows,
            pages = counters.pages,
            requests = counters.requests,
            records = counters.records,
            inserted = counters.inserted,
            updated = counters.updated,
            unchanged = counters.unchanged,
            missing = counters.missing,
            rejected = counters.rejected,
            watermark_before = self.watermark_before.map(telemetry::instant),
            watermark_after = self.watermark.map(telemetry::instant),
            seconds = (took.as_secs_f64() * 1_000.0).round() / 1_000.0,
            "run finished"
        );
    }
}

#[derive(Debug)]
pub(super) struct Progress {
    pub(super) counters: Counters,
    pub(super) watermark: DateTime<Utc>,
    pub(super) outcome: Outcome,
    pub(super) tried_all: bool,
    pub(super) problem: Option<Problem>,
    failure: Option<Failure>,
    gave_way: bool,
}

impl Progress {
    pub(super) fn from(watermark: DateTime<Utc>) -> Self {
        Self {
            counters: Counters::default(),
            watermark,
            outcome: Outcome::Succeeded,
            tried_all: false,
            problem: None,
            failure: None,
            gave_way: false,
        }
    }

    pub(super) fn add(&mut self, report: WindowReport) -> Option<Next> {
        self.counters += report.counters;
        self.watermark = report.watermark.unwrap_or(self.watermark);
        let failure = report.failure?;
        self.outcome = Outcome::Failed;
        self.problem.get_or_insert(Problem {
            error: failure.error,
            remedy: failure.remedy,
        });
        // It outweighs other failures.
        if failure.refused {
            self.failure = Some(Failure::Refused);
        }
        self.failure.get_or_insert(Failure::Other);
        Some(failure.next)
    }

    pub(super) fn not_compared(&mut self, day: Window, failure: WindowFailure) {
        let WindowFailure { error, remedy, .. } = &failure;
        error!(%day, error, remedy, "a day could not be compared");
        let report = WindowReport {
            counters: Counters::default(),
            watermark: None,
            failure: Some(failure),
        };
        self.add(report);
    }

    pub(super) fn interrupted(&mut self, why: &str) {
        self.outcome = Outcome::Interrupted;
        self.problem.get_or_insert(Problem {
            error: why.to_owned(),
            remedy: "",
        });
    }

    pub(super) fn give_way(&mut self) {
        self.gave_way = true;
        if self.outcome == Outcome::Succeeded {
            self.interrupted("gave way to the live daemon");
        }
    }

    pub(super) fn remaining_gaps(&mut self, open: usize) {
        self.outcome = Outcome::Failed;
        self.problem.get_or_insert_with(|| Problem {
            error: gaps::remain(open),
            remedy: gaps::REMEDY,
        });
        self.failure.get_or_insert(Failure::Other);
    }

    pub(super) fn ended_by(&mut self, error: &LoadError) {
        if matches!(error, LoadError::LeaseLost) {
            log_lost_lease(error);
            self.interrupted("the lease was lost");
            return;
        }
        error!(error = %chain(error), remedy = error.remedy(), "run failed");
        self.outcome = Outcome::Failed;
        self.problem.get_or_insert_with(|| Problem::of(error));
        self.failure = Some(Failure::of(error));
    }

    pub(super) fn into_report(self, watermark_before: DateTime<Utc>) -> RunReport {
        RunReport {
            outcome: self.outcome,
            counters: self.counters,
            watermark_before: Some(watermark_before),
            watermark: Some(self.watermark),
            failure: self.failure,
            problem: self.problem,
            gave_way: self.gave_way,
            was_idle: false,
        }
    }
}

fn log_lost_lease(error: &LoadError) {
    warn!(
        remedy = error.remedy(),
        "the account's lease is lost, stepping back"
    );
}
