//! All database access. Settings are per transaction, as poolers switch sessions.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Describe, Either, Error, Execute, Executor, PgConnection,
    PgPool, PgTransaction, Postgres, SqlStr,
};

use crate::config::SessionConfig;

use super::connect::SignIn;
use super::error_kind::{DatabaseErrorKind, is_worth_waiting, sql_state};

/// Beyond the server's own timeout.
const GRACE: Duration = Duration::from_secs(10);

/// In statement timeouts.
const STATEMENTS: u32 = 2;

const SHORT_TIMEOUT: Duration = Duration::from_secs(2);

const BACKEND_CHECK_INTERVAL: Duration = Duration::from_secs(10);
const MAX_FAILED_BACKEND_CHECKS: u32 = 3;

#[derive(Debug, Clone)]
pub struct Pool {
    connections: PgPool,
    sign_in: Option<Arc<SignIn>>,
    session: SessionConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub in_use: u32,
    pub idle: u32,
    pub max: u32,
}

impl Pool {
    /// Connects lazily.
    pub fn new(options: PgConnectOptions, session: &SessionConfig) -> Self {
        let connections = PgPoolOptions::new()
            .max_connections(session.max_connections)
            .acquire_timeout(session.connect_timeout)
            // Only who waited too long says so.
            .acquire_slow_threshold(session.connect_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(is_primary(connection)))
            .after_release(|connection, _| Box::pin(is_answering(connection)))
            .connect_lazy_with(with_ours(options, session));
        Self {
            connections,
            sign_in: None,
            session: session.clone(),
        }
    }

    pub(super) fn signing_in_by(mut self, sign_in: SignIn) -> Self {
        self.sign_in = Some(Arc::new(sign_in));
        self
    }

    /// After a timeout, the outcome is unknown.
    ///
    /// # Errors
    /// No connection within `database.connect_timeout_seconds`, a timeout, or a failed statement.
    pub async fn transact<T, E: From<Error>>(
        &self,
        statements: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.begin().await?;
        let whole = in_one(transaction, statements);
        let done = tokio::time::timeout(self.answer_timeout() * STATEMENTS, whole).await;
        done.unwrap_or_else(|_| Err(unanswered().into()))
    }

    /// Waits while the server process lives.
    pub async fn transact_without_timeout<T, E: From<Error>>(
        &self,
        statements: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut transaction = self.begin_within(Duration::ZERO).await?;
        let asked = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *transaction);
        let backend = within(self.answer_timeout(), asked).await?;
        tokio::select! {
            done = in_one(transaction, statements) => done,
            () = self.backend_has_ended(backend) => Err(unanswered().into()),
        }
    }

    async fn backend_has_ended(&self, backend: i32) {
        let mut failed_checks = 0;
        while failed_checks < MAX_FAILED_BACKEND_CHECKS {
            tokio::time::sleep(BACKEND_CHECK_INTERVAL).await;
            let lives = sqlx::query_scalar("select exists (select from pg_stat_activity where pid = $1)");
            match lives.bind(backend).fetch_one(self).await {
                Ok(false) => return,
                Err(error) if shows_lost_server(&error) => failed_checks += 1,
                _ => failed_checks = 0,
            }
        }
    }

    /// Without client-side timeouts; rolls back on drop.
    ///
    /// # Errors
    /// No connection within `database.connect_timeout_seconds`.
    pub async fn begin(&self) -> Result<PgTransaction<'static>, Error> {
        self.begin_within(self.session.statement_timeout).await
    }

    async fn begin_within(&self, statement_timeout: Duration) -> Result<PgTransaction<'static>, Error> {
        let used = self.options();
        match self.try_begin(statement_timeout).await {
            Err(error) if self.renews_sign_in_after(&error, &used) => self.try_begin(statement_timeout).await,
            begun => begun,
        }
    }

    fn renews_sign_in_after(&self, error: &Error, used: &Arc<PgConnectOptions>) -> bool {
        let Some(sign_in) = &self.sign_in else {
            return false;
        };
        if DatabaseErrorKind::of(error) != DatabaseErrorKind::Refused {
            return false;
        }
        sign_in.renew(used, |options| {
            self.connections
                .set_connect_options(with_ours(options, &self.session));
        });
        // Another task may have renewed it.
        !Arc::ptr_eq(used, &self.options())
    }

    /// Its own task: a cancelled BEGIN would leave the transaction open.
    async fn try_begin(&self, statement_timeout: Duration) -> Result<PgTransaction<'static>, Error> {
        let begin = begin_statement(is_pooled(&self.session), statement_timeout, self.lock_timeout());
        let (connections, timeout) = (self.connections.clone(), self.answer_timeout());
        let beginning =
            tokio::spawn(async move { within(timeout, connections.begin_with(AssertSqlSafe(begin))).await });
        match beginning.await {
            Ok(Err(Error::PoolTimedOut)) => Err(self.pool_timeout_reason().await),
            Ok(begun) => begun,
            Err(_) => Err(Error::WorkerCrashed),
        }
    }

    /// `PoolTimedOut` means a full pool or a lost server.
    async fn pool_timeout_reason(&self) -> Error {
        let options = self.options();
        let had_room = self.connections.size() < self.connections.options().get_max_connections();
        match tokio::time::timeout(SHORT_TIMEOUT, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => {
                let _ = within(SHORT_TIMEOUT, connection.close()).await;
                // With room, the server just returned.
                if had_room {
                    connect_timeout()
                } else {
                    Error::PoolTimedOut
                }
            }
            Ok(Err(error)) => error,
            Err(_) => connect_timeout(),
        }
    }

    pub fn lock_timeout(&self) -> Duration {
        self.session.lock_timeout
    }

    fn answer_timeout(&self) -> Duration {
        self.session.statement_timeout + GRACE
    }

    pub fn connections(&self) -> Connections {
        let idle = u32::try_from(self.connections.num_idle()).unwrap_or(u32::MAX);
        Connections {
            in_use: self.connections.size().saturating_sub(idle),
            idle,
            max: self.connections.options().get_max_connections(),
        }
    }

    pub fn options(&self) -> Arc<PgConnectOptions> {
        self.connections.connect_options()
    }

    /// Takes two seconds at most.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(SHORT_TIMEOUT, self.connections.close()).await;
    }
}

