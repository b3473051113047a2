//! What is to be read, besides the head and gaps that are due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::postgres::types::PgRange;
use sqlx::{FromRow, PgExecutor, Row};

use crate::postgres::Pool;
use crate::time::Window;
use crate::transform::TRANSFORM_VERSION;

use super::leases::{Lease, fenced};
use super::problems::Problem;
use super::status::StoredFailure;
use super::{Counters, LoadError, Purpose, from_bigint, spelled};

#[derive(Debug, Clone, Copy)]
pub struct NewRequest<'a> {
    pub purpose: Purpose,
    /// Whole seconds.
    pub ranges: &'a [Window],
    /// What was read since it came due serves it; `None`: what was read at any time does.
    pub due_for: Option<TimeDelta>,
    /// `verify`: read every day whole.
    pub by_identity: bool,
    /// With its tick, by the clock of whoever asks.
    pub policy: Option<(&'a str, DateTime<Utc>)>,
}

impl<'a> NewRequest<'a> {
    pub fn of(purpose: Purpose, ranges: &'a [Window]) -> Self {
        Self {
            purpose,
            ranges,
            due_for: None,
            by_identity: false,
            policy: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Asked {
    pub id: i64,
    pub is_open: bool,
    /// It was already open when its policy came due again.
    pub is_new_tick: bool,
}

/// Attaches to an equal open request. `None`: nothing is to be read.
pub async fn ask(
    pool: &Pool,
    (account_id, requested_by): (&str, &str),
    wish: &NewRequest<'_>,
) -> Result<Option<Asked>, LoadError> {
    let bounds = wish.ranges.iter().map(|range| (range.start, range.end));
    let (starts, ends): (Vec<DateTime<Utc>>, Vec<DateTime<Utc>>) = bounds.unzip();
    // What is due in the future is due now.
    let due_for = wish.due_for.map(|due_for| due_for.as_seconds_f64().max(0.0));
    let (policy, due_at) = wish.policy.unzip();
    Ok(sqlx::query_as(include_str!("open_request.sql"))
        .bind(account_id)
        .bind(wish.purpose.as_str())
        .bind(policy)
        .bind(starts)
        .bind(ends)
        .bind(due_for)
        .bind(requested_by)
        .bind(TRANSFORM_VERSION)
        .bind(wish.by_identity)
        .bind(due_at)
        .fetch_optional(pool)
        .await?)
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OpenRequest {
    pub id: i64,
    #[sqlx(try_from = "String")]
    pub purpose: Purpose,
    pub policy: Option<String>,
    /// Windows begun earlier do not serve it; `None`: all do.
    pub since: Option<DateTime<Utc>>,
    #[sqlx(flatten)]
    pub range: Window,
    /// Oldest first.
    #[sqlx(json)]
    pub remaining: Vec<Window>,
    pub is_cancelled: bool,
    /// The account's filters have changed since.
    pub has_other_filters: bool,
    pub by_identity: bool,
}

/// Those that this program may serve, oldest first.
pub async fn open(
    pool: &Pool,
    account_id: &str,
    (until, settle): (DateTime<Utc>, Duration),
    kept_from: Option<DateTime<Utc>>,
) -> Result<Vec<OpenRequest>, LoadError> {
    Ok(sqlx::query_as(include_str!("open_requests.sql"))
        .bind(account_id)
        .bind(until)
        .bind(settle.as_secs_f64())
        .bind(kept_from)
        .bind(TRANSFORM_VERSION)
        .bind(Purpose::SPELLINGS)
        .fetch_all(pool)
        .await?)
}

spelled! {
    End {
        Done = "done",
        Partial = "partial",
        Cancelled = "cancelled",
        Refused = "refused",
    }
}

pub async fn end(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    id: i64,
    end: End,
    problem: Option<&Problem>,
) -> Result<(), LoadError> {
    lease
        .query(fenced!(
            "update smartassist_sync.requests as request set state = $5, done_at = clock_timestamp(), \
             error_code = $6, error = $7, remedy = $8 \
             from fence where request.account_id = fence.account_id and request.id = $4 and request.state = 'open'"
        ))
        .bind(id)
        .bind(end.as_str())
        .bind(problem.map(|problem| &problem.code))
        .bind(problem.map(|problem| &problem.text))
        .bind(
            problem
                .map(|problem| &problem.remedy)
                .filter(|remedy| !remedy.is_empty()),
        )
        .execute(executor)
        .await?;
    Ok(())
}

/// A compared day is not compared again. `true`: the request is wanted no longer.
///
/// # Errors
/// [`LoadError::LeaseLost`].
pub async fn compared(
    executor: impl PgExecutor<'_>,
    lease: &Lease,
    id: i64,
    day: Window,
    found: &Value,
) -> Result<bool, LoadError> {
    let noted = lease
        .query(fenced!(
            "update smartassist_sync.requests as request set compared = coalesce(request.compared, '[]') || $6, \
             remaining = request.remaining - tstzmultirange($5::tstzrange), progress_at = clock_timestamp() \
             from fence where request.account_id = fence.account_id and request.id = $4 and request.state = 'open' \
             returning request.cancel_requested_at is not null as is_cancelled"
        ))
        .bind(id)
        .bind(PgRange::from(day))
        .bind(found)
        .fetch_optional(executor)
        .await?;
    Ok(noted.ok_or(LoadError::LeaseLost)?.try_get(0)?)
}

#[derive(Debug, Clone, FromRow)]
pub struct RequestProgress {
    /// `open`, `done`, `partial`, `cancelled` or `refused`.
    pub state: String,
    #[sqlx(flatten)]
    pub failure: StoredFailure,
    pub compared: Option<Value>,
    requests: i64,
    records: i64,
    inserted: i64,
    updated: i64,
    /// Estimated.
    pub requests_left: Option<i64>,
    /// Seconds without progress.
    pub quiet_seconds: f64,
}

impl RequestProgress {
    pub fn counters(&self) -> Counters {
        Counters {
            requests: from_bigint(self.requests),
            records: from_bigint(self.records),
            inserted: from_bigint(self.inserted),
            updated: from_bigint(self.updated),
            ..Counters::default()
        }
    }
}

/// `None`: it was deleted.
pub async fn progress(executor: impl PgExecutor<'_>, id: i64) -> Result<Option<RequestProgress>, LoadError> {
    Ok(sqlx::query_as(
        "select request.state, request.error, request.error_code, request.remedy, request.compared, \
         coalesce(sum(run.requests), 0)::bigint as requests, coalesce(sum(run.records), 0)::bigint as records, \
         coalesce(sum(run.inserted), 0)::bigint as inserted, coalesce(sum(run.updated), 0)::bigint as updated, \
         max(run.requests_left) as requests_left, \
         extract(epoch from clock_timestamp() - greatest(request.requested_at, request.progress_at, max(run.progress_at)))::float8 \
         as quiet_seconds \
         from smartassist_sync.requests as request left join smartassist_sync.runs as run on run.request_id = request.id \
         where request.id = $1 group by request.id",
    )
    .bind(id)
    .fetch_optional(executor)
    .await?)
}

/// Asks the worker to end the request; ends it at once if there is none.
pub async fn cancel(executor: impl PgExecutor<'_>, id: i64) -> Result<(), LoadError> {
    sqlx::query(
        "with served as (select exists (select from smartassist_sync.leases as lease \
         join smartassist_sync.requests as request using (account_id) \
         where request.id = $1 and lease.expires_at > clock_timestamp()) as is_served) \
         update smartassist_sync.requests set cancel_requested_at = clock_timestamp(), \
         state = case when is_served then state else 'cancelled' end, \
         done_at = case when is_served then done_at else clock_timestamp() end \
         from served where id = $1 and state = 'open'",
    )
    .bind(id)
    .execute(executor)
    .await?;
    Ok(())
}

/// Seconds in which sessions without an end started.
pub async fn select_open(pool: &Pool, account_id: &str, range: Window) -> Result<Vec<Window>, LoadError> {
    let starts: Vec<DateTime<Utc>> = sqlx::query_scalar(include_str!("select_open.sql"))
        .bind(account_id)
        .bind(range.start)
        .bind(range.end)
        .fetch_all(pool)
        .await?;
    let second = |start| Window::new(start, start + TimeDelta::seconds(1));
    Ok(starts.into_iter().map(second).collect())
}

/// What was last read before it had settled.
pub async fn select_late(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    late: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Window>, LoadError> {
    Ok(sqlx::query_as(include_str!("select_late.sql"))
        .bind(account_id)
        .bind(late.as_seconds_f64())
        .bind(now)
        .fetch_all(executor)
        .await?)
}
