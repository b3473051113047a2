//! All database access. Settings are per transaction: poolers switch sessions.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Describe, Either, Error, Execute, Executor, PgConnection,
    PgPool, PgTransaction, Postgres, SqlStr,
};

use crate::config::SessionConfig;

use super::settings;
use super::sign_in::{self, SignIn};

/// Beyond the server's own timeout.
const GRACE: Duration = Duration::from_secs(10);

/// Statement timeouts per transaction.
const STATEMENTS: u32 = 2;

const AT_ONCE: Duration = Duration::from_secs(2);

const LOOK: Duration = Duration::from_secs(10);
const UNANSWERED: u32 = 3;

/// Database connections.
#[derive(Debug, Clone)]
pub struct Pool {
    connections: PgPool,
    sign_in: Option<Arc<SignIn>>,
    begin: Arc<str>,
    begin_patiently: Arc<str>,
    patience: Duration,
    lock_timeout: Duration,
}

/// Connection counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// In use.
    pub in_use: u32,
    /// Idle.
    pub idle: u32,
    /// The limit.
    pub max: u32,
}

impl Pool {
    /// Connects when needed.
    pub fn new(options: PgConnectOptions, session: &SessionConfig) -> Self {
        let is_pooled = is_pooled(session);
        let connections = PgPoolOptions::new()
            .max_connections(session.max_connections)
            .acquire_timeout(session.connect_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(takes_writes(connection)))
            .after_release(|connection, _| Box::pin(answers(connection)))
            .connect_lazy_with(with_ours(options, session));
        Self {
            connections,
            sign_in: None,
            begin: settings::begin(is_pooled, session.statement_timeout, session.lock_timeout).into(),
            begin_patiently: settings::begin(is_pooled, Duration::ZERO, session.lock_timeout).into(),
            patience: session.statement_timeout + GRACE,
            lock_timeout: session.lock_timeout,
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
        match tokio::time::timeout(self.patience * STATEMENTS, whole).await {
            Ok(done) => done,
            Err(_) => Err(silence().into()),
        }
    }

    /// Waits while the server process lives.
    ///
    /// # Errors
    /// As [`Pool::transact`].
    pub async fn transact_patiently<T, E: From<Error>>(
        &self,
        statements: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut transaction = self.begin_as(&self.begin_patiently).await?;
        let asked = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *transaction);
        let backend = in_time(self.patience, asked).await?;
        tokio::select! {
            done = in_one(transaction, statements) => done,
            () = self.has_ended(backend) => Err(silence().into()),
        }
    }

    async fn has_ended(&self, backend: i32) {
        let mut unanswered = 0;
        while unanswered < UNANSWERED {
            tokio::time::sleep(LOOK).await;
            let lives = sqlx::query_scalar("select exists (select from pg_stat_activity where pid = $1)");
            match lives.bind(backend).fetch_one(self).await {
                Ok(true) => unanswered = 0,
                Ok(false) => return,
                Err(_) => unanswered += 1,
            }
        }
    }

    /// Without client-side timeouts; rolls back on drop.
    ///
    /// # Errors
    /// No connection within `database.connect_timeout_seconds`.
    pub async fn begin(&self) -> Result<PgTransaction<'static>, Error> {
        self.begin_as(&self.begin).await
    }

    async fn begin_as(&self, statement: &Arc<str>) -> Result<PgTransaction<'static>, Error> {
        let renewals = self.sign_in.as_deref().map(SignIn::renewals);
        match self.try_begin(statement).await {
            Err(error) if sign_in::is_refused(&error) && self.has_renewed_since(renewals) => {
                self.try_begin(statement).await
            }
            begun => begun,
        }
    }

    fn has_renewed_since(&self, renewals: Option<u64>) -> bool {
        let Some((sign_in, renewals)) = self.sign_in.as_ref().zip(renewals) else {
            return false;
        };
        sign_in.renew_since(renewals, &self.options(), |options, session| {
            self.connections.set_connect_options(with_ours(options, session));
        })
    }

    /// Its own task: a cancelled BEGIN would leave the transaction open.
    async fn try_begin(&self, statement: &Arc<str>) -> Result<PgTransaction<'static>, Error> {
        let (connections, statement) = (self.connections.clone(), AssertSqlSafe(Arc::clone(statement)));
        let patience = self.patience;
        let beginning =
            tokio::spawn(async move { in_time(patience, connections.begin_with(statement)).await });
        match beginning.await {
            Ok(Err(Error::PoolTimedOut)) => Err(self.why_there_is_none().await),
            Ok(begun) => begun,
            Err(_) => Err(Error::WorkerCrashed),
        }
    }

    /// `PoolTimedOut` means a full pool or a lost server.
    async fn why_there_is_none(&self) -> Error {
        let options = self.options();
        let had_room = self.connections.size() < self.connections.options().get_max_connections();
        match tokio::time::timeout(AT_ONCE, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => {
                let _ = in_time(AT_ONCE, connection.close()).await;
                // The server just returned.
                if had_room {
                    unanswered()
                } else {
                    Error::PoolTimedOut
                }
            }
            Ok(Err(error)) => error,
            Err(_) => unanswered(),
        }
    }

    /// Longest wait for a lock.
    pub fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    /// Connection counts.
    pub fn connections(&self) -> Connections {
        let idle = u32::try_from(self.connections.num_idle()).unwrap_or(u32::MAX);
        Connections {
            in_use: self.connections.size().saturating_sub(idle),
            idle,
            max: self.connections.options().get_max_connections(),
        }
    }

    /// How to connect.
    pub fn options(&self) -> Arc<PgConnectOptions> {
        self.connections.connect_options()
    }

    /// Takes two seconds at most.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(AT_ONCE, self.connections.close()).await;
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
async fn takes_writes(connection: &mut PgConnection) -> Result<bool, Error> {
    let answer = connection.fetch_one(sqlx::raw_sql("show transaction_read_only"));
    let answer = in_time(AT_ONCE, answer).await;
    let value = answer.and_then(|row| sqlx::Row::try_get::<String, _>(&row, 0));
    Ok(value.is_ok_and(|value| value == "off"))
}

/// Silent connections would fill the pool.
async fn answers(connection: &mut PgConnection) -> Result<bool, Error> {
    Ok(in_time(AT_ONCE, connection.ping()).await.is_ok())
}

async fn in_one<T, E: From<Error>>(
    mut transaction: PgTransaction<'static>,
    statements: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<T, E> {
    let done = statements(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

type Outcome = Either<PgQueryResult, PgRow>;

/// Results come after the commit.
impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Outcome, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let outcomes = async move {
            let statement = async move |connection: &mut PgConnection| {
                connection.fetch_many(query).try_collect::<Vec<_>>().await
            };
            let outcomes: Vec<_> = self.transact(statement).await?;
            Ok::<_, Error>(stream::iter(outcomes.into_iter().map(Ok)))
        };
        stream::once(outcomes).try_flatten().boxed()
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

async fn in_time<T>(patience: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(silence()),
    }
}

fn silence() -> Error {
    timed_out("the database does not answer; whether it did what it was asked is not known")
}

pub(super) fn unanswered() -> Error {
    timed_out("the database does not answer a connection")
}

fn timed_out(what: &'static str) -> Error {
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
}
