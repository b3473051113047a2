//! Who may work on an account now.
//!
//! A lease is a row with a token that grows with every holder. It is reckoned in the database's
//! time alone. Whoever writes for the account proves the token in the same transaction, so a
//! worker that was frozen past its lease can do no harm when it wakes.

use std::time::Duration;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgExecutor, Postgres, Row};

use crate::postgres::Pool;

use super::LoadError;

/// A lease that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The account.
    pub account_id: String,
    /// Who holds it.
    pub holder: String,
    /// The fencing token.
    pub token: i64,
}

/// Takes the account's lease if nobody else holds it. One that this holder left behind, in a run that
/// was ended before its time, is taken over at once: the token tells the two apart.
///
/// # Errors
/// The database fails.
pub async fn acquire(
    executor: impl PgExecutor<'_>,
    account_id: &str,
    holder: &str,
    lasts: Duration,
) -> Result<Option<Lease>, LoadError> {
    let token: Option<i64> = sqlx::query_scalar(
        "insert into smartassist_sync.leases as lease (account_id, holder, token, expires_at, acquired_at) \
         values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3), clock_timestamp()) \
         on conflict (account_id, stream) do update set holder = excluded.holder, token = lease.token + 1, \
         expires_at = excluded.expires_at, acquired_at = excluded.acquired_at, awaited_at = null \
         where lease.expires_at <= clock_timestamp() or lease.holder = excluded.holder \
         returning token",
    )
    .bind(account_id)
    .bind(holder)
    .bind(lasts.as_secs_f64())
    .fetch_optional(executor)
    .await?;
    Ok(token.map(|token| Lease {
        account_id: account_id.to_owned(),
        holder: holder.to_owned(),
        token,
    }))
}

/// Asks whoever holds the account's lease to give way, where its run is of a kind that does: a
/// backfill. Returns whether it is; the others are not disturbed. Whoever gets the lease next is
/// not asked any more.
///
/// # Errors
/// The database fails.
pub async fn ask_for(executor: impl PgExecutor<'_>, account_id: &str) -> Result<bool, LoadError> {
    let asked = sqlx::query(
        "update smartassist_sync.leases as lease set awaited_at = clock_timestamp() where account_id = $1 \
         and exists (select from smartassist_sync.runs as run where run.account_id = lease.account_id \
         and run.token = lease.token and run.holder = lease.holder and run.status = 'running' and run.kind in ('backfill', 'verify'))",
    )
    .bind(account_id)
    .execute(executor)
    .await?;
    Ok(asked.rows_affected() == 1)
}

/// A statement that does what it does only while the lease holds: as long as there is a row in `fence`.
macro_rules! fenced {
    ($statement:expr) => {
        concat!("with fence as (", include_str!("fence.sql"), ") ", $statement)
    };
}
pub(crate) use fenced;

impl Lease {
    /// A statement about the lease: `$1` is its account, `$2` its holder, `$3` its token.
    pub(crate) fn query(&self, statement: &'static str) -> Query<'_, Postgres, PgArguments> {
        sqlx::query(statement)
            .bind(&self.account_id)
            .bind(&self.holder)
            .bind(self.token)
    }

    /// Whether somebody has asked for the account since this lease was taken: who works long
    /// gives way.
    ///
    /// # Errors
    /// [`LoadError::LeaseLost`] where it has passed to another; or the database fails.
    pub async fn is_awaited(&self, pool: &Pool) -> Result<bool, LoadError> {
        let row = self
            .query(
                "select coalesce(awaited_at > acquired_at, false) from smartassist_sync.leases \
                 where account_id = $1 and holder = $2 and token = $3",
            )
            .fetch_optional(pool)
            .await?;
        Ok(row.ok_or(LoadError::LeaseLost)?.try_get(0)?)
    }

    /// Prolongs the lease from now on.
    ///
    /// # Errors
    /// [`LoadError::LeaseLost`] where it has passed to another; or the database fails.
    pub async fn renew(&self, pool: &Pool, lasts: Duration) -> Result<(), LoadError> {
        let renewed = self
            .query(
                "update smartassist_sync.leases set expires_at = clock_timestamp() + make_interval(secs => $4) \
                 where account_id = $1 and holder = $2 and token = $3",
            )
            .bind(lasts.as_secs_f64())
            .execute(pool)
            .await?;
        if renewed.rows_affected() == 1 {
            Ok(())
        } else {
            Err(LoadError::LeaseLost)
        }
    }

    /// Fails where the lease has passed to another, or has ended. Within a transaction, nobody can take it over
    /// until that ends.
    ///
    /// # Errors
    /// [`LoadError::LeaseLost`]; or the database fails.
    pub(crate) async fn prove(&self, executor: impl PgExecutor<'_>) -> Result<(), LoadError> {
        let holds = self
            .query(include_str!("fence.sql"))
            .fetch_optional(executor)
            .await?;
        holds.map(|_| ()).ok_or(LoadError::LeaseLost)
    }

    /// Lets the lease end now, so that the next worker need not wait.
    ///
    /// # Errors
    /// The database fails; the lease then ends by itself.
    pub async fn release(&self, pool: &Pool) -> Result<(), LoadError> {
        self.query(
            "update smartassist_sync.leases set expires_at = clock_timestamp() \
             where account_id = $1 and holder = $2 and token = $3",
        )
        .execute(pool)
        .await?;
        Ok(())
    }
}
