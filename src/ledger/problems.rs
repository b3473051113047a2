//! One shape of what is wrong and what to do, for all who tell it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor};
use tracing::{error, info, warn};

use crate::extract::{ApiError, HOURLY_LIMIT_REMEDY};
use crate::postgres::{DatabaseErrorKind, OpenError};
use crate::telemetry::{chain, second};

use super::{LoadError, spelled};

spelled! {
    #[derive(PartialOrd, Ord)]
    Severity {
        Ok = "ok",
        Warning = "warning",
        /// Data is missing, late or wrong.
        Failed = "failed",
    }
}

/// Whose fault a failure is: it decides the exit code. The worst is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    Other,
    OtherFilters,
    Refused,
    DatabaseUnreachable,
}

const API_REFUSED: &str = "api_refused";
pub const OTHER_FILTERS: &str = "other_filters";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredProblem")]
pub struct Problem {
    /// For alerts; never changes.
    pub code: String,
    pub severity: Severity,
    /// Without bodies, values or secrets.
    pub text: String,
    /// Empty if there is nothing to do.
    pub remedy: String,
}

impl Problem {
    pub fn warning(code: impl Into<String>, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            severity: Severity::Warning,
            text: text.into(),
            remedy: remedy.into(),
        }
    }

    pub fn failed(code: impl Into<String>, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Failed,
            ..Self::warning(code, text, remedy)
        }
    }

    pub fn failure(&self) -> Failure {
        match self.code.as_str() {
            API_REFUSED => Failure::Refused,
            OTHER_FILTERS => Failure::OtherFilters,
            code if is_of_connecting(code) => Failure::DatabaseUnreachable,
            _ => Failure::Other,
        }
    }
}

fn is_of_connecting(code: &str) -> bool {
    let kind = code.strip_prefix("database_");
    DatabaseErrorKind::OF_CONNECTING
        .iter()
        .any(|of_connecting| kind == Some(of_connecting.name()))
}

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        let code = format!("api_{}", error.kind());
        Self::failed(code, chain(error).to_string(), error.remedy())
    }
}

impl From<&LoadError> for Problem {
    fn from(error: &LoadError) -> Self {
        Self::failed(error.code(), chain(error).to_string(), error.remedy())
    }
}

impl From<&OpenError> for Problem {
    fn from(error: &OpenError) -> Self {
        let code = if error.is_of_configuration() {
            "database_configuration"
        } else {
            "database_unreachable"
        };
        Self::failed(code, chain(error).to_string(), error.remedy())
    }
}

spelled! {
    /// A problem that is stored until it is over.
    #[derive(Hash)]
    ProblemCode {
        BulkMissing = "bulk_missing",
        RecordsOutsideWindow = "records_outside_window",
        ElementsWithoutId = "elements_without_id",
        AllRecordsRejected = "all_records_rejected",
        HistoryNotServed = "history_not_served",
        TimeZone = "time_zone",
        HourlyLimit = "hourly_limit",
        RejectedRecordsNotKept = "rejected_records_not_kept",
        CannotBegin = "cannot_begin",
    }
}

impl ProblemCode {
    fn meaning(self) -> (Severity, &'static str, &'static str) {
        match self {
            Self::BulkMissing => (
                Severity::Failed,
                "many interactions are no longer returned by the API; they are not marked as missing",
                "check at the source whether they are really gone; if so, run `smartassist-etl confirm-missing --account NAME`. \
         They are kept as they are until then, until they are returned again, or until they have been missing for \
         sync.missing_confirm_hours while the source returned other records",
            ),
            Self::RecordsOutsideWindow => (
                Severity::Failed,
                "the API returns records that lie outside the requested window; such windows are not complete",
                "check base_url, time_zone_offset and extra_body, and ask the vendor how the date range is applied",
            ),
            Self::ElementsWithoutId => (
                Severity::Failed,
                "the API returns elements without an id among records; such windows are not complete",
                "see smartassist_sync.rejected_records for their text, and ask the vendor; the windows are read again by themselves",
            ),
            Self::AllRecordsRejected => (
                Severity::Failed,
                "all records of the newest window were rejected",
                "see smartassist_sync.rejected_records for why; after an upgrade, run `retry-rejected`",
            ),
            Self::HistoryNotServed => (
                Severity::Warning,
                "the API does not serve older interactions",
                "if you do not need older ones, set start_from of the account to the instant from which the API serves interactions; \
         else wait: one request a day asks for older ones, which are loaded once they are served",
            ),
            Self::TimeZone => (
                Severity::Failed,
                "time stamps contradict each other: interactions are stored at wrong instants",
                "set time_zone_offset of the account to the one that fits, and run `backfill --refetch --from DATE --to DATE`; if \
         stamps still contradict each other, no offset fits: ask the vendor which zone its stamps are in",
            ),
            Self::HourlyLimit => (
                Severity::Warning,
                "the API refuses requests although the minute has room: it also limits the hour",
                HOURLY_LIMIT_REMEDY,
            ),
            Self::RejectedRecordsNotKept => (
                Severity::Failed,
                "more records are rejected in a day than are kept; further ones are only counted",
                "see smartassist_sync.rejected_records for why; once it is repaired, run `backfill --refetch --from DATE --to DATE` for these days",
            ),
            Self::CannotBegin => (
                Severity::Failed,
                "no run can begin, so nothing is stored",
                "`doctor` says what to do; it is tried again by itself",
            ),
        }
    }

