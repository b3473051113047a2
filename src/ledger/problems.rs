//! Standing problems; one table describes every code.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor};
use tracing::{error, info, warn};

use crate::extract::HOURLY_LIMIT_REMEDY;

use super::LoadError;

/// Severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Needs a look.
    Warning,
    /// Data incomplete, late or wrong.
    Failed,
}

impl Severity {
    /// Metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    /// Many missing interactions.
    BulkMissing,
    /// Records outside the window.
    RecordsOutsideWindow,
    /// Elements without id.
    ElementsWithoutId,
    /// No record accepted.
    AllRecordsRejected,
    /// Old interactions not served.
    HistoryNotServed,
    /// Contradicting time stamps.
    TimeZone,
    /// Hourly request limit.
    HourlyLimit,
    /// Rejections only counted.
    RejectedRecordsNotKept,
}

struct Meaning {
    code: &'static str,
    severity: Severity,
    text: &'static str,
    remedy: &'static str,
}

impl ProblemCode {
    /// All codes.
    pub const ALL: [Self; 8] = [
        Self::BulkMissing,
        Self::RecordsOutsideWindow,
        Self::ElementsWithoutId,
        Self::AllRecordsRejected,
        Self::HistoryNotServed,
        Self::TimeZone,
        Self::HourlyLimit,
        Self::RejectedRecordsNotKept,
    ];

    fn meaning(self) -> Meaning {
        let (code, severity, text, remedy) = match self {
            Self::BulkMissing => (
                "bulk_missing",
                Severity::Failed,
                "many interactions are no longer returned by the API; they are not marked as missing",
                "check at the source whether they are really gone; if so, run `smartassist-etl confirm-missing --account NAME`. \
                 They are kept as they are until then, until they are returned again, or until they have been missing for \
                 sync.missing_confirm_hours while the source returned other records",
            ),
            Self::RecordsOutsideWindow => (
                "records_outside_window",
                Severity::Failed,
                "the API returns records that do not lie in the window that was asked for; such windows are not complete",
                "check base_url, time_zone_offset and extra_body, and ask the vendor how the date range is applied",
            ),
            Self::ElementsWithoutId => (
                "elements_without_id",
                Severity::Failed,
                "the API returns elements without an id among records; such windows are not complete",
                "see smartassist_sync.rejected_records for their text, and ask the vendor; the windows are read again by themselves",
            ),
            Self::AllRecordsRejected => (
                "all_records_rejected",
                Severity::Failed,
                "no record of the newest window could become rows",
                "see smartassist_sync.rejected_records for why; after an upgrade, run `retry-rejected`",
            ),
            Self::HistoryNotServed => (
                "history_not_served",
                Severity::Warning,
                "the API does not serve older interactions",
                "where older ones are not wanted, set start_from of the account to the instant from which on the API serves interactions; \
                 else wait: one request a day tries older ones, which are loaded once they are served",
            ),
            Self::TimeZone => (
                "time_zone",
                Severity::Failed,
                "time stamps contradict each other: interactions are stored at wrong instants",
                "set time_zone_offset of the account to the one that fits, and read again with `backfill --refetch --from DATE --to DATE`; where \
                 stamps contradict each other even so, no offset fits: ask the vendor which zone its stamps are in",
            ),
            Self::HourlyLimit => (
                "hourly_limit",
                Severity::Warning,
                "the API refuses requests although the minute has room: it limits the hour as well",
                HOURLY_LIMIT_REMEDY,
            ),
            Self::RejectedRecordsNotKept => (
                "rejected_records_not_kept",
                Severity::Failed,
                "more records are rejected in a day than are kept; further ones are only counted",
                "see smartassist_sync.rejected_records for why; once it is repaired, read the days again with `backfill --refetch --from DATE --to DATE`",
            ),
        };
        Meaning {
            code,
            severity,
            text,
            remedy,
        }
    }

    /// Stored spelling.
    pub fn as_str(self) -> &'static str {
        self.meaning().code
    }

    /// Severity.
    pub fn severity(self) -> Severity {
        self.meaning().severity
    }

    /// What is wrong.
    pub fn text(self) -> &'static str {
        self.meaning().text
    }

    /// What to do.
    pub fn remedy(self) -> &'static str {
        self.meaning().remedy
    }

    /// Parses a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == code)
    }
}

/// Stored problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct StandingProblem {
    /// Code, perhaps newer.
    pub code: String,
    /// Figures.
    pub detail: String,
    /// First found.
    pub since: DateTime<Utc>,
}

impl StandingProblem {
    /// Known code.
    pub fn known(&self) -> Option<ProblemCode> {
        ProblemCode::of(&self.code)
    }

    /// Severity; unknown: warning.
    pub fn severity(&self) -> Severity {
        self.known().map_or(Severity::Warning, ProblemCode::severity)
    }

    /// Text with figures.
    pub fn text(&self) -> String {
        let text = self.known().map_or(self.code.as_str(), |known| known.text());
        if self.detail.is_empty() {
            text.to_owned()
        } else {
            format!("{text} ({})", self.detail)
        }
    }

    /// What to do.
    pub fn remedy(&self) -> &'static str {
        let of_newer = "a newer version of the program found it: see its log";
        self.known().map_or(of_newer, ProblemCode::remedy)
    }
}

/// Raises a problem; `true` if new. No record values in `detail`.
///
/// # Errors
/// Database failure.
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
        let (code, problem, remedy) = (code.as_str(), code, code.remedy());
        match problem.severity() {
            Severity::Failed => error!(
                code,
                problem = problem.text(),
                detail,
                remedy,
                "a problem was found"
            ),
            Severity::Warning => warn!(
                code,
                problem = problem.text(),
                detail,
                remedy,
                "a problem was found"
            ),
        }
    }
    Ok(is_new)
}

/// Standing problems.
///
/// # Errors
/// Database failure.
pub async fn standing(
    executor: impl PgExecutor<'_>,
    account_id: &str,
) -> Result<Vec<StandingProblem>, LoadError> {
    Ok(sqlx::query_as(
        "select code, detail, since from smartassist_sync.problems where account_id = $1 order by code",
    )
    .bind(account_id)
    .fetch_all(executor)
    .await?)
}

/// Clears a problem; `true` if standing.
///
/// # Errors
/// Database failure.
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
        info!(code = code.as_str(), problem = code.text(), "a problem is over");
    }
    Ok(stood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_spelling() {
        for code in ProblemCode::ALL {
            assert_eq!(ProblemCode::of(code.as_str()), Some(code));
            assert!(!code.remedy().is_empty() && !code.text().is_empty());
        }
        assert_eq!(ProblemCode::of("of_a_newer_version"), None);
    }
}
