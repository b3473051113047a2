//! Failed windows, and how the run continues.

use tracing::warn;

use crate::extract::{Action, ApiError};
use crate::ledger::LoadError;
use crate::ledger::gaps;
use crate::ledger::problems::ProblemCode;
use crate::telemetry::chain;

use super::drain::{ReadError, Reading, Verdict};

#[derive(Debug)]
pub(super) struct WindowFailure {
    pub(super) error: String,
    pub(super) remedy: &'static str,
    pub(super) next: Next,
    pub(super) refused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Only this window is affected.
    Continue,
    /// Others may be affected; a few end the run.
    ContinueIfFew,
    EndRun,
}

pub(super) const ELSEWHERE: &str =
    "the API does not keep to the range that it is asked for: its records do not lie in the window";

pub(super) const STRAYS: &str =
    "elements of the answers have no id and may stand for records that are not shown";

pub(super) fn gap_code(verdict: Verdict) -> Option<ProblemCode> {
    match verdict {
        Verdict::Elsewhere => Some(ProblemCode::RecordsOutsideWindow),
        Verdict::Strays => Some(ProblemCode::ElementsWithoutId),
        Verdict::Drift | Verdict::Drained | Verdict::Overflow => None,
    }
}

pub(super) fn gap_error(reading: &Reading) -> String {
    let seen = reading.distinct_records;
    match (reading.verdict, reading.reported_total) {
        (Verdict::Elsewhere, _) => ELSEWHERE.to_owned(),
        (Verdict::Strays, _) => {
            let strays = reading.rows.strays.len();
            format!("{STRAYS}: {strays} beside {seen} records")
        }
        (Verdict::Drift, _) => {
            format!("rows shift each time that this second is read; {seen} records are stored")
        }
        (_, Some(total)) => {
            format!(
                "the API reports {total} records in this second and shows {seen} of them, also by direction, channel and queue"
            )
        }
        (_, None) => format!(
            "there are more records in this second than the API shows, and without totals nothing proves that the {seen} stored are all"
        ),
    }
}

impl WindowFailure {
    pub(super) fn of_reading(error: &ReadError) -> Self {
        let (next, refused, remedy) = match error {
            ReadError::Withheld { .. } => (
                Next::ContinueIfFew,
                false,
                "check the app's rights, and the account's filters",
            ),
            ReadError::Api(api) => {
                let next = match (api, api.action()) {
                    (ApiError::TooLarge { .. }, _) => Next::Continue,
                    (_, Action::Retry | Action::GiveUpWindow) => Next::ContinueIfFew,
                    (_, Action::SignInAgain | Action::StopAccount) => Next::EndRun,
                };
                (next, matches!(api, ApiError::Refused { .. }), api.remedy())
            }
        };
        Self {
            error: chain(error).to_string(),
            remedy,
            next,
            refused,
        }
    }

    pub(super) fn of_task(error: &tokio::task::JoinError) -> Self {
        warn!(is_panic = error.is_panic(), "the task that read a window ended");
        Self {
            error: "the task that read it ended before its time".to_owned(),
            remedy: "report it with the lines before this one",
            next: Next::ContinueIfFew,
            refused: false,
        }
    }

    pub(super) fn of_data(error: &LoadError) -> Self {
        Self {
            error: chain(error).to_string(),
            remedy: error.remedy(),
            next: Next::ContinueIfFew,
            refused: false,
        }
    }

    pub(super) fn gap(error: String, verdict: Verdict) -> Self {
        let (error, remedy, next) = match verdict {
            // One window does not prove that ranges are ignored.
            Verdict::Elsewhere => (
                error,
                ProblemCode::RecordsOutsideWindow.remedy(),
                Next::ContinueIfFew,
            ),
            Verdict::Strays => (
                error,
                ProblemCode::ElementsWithoutId.remedy(),
                Next::ContinueIfFew,
            ),
            Verdict::Drift => (gaps::found(&error), gaps::REMEDY, Next::ContinueIfFew),
            Verdict::Drained | Verdict::Overflow => (gaps::found(&error), gaps::REMEDY, Next::Continue),
        };
        Self {
            error,
            remedy,
            next,
            refused: false,
        }
    }

    /// Other windows would fail too.
    pub(super) fn elsewhere() -> Self {
        Self {
            error: ELSEWHERE.to_owned(),
            remedy: ProblemCode::RecordsOutsideWindow.remedy(),
            next: Next::EndRun,
            refused: false,
        }
    }
}