    /// Without figures.
    pub fn problem(self) -> Problem {
        let (severity, text, remedy) = self.meaning();
        Problem {
            severity,
            ..Problem::warning(self.as_str(), text, remedy)
        }
    }

    pub fn saying(self, text: impl Into<String>) -> Problem {
        Problem {
            text: text.into(),
            ..self.problem()
        }
    }
}

/// The code may be of a newer version.
#[derive(Debug, Deserialize, FromRow)]
struct StoredProblem {
    code: String,
    detail: String,
    since: DateTime<Utc>,
}

impl From<StoredProblem> for Problem {
    fn from(stored: StoredProblem) -> Self {
        let mut problem = match ProblemCode::try_from(stored.code) {
            Ok(code) => code.problem(),
            Err(code) => {
                let remedy = "a newer version of this program found it: see its log";
                Self::warning(code.clone(), code, remedy)
            }
        };
        if !stored.detail.is_empty() {
            problem.text += &format!(" ({})", stored.detail);
        }
        problem.text += &format!(", since {}", second(stored.since));
        problem
    }
}

/// Returns `true` if it is new. `detail` must hold no record values.
pub async fn raise(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    code: ProblemCode,
    detail: &str,
) -> Result<bool, LoadError> {
    let is_new: Option<bool> = sqlx::query_scalar(include_str!("raise_problem.sql"))
        .bind(account_id)
        .bind(code.as_str())
        .bind(detail)
        .fetch_optional(executor)
        .await?;
    let is_new = is_new.unwrap_or(false);
    if is_new {
        let ((severity, problem, remedy), code) = (code.meaning(), code.as_str());
        match severity {
            Severity::Failed => error!(code, problem, detail, remedy, "a problem was found"),
            _ => warn!(code, problem, detail, remedy, "a problem was found"),
        }
    }
    Ok(is_new)
}

pub async fn standing(executor: impl PgExecutor<'_>, account_id: &str) -> Result<Vec<Problem>, LoadError> {
    let stored: Vec<StoredProblem> = sqlx::query_as(
        "select code, detail, since from smartassist_sync.problems where account_id = $1 order by code",
    )
    .bind(account_id)
    .fetch_all(executor)
    .await?;
    Ok(stored.into_iter().map(Problem::from).collect())
}

/// `true` if it stood.
pub async fn clear(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    code: ProblemCode,
) -> Result<bool, LoadError> {
    let cleared = sqlx::query("delete from smartassist_sync.problems where account_id = $1 and code = $2")
        .bind(account_id)
        .bind(code.as_str())
        .execute(executor)
        .await?;
    let stood = cleared.rows_affected() > 0;
    if stood {
        let problem = code.problem();
        info!(code = problem.code, problem = problem.text, "a problem is over");
    }
    Ok(stood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_newer_version_is_shown_by_itself() {
        let stored = StoredProblem {
            code: "of_a_newer_version".to_owned(),
            detail: String::new(),
            since: DateTime::UNIX_EPOCH,
        };
        let problem = Problem::from(stored);
        assert_eq!(problem.text, "of_a_newer_version, since 1970-01-01T00:00:00Z");
        assert_eq!(problem.severity, Severity::Warning);
    }
}
