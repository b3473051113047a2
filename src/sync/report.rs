//! How runs and windows ended.

use chrono::{DateTime, Utc};
use tracing::{error, info, warn};

use crate::extract::{Action, ApiError};
use crate::ledger::problems::{Failure, OTHER_FILTERS, Problem, ProblemCode};
use crate::ledger::requests::RequestProgress;
use crate::ledger::runs::{Kind, Outcome};
use crate::ledger::{Counters, LoadError, gaps};
use crate::telemetry::{self, chain};

use super::command::WishError;
use super::engine::WindowReport;
use super::read::{Reading, Verdict};

const CANCELLED: &str = "cancelled";

pub(super) const HANDED_OVER: &str = "handed over to the daemon";

#[derive(Debug, Clone)]
pub struct RunReport {
    pub outcome: Outcome,
    pub counters: Counters,
    /// At its end; `None` if it read nothing or was not closed.
    pub watermark: Option<DateTime<Utc>>,
    pub problem: Option<Problem>,
}

impl RunReport {
    pub fn failure(&self) -> Option<Failure> {
        let problem = self.problem.as_ref();
        (self.outcome == Outcome::Failed).then(|| problem.map_or(Failure::Other, Problem::failure))
    }

    pub fn was_cut_off(&self) -> bool {
        self.failure() == Some(Failure::DatabaseUnreachable)
    }

    pub fn has_read_nothing(&self) -> bool {
        self.outcome == Outcome::Succeeded && self.counters == Counters::default()
    }

    pub fn was_cancelled(&self) -> bool {
        let problem = self.problem.as_ref();
        problem.is_some_and(|problem| problem.code == CANCELLED)
    }

    pub(super) fn skipped() -> Self {
        Self::without_windows(Outcome::Skipped, None)
    }

    pub(super) fn not_asked(account: &str, error: &WishError) -> Self {
        match error {
            WishError::Ledger(error) => Self::not_begun(account, error),
            WishError::OtherFilters(_) => {
                let remedy = "use the daemon's configuration, or run `sync` with this one";
                let problem = Problem::failed(OTHER_FILTERS, error.to_string(), remedy);
                Self::of_failure(problem).said()
            }
        }
    }

    /// The command was stopped; its request stays.
    pub(super) fn left_open() -> Self {
        let mut report = Self::new();
        report.interrupted("told to stop; what was asked for stays, and is gone on with");
        report
    }

    pub(super) fn of_cancelled_request() -> Self {
        let mut report = Self::new();
        report.cancelled();
        report
    }

    /// As the ledger says; `None`: it is open.
    pub(super) fn of_request(progress: &RequestProgress) -> Option<Self> {
        let report = match progress.state.as_str() {
            "open" => return None,
            "done" => Self::new(),
            "cancelled" => Self::of_cancelled_request(),
            _ => Self::of_failure(progress.failure.problem()),
        };
        let counters = progress.counters();
        Some(Self { counters, ..report })
    }

    pub(super) fn said(self) -> Self {
        if let Some(problem) = &self.problem {
            error!(
                error = problem.text,
                remedy = problem.remedy,
                "the request was not served"
            );
        }
        self
    }

    pub(super) fn new() -> Self {
        Self::without_windows(Outcome::Succeeded, None)
    }

    /// It could not begin, or the database ended it. Logged and counted only here.
    pub fn not_begun(account: &str, error: &LoadError) -> Self {
        let outcome = if matches!(error, LoadError::LeaseLost) {
            warn!(
                account,
                remedy = error.remedy(),
                "the account's lease is lost, stepping back"
            );
            Outcome::Interrupted
        } else {
            telemetry::database_error(account, error.kind());
            error!(account, error = %chain(error), remedy = error.remedy(), "run failed");
            Outcome::Failed
        };
        Self::without_windows(outcome, Some(Problem::from(error)))
    }

    pub(super) fn of_failure(problem: Problem) -> Self {
        Self::without_windows(Outcome::Failed, Some(problem))
    }

    fn without_windows(outcome: Outcome, problem: Option<Problem>) -> Self {
        Self {
            outcome,
            counters: Counters::default(),
            watermark: None,
            problem,
        }
    }

    pub(super) fn add(&mut self, report: WindowReport) {
        self.counters += report.counters;
        if let Some(failure) = report.failure {
            self.failed(failure.problem);
        }
    }

    /// The first of equally bad problems stays.
    pub(super) fn failed(&mut self, problem: Problem) {
        if self.failure().is_none_or(|known| known < problem.failure()) {
            self.problem = Some(problem);
        }
        self.outcome = Outcome::Failed;
    }

    /// Unless it has failed.
    pub(super) fn interrupted(&mut self, why: &str) {
        if self.outcome == Outcome::Succeeded {
            self.cut_short(Problem::warning("interrupted", why, ""));
        }
    }

    /// Also where it was stopped for that.
    pub fn cancelled(&mut self) {
        if !self.has_failed() {
            self.cut_short(Problem::warning(
                CANCELLED,
                "cancelled before all of it was read",
                "",
            ));
        }
    }

    fn cut_short(&mut self, why: Problem) {
        self.outcome = Outcome::Interrupted;
        self.problem = Some(why);
    }

    /// The next holder tries again what has failed, so that this is no failure.
    pub(super) fn hand_over(&mut self) {
        self.cut_short(Problem::warning("interrupted", HANDED_OVER, ""));
    }

