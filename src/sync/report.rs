//! The progress and result of a run.

use chrono::{DateTime, Utc};
use tracing::{error, info, warn};

use crate::ledger::gaps;
use crate::ledger::problems::{Failure, Problem};
use crate::ledger::runs::{Kind, Outcome};
use crate::ledger::{Counters, LoadError};
use crate::telemetry::{self, chain};
use crate::time::window::Window;

use super::failure::Next;
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
    /// The worst problem.
    pub problem: Option<Problem>,
    /// It yielded, unfinished.
    pub gave_way: bool,
    /// Nothing was unread.
    pub was_idle: bool,
}

impl RunReport {
    /// Whose fault it is that it failed.
    pub fn failure(&self) -> Option<Failure> {
        let problem = self.problem.as_ref();
        (self.outcome == Outcome::Failed).then(|| problem.map_or(Failure::Other, Problem::failure))
    }

    pub(super) fn skipped() -> Self {
        Self::without_windows(Outcome::Skipped, None)
    }

    pub(super) fn idle(watermark: DateTime<Utc>) -> Self {
        Self {
            watermark_before: Some(watermark),
            watermark: Some(watermark),
            was_idle: true,
            ..Self::without_windows(Outcome::Succeeded, None)
        }
    }

    pub(super) fn not_begun(error: &LoadError) -> Self {
        let outcome = if matches!(error, LoadError::LeaseLost) {
            log_lost_lease(error);
            Outcome::Interrupted
        } else {
            error!(error = %chain(error), remedy = error.remedy(), "run failed");
            Outcome::Failed
        };
        Self::without_windows(outcome, Some(Problem::from(error)))
    }

    pub(super) fn crashed(problem: Problem) -> Self {
        Self::without_windows(Outcome::Failed, Some(problem))
    }

    fn without_windows(outcome: Outcome, problem: Option<Problem>) -> Self {
        Self {
            outcome,
            counters: Counters::default(),
            watermark_before: None,
            watermark: None,
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
            gave_way: false,
        }
    }

    pub(super) fn add(&mut self, report: WindowReport) -> Option<Next> {
        self.counters += report.counters;
        self.watermark = report.watermark.unwrap_or(self.watermark);
        let failure = report.failure?;
        self.failed(failure.problem);
        Some(failure.next)
    }

    /// Of equally bad problems the first is kept.
    fn failed(&mut self, problem: Problem) {
        let is_worse = self.outcome == Outcome::Failed
            && self
                .problem
                .as_ref()
                .is_some_and(|known| known.failure() >= problem.failure());
        self.outcome = Outcome::Failed;
        if !is_worse {
            self.problem = Some(problem);
        }
    }

    pub(super) fn not_compared(&mut self, day: Window, problem: Problem) {
        let Problem {
            text: error, remedy, ..
        } = &problem;
        error!(%day, error, remedy, "a day could not be compared");
        self.failed(problem);
    }

    pub(super) fn interrupted(&mut self, why: &str) {
        self.outcome = Outcome::Interrupted;
        self.problem
            .get_or_insert_with(|| Problem::warning("interrupted", why, ""));
    }

    pub(super) fn give_way(&mut self) {
        self.gave_way = true;
        if self.outcome == Outcome::Succeeded {
            self.interrupted("gave way to the live daemon");
        }
    }

    pub(super) fn remaining_gaps(&mut self, open: usize) {
        self.failed(gaps::problem(format!("gaps remain: {open}")));
    }

    pub(super) fn ended_by(&mut self, error: &LoadError) {
        if matches!(error, LoadError::LeaseLost) {
            log_lost_lease(error);
            self.interrupted("the lease was lost");
            return;
        }
        error!(error = %chain(error), remedy = error.remedy(), "run failed");
        self.failed(Problem::from(error));
    }

    pub(super) fn into_report(self, watermark_before: DateTime<Utc>) -> RunReport {
        RunReport {
            outcome: self.outcome,
            counters: self.counters,
            watermark_before: Some(watermark_before),
            watermark: Some(self.watermark),
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