fn is_pooled(session: &SessionConfig) -> bool {
    session.statement_cache == 0
}

fn with_ours(options: PgConnectOptions, session: &SessionConfig) -> PgConnectOptions {
    let options = options
        .application_name("smartassist-etl")
        .statement_cache_capacity(session.statement_cache)
        // Five kilobytes of column names.
        .disable_statement_logging();
    if is_pooled(session) {
        // Poolers refuse unknown parameters.
        options.extra_float_digits(None)
    } else {
        options
    }
}

/// Idle connections may lead to the old primary.
async fn is_primary(connection: &mut PgConnection) -> Result<bool, Error> {
    let answer = connection.fetch_one(sqlx::raw_sql("show transaction_read_only"));
    let answer = within(SHORT_TIMEOUT, answer).await;
    let value = answer.and_then(|row| sqlx::Row::try_get::<String, _>(&row, 0));
    Ok(value.is_ok_and(|value| value == "off"))
}

/// Silent connections would fill the pool.
async fn is_answering(connection: &mut PgConnection) -> Result<bool, Error> {
    Ok(within(SHORT_TIMEOUT, connection.ping()).await.is_ok())
}

async fn in_one<T, E: From<Error>>(
    mut transaction: PgTransaction<'static>,
    statements: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<T, E> {
    let done = statements(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

/// Results come after the commit.
impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let results = self.transact(async move |connection: &mut PgConnection| {
            connection.fetch_many(query).try_collect::<Vec<_>>().await
        });
        let results = results.map_ok(|results| stream::iter(results.into_iter().map(Ok)));
        results.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(
            self.transact(async move |connection: &mut PgConnection| connection.fetch_optional(query).await),
        )
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        (&self.connections).prepare_with(sql, parameters)
    }

    // Only for compile-time checks.
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        (&self.connections).describe(sql)
    }
}

async fn within<T>(timeout: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let answer = tokio::time::timeout(timeout, answer).await;
    answer.unwrap_or_else(|_| Err(unanswered()))
}

/// Not if our own pool is full, a new password is wrong, or a server that answers has no connection left
/// (`too_many_connections`).
fn shows_lost_server(error: &Error) -> bool {
    is_worth_waiting(error) && sql_state(error).is_none_or(|code| code != "53300")
}

fn unanswered() -> Error {
    timed_out("the database does not answer; whether it executed the statement is not known")
}

pub(super) fn connect_timeout() -> Error {
    timed_out("the database does not accept a connection in time")
}

fn timed_out(what: &'static str) -> Error {
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
}

/// Frees the account of a frozen worker.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// Of every transaction, whatever role, database or pooler set. Read-only, commit and table space defaults remain
/// the administrator's.
const SETTINGS: [(&str, &str); 18] = [
    // No lookup in `public` (CVE-2018-1058).
    ("search_path", "pg_catalog, pg_temp"),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("quote_all_identifiers", "off"),
    ("client_encoding", "'UTF8'"),
    ("timezone", "'UTC'"),
    ("datestyle", "'ISO, MDY'"),
    ("intervalstyle", "postgres"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    // Hidden rows raise an error.
    ("row_security", "off"),
    // A limit returns random rows.
    ("gin_fuzzy_search_limit", "0"),
    // Others may lack updates.
    ("default_table_access_method", "heap"),
    ("exit_on_error", "off"),
    ("client_min_messages", "warning"),
    // Compiling takes longer than our queries.
    ("jit", "off"),
];

/// Since PostgreSQL 17.
const NO_TRANSACTION_TIMEOUT: &str = "select pg_catalog.set_config('transaction_timeout', '0', true) \
    where pg_catalog.current_setting('transaction_timeout', true) is not null";

fn begin_statement(is_pooled: bool, statement_timeout: Duration, lock_timeout: Duration) -> String {
    let mut begin = "begin isolation level read committed, not deferrable; ".to_owned();
    if is_pooled {
        // Another client's statements may have our names.
        begin += "deallocate all; ";
    }
    let timeouts = [
        ("statement_timeout", statement_timeout),
        ("lock_timeout", lock_timeout),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
    ];
    for (name, value) in SETTINGS {
        let _ = write!(begin, "set local {name} = {value}; ");
    }
    for (name, timeout) in timeouts {
        let _ = write!(begin, "set local {name} = {}; ", timeout.as_millis());
    }
    begin + NO_TRANSACTION_TIMEOUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pool_does_not_show_that_the_server_is_lost() {
        assert!(!shows_lost_server(&Error::PoolTimedOut));
        assert!(shows_lost_server(&unanswered()));
        assert!(shows_lost_server(&connect_timeout()));
    }
}
