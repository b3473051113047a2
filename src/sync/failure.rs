use tracing::warn;

use crate::extract::{Action, ApiError};
use crate::ledger::LoadError;
use crate::ledger::gaps;
use crate::ledger::problems::{Problem, ProblemCode};
use crate::telemetry::chain;

use super::guard::Crash;
use super::read::{ReadError, Reading, Verdict};

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

pub(super) const ELSEWHERE: &str =
    "the API does not keep to the requested range: its records lie outside the window";

pub(super) const STRAYS: &str =
    "elements of the answers have no id and may stand for records that are not shown";

pub(super) fn read_problem(error: &ReadError) -> Problem {
    let text = chain(error).to_string();
    match error {
        ReadError::Withheld { .. } => Problem::failed(
            "api_withholds",
            text,
            "check the app's rights, and the account's filters",
        ),
        ReadError::Api(api) => Problem {
            text,
            ..Problem::from(api)
        },
    }
}

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
        (_, None) if seen == 0 => (
            "window_refused",
            "the API refuses it as too long or too old".to_owned(),
        ),
        (_, None) => (
            "too_many_records",
            format!("the last page that can be had was full, and {seen} records were seen"),
        ),
    };
    Problem::warning(code, text, "")
}

impl WindowFailure {
    pub(super) fn of_reading(error: &ReadError) -> Self {
        let next = match error {
            ReadError::Withheld { .. } => AfterFailure::ContinueIfFew,
            ReadError::Api(ApiError::TooLarge { .. }) => AfterFailure::Continue,
            ReadError::Api(api) => match api.action() {
                Action::Retry | Action::GiveUpWindow => AfterFailure::ContinueIfFew,
                Action::SignInAgain | Action::StopAccount => AfterFailure::EndRun,
            },
        };
        Self {
            problem: read_problem(error),
            next,
        }
    }

    pub(super) fn of_task(error: &tokio::task::JoinError) -> Self {
        warn!(is_panic = error.is_panic(), "the task that read a window ended");
        Self {
            problem: Problem::failed(
                "crashed",
                "the task that read it ended too early",
                "report it with the lines before this one",
            ),
            next: AfterFailure::ContinueIfFew,
        }
    }

    pub(super) fn silent() -> Self {
        Self {
            problem: Problem::failed(
                "silent",
                Crash::Hung.to_string(),
                "see what holds up the API's answers; sync.stall_seconds says how long is too long",
            ),
            next: AfterFailure::ContinueIfFew,
        }
    }

    pub(super) fn of_data(error: &LoadError) -> Self {
        Self {
            problem: Problem::from(error),
            next: AfterFailure::ContinueIfFew,
        }
    }

    pub(super) fn gap(reading: &Reading) -> Self {
        let seen = reading.distinct_records;
        let problem = match (reading.verdict, reading.reported_total) {
            (Verdict::Elsewhere, _) => ProblemCode::RecordsOutsideWindow.saying(ELSEWHERE),
            (Verdict::Strays, _) => {
                let strays = reading.strays.len();
                ProblemCode::ElementsWithoutId.saying(format!("{STRAYS}: {strays} beside {seen} records"))
            }
            (Verdict::Inconsistent, _) => gaps::problem(format!(
                "records shift each time that this second is read; {seen} of them are stored"
            )),
            (_, Some(total)) => gaps::problem(format!(
                "the API reports {total} records in this second and shows {seen} of them, also by direction, channel and queue"
            )),
            (_, None) => gaps::problem(format!(
                "there are more records in this second than the API shows, and without totals nothing proves that the {seen} stored are all"
            )),
        };
        let next = match reading.verdict {
            Verdict::Drained | Verdict::Overflow => AfterFailure::Continue,
            // One window does not prove that ranges are ignored.
            Verdict::Elsewhere | Verdict::Strays | Verdict::Inconsistent => AfterFailure::ContinueIfFew,
        };
        Self { problem, next }
    }

    /// Other windows would fail too.
    pub(super) fn elsewhere() -> Self {
        Self {
            problem: ProblemCode::RecordsOutsideWindow.saying(ELSEWHERE),
            next: AfterFailure::EndRun,
        }
    }
}