    pub(super) fn has_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }

    pub(super) fn remaining_gaps(&mut self, open: usize) {
        self.failed(gaps::problem(format!("gaps remain: {open}")));
    }

    pub(super) fn ended_by(&mut self, error: &LoadError) {
        if matches!(error, LoadError::LeaseLost) {
            self.cut_short(Problem::from(error));
        } else {
            self.failed(Problem::from(error));
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        let mut counters = self.counters;
        counters += other.counters;
        let (worse, better) = if other.rank() > self.rank() {
            (other, self)
        } else {
            (self, other)
        };
        Self {
            counters,
            watermark: worse.watermark.max(better.watermark),
            ..worse
        }
    }

    /// What the ledger says of its request, if that is worse.
    pub(super) fn or_worse(self, told: Self) -> Self {
        if told.rank() > self.rank() {
            told.said()
        } else {
            self
        }
    }

    fn rank(&self) -> (Outcome, Option<Failure>) {
        (self.outcome, self.failure())
    }

    /// The fields are an interface: `docs/logging.md`.
    pub(super) fn log(&self, kind: Kind, watermark_before: Option<DateTime<Utc>>, took: std::time::Duration) {
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
            watermark_before = watermark_before.map(telemetry::instant),
            watermark_after = self.watermark.map(telemetry::instant),
            seconds = (took.as_secs_f64() * 1_000.0).round() / 1_000.0,
            "run finished"
        );
    }
}

#[derive(Debug)]
pub(super) struct WindowFailure {
    pub(super) problem: Problem,
    pub(super) next: AfterFailure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterFailure {
    Continue,
    /// Others may be affected; a few end the run.
    ContinueIfFew,
    EndRun,
}

const ELSEWHERE: &str = "the API does not keep to the requested range: its records lie outside the window";

const STRAYS: &str = "elements of the answers have no id and may stand for records that are not shown";

pub(super) fn split(reading: &Reading) -> Problem {
    let seen = reading.distinct_records;
    let (code, text) = match (reading.verdict, reading.reported_total) {
        (Verdict::Strays, _) => (
            "elements_without_id",
            format!("{STRAYS}: {} beside {seen} records", reading.strays.len()),
        ),
        (Verdict::Inconsistent, _) => (
            "records_shift",
            format!(
                "each time that it was read others came, or fewer than the API reports: {seen} of them were seen"
            ),
        ),
        (_, Some(total)) => (
            "too_many_records",
            format!("the API reports {total} records, more than can be read at once"),
        ),
        (_, None) => (
            "too_many_records",
            format!("the last page that can be had was full, and {seen} records were seen"),
        ),
    };
    Problem::warning(code, text, "")
}

impl WindowFailure {
    pub(super) fn of_reading(error: &ApiError) -> Self {
        let problem = Problem::from(error);
        match error.action() {
            _ if matches!(error, ApiError::TooLarge { .. }) => Self::alone(problem),
            Action::Retry | Action::GiveUpWindow => Self::if_few(problem),
            Action::SignInAgain | Action::StopAccount => Self::of_all(problem),
        }
    }

    pub(super) fn of_task(error: &tokio::task::JoinError) -> Self {
        warn!(is_panic = error.is_panic(), "the task that read a window ended");
        Self::if_few(Problem::failed(
            "crashed",
            "the task that read it ended too early",
            "report it with the lines before this one",
        ))
    }

    pub(super) fn unsteady() -> Self {
        Self::alone(Problem::failed(
            "unsteady",
            "each time that it was read, other versions were stored meanwhile",
            "nothing: it is read again",
        ))
    }

    pub(super) fn of_data(error: &LoadError) -> Self {
        Self::if_few(Problem::from(error))
    }

    pub(super) fn gap(reading: &Reading) -> Self {
        let seen = reading.distinct_records;
        match (reading.verdict, reading.reported_total) {
            // One window does not prove that ranges are ignored.
            (Verdict::Elsewhere, _) => Self::if_few(ProblemCode::RecordsOutsideWindow.saying(ELSEWHERE)),
            (Verdict::Strays, _) => {
                let text = format!("{STRAYS}: {} beside {seen} records", reading.strays.len());
                Self::if_few(ProblemCode::ElementsWithoutId.saying(text))
            }
            (Verdict::Inconsistent, _) => Self::if_few(gaps::problem(format!(
                "records shift each time that this second is read; {seen} of them were seen"
            ))),
            (_, Some(total)) => Self::alone(gaps::problem(format!(
                "the API reports {total} records in this second and shows {seen} of them, also by direction, channel and queue"
            ))),
            (_, None) => Self::alone(gaps::problem(format!(
                "there are more records in this second than the API shows, and without totals nothing proves that the {seen} seen are all"
            ))),
        }
    }

    pub(super) fn elsewhere() -> Self {
        Self::of_all(ProblemCode::RecordsOutsideWindow.saying(ELSEWHERE))
    }

    pub(super) fn alone(problem: Problem) -> Self {
        let next = AfterFailure::Continue;
        Self { problem, next }
    }

    fn if_few(problem: Problem) -> Self {
        let next = AfterFailure::ContinueIfFew;
        Self { problem, next }
    }

    /// Other windows would fail too.
    pub(super) fn of_all(problem: Problem) -> Self {
        let next = AfterFailure::EndRun;
        Self { problem, next }
    }
}
