//! Stores rejected records, up to daily limits.

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::postgres::types::PgRange;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::time::window::Window;
use crate::transform::Rejected;

use super::batch::Constants;
use super::commit::WindowCommit;
use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::windows::Status;
use crate::ledger::{LoadError, bigint};

const MOST_PER_DAY: i64 = 1_000;
const MOST_BYTES_PER_DAY: i64 = 16 << 20;

pub(super) async fn write(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    window: Window,
    rejected: &[Rejected],
) -> Result<u64, LoadError> {
    if rejected.is_empty() {
        note_whether_kept(connection, constants, 0).await?;
        return Ok(0);
    }
    let column = |of: fn(&Rejected) -> &str| rejected.iter().map(of).collect::<Vec<&str>>();
    let keys: Vec<Option<Uuid>> = rejected.iter().map(|record| record.key).collect();
    let hashes: Vec<&[u8]> = rejected
        .iter()
        .map(|record| record.payload_hash.as_slice())
        .collect();
    let sizes: Vec<Option<i64>> = rejected
        .iter()
        .map(|record| record.record_bytes.map(bigint))
        .collect();
    let (written, counted_alone): (i64, i64) = sqlx::query_as(include_str!("rejected.sql"))
        .bind(constants.account_id)
        .bind(PgRange::from(window))
        .bind(constants.time_zone_offset)
        .bind(constants.written_at)
        .bind(keys)
        .bind(column(|record| &record.reason))
        .bind(column(|record| &record.payload))
        .bind(hashes)
        .bind(sizes)
        .bind(MOST_PER_DAY)
        .bind(MOST_BYTES_PER_DAY)
        .fetch_one(&mut *connection)
        .await?;
    let [written, counted_alone] = [written, counted_alone].map(|count| u64::try_from(count).unwrap_or(0));
    let expected = rejected.len() as u64 - counted_alone.min(rejected.len() as u64);
    if written != expected {
        return Err(LoadError::RowCount {
            table: "smartassist_sync.rejected_records",
            written,
            expected,
        });
    }
    note_whether_kept(connection, constants, counted_alone).await?;
    Ok(counted_alone)
}

pub(super) async fn note_whether_all(
    connection: &mut PgConnection,
    commit: &WindowCommit<'_>,
    left_out: usize,
) -> Result<(), LoadError> {
    let (account_id, code) = (&commit.lease.account_id, ProblemCode::AllRecordsRejected);
    if commit.interactions.len() + left_out > 0 {
        problems::clear(connection, account_id, code).await?;
    } else if let Some(first) = commit.rejected.first() {
        let detail = format!(
            "{} in the window from {} to {}, one because: {}",
            plural(commit.rejected.len()),
            commit.window.start.to_rfc3339_opts(SecondsFormat::Secs, true),
            commit.window.end.to_rfc3339_opts(SecondsFormat::Secs, true),
            first.reason
        );
        problems::raise(connection, account_id, code, &detail).await?;
    }
    Ok(())
}

fn plural(records: usize) -> String {
    if records == 1 {
        "1 record".to_owned()
    } else {
        format!("{records} records")
    }
}

async fn note_whether_kept(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    counted_alone: u64,
) -> Result<(), LoadError> {
    let code = ProblemCode::RejectedRecordsNotKept;
    let (stands, of_today): (bool, i64) = sqlx::query_as(
        "select exists (select from smartassist_sync.problems where account_id = $1 and code = $3), coalesce(( \
         select counted_alone from smartassist_sync.rejections_by_day \
         where account_id = $1 and day = ($2 at time zone 'UTC')::date), 0)",
    )
    .bind(constants.account_id)
    .bind(constants.written_at)
    .bind(code.as_str())
    .fetch_one(&mut *connection)
    .await?;
    if of_today == 0 && stands {
        problems::clear(connection, constants.account_id, code).await?;
    } else if counted_alone > 0 {
        let detail = format!(
            "{of_today} rejections of today, beyond {MOST_PER_DAY} records or {} MiB",
            MOST_BYTES_PER_DAY >> 20
        );
        problems::raise(connection, constants.account_id, code, &detail).await?;
    }
    Ok(())
}

#[derive(Debug, FromRow)]
pub(super) struct Resolved {
    last_seen_at: DateTime<Utc>,
    payload_hash: Vec<u8>,
}

impl Resolved {
    /// An API may return two forms at once.
    pub(super) fn last_seen_but_in(&self, rejected: &[Rejected]) -> Option<DateTime<Utc>> {
        let is_among = rejected
            .iter()
            .any(|record| record.payload_hash.as_slice() == self.payload_hash);
        (!is_among).then_some(self.last_seen_at)
    }
}

pub(super) async fn resolve(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    commit: &WindowCommit<'_>,
) -> Result<Vec<Resolved>, LoadError> {
    let interactions = commit.interactions.iter();
    let keys: Vec<Uuid> = interactions.map(|interaction| interaction.key).collect();
    let rejected = commit.rejected.iter();
    let hashes: Vec<&[u8]> = rejected.map(|record| record.payload_hash.as_slice()).collect();
    Ok(sqlx::query_as(include_str!("resolve.sql"))
        .bind(constants.account_id)
        .bind(constants.written_at)
        .bind(keys)
        .bind(commit.status == Status::Drained)
        .bind(PgRange::from(commit.window))
        .bind(commit.started_at)
        .bind(hashes)
        .fetch_all(connection)
        .await?)
}
