//! The only way to the database: every statement of ours runs in a transaction that begins with our
//! settings, and no answer is waited for without an end.
//!
//! What is set for a whole session does not hold behind a pooler that gives each transaction
//! another session, so everything is set for the transaction alone, which holds everywhere.

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

/// An answer that is not there so long after the server must have given up will not come: the
/// connection is lost without either side having been told.
const GRACE: Duration = Duration::from_secs(10);

/// A transaction may take as long as so many statements that are nearly too slow.
const STATEMENTS: u32 = 2;

/// A server that is well says at once that it is there, and goodbye.
const AT_ONCE: Duration = Duration::from_secs(2);

/// How often it is looked whether the server still works at a transaction that may take long, and how
/// often in a row nobody answered that before it is given up.
const LOOK: Duration = Duration::from_secs(10);
const UNANSWERED: u32 = 3;

/// Connections to the database.
#[derive(Debug, Clone)]
pub struct Pool {
    connections: PgPool,
    sign_in: Option<Arc<SignIn>>,
    begin: Arc<str>,
    begin_patiently: Arc<str>,
    /// How long the answer to a statement may take: the server gives up before. What is known of its
    /// outcome after that is nothing.
    patience: Duration,
    lock_timeout: Duration,
}

/// How many connections there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Somebody uses them.
    pub in_use: u32,
    /// They wait to be used.
    pub idle: u32,
    /// There may be no more.
    pub max: u32,
}

impl Pool {
    /// Connections that are made once they are needed.
    pub fn new(options: PgConnectOptions, session: &SessionConfig) -> Self {
        let is_pooled = is_pooled(session);
        let connections = PgPoolOptions::new()
            .max_connections(session.max_connections)
            .acquire_timeout(session.connect_timeout)
            // In place of sqlx's own test.
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

    /// Has the secrets read again when the server refuses us, and new connections sign in with what is new.
    pub(super) fn signing_in_by(mut self, sign_in: SignIn) -> Self {
        self.sign_in = Some(Arc::new(sign_in));
        self
    }

    /// Runs statements in a transaction and commits it; what fails is rolled back. Where the database
    /// falls silent, whether it committed is not known.
    ///
    /// # Errors
    /// No connection, or none that is free, within `database.connect_timeout_seconds`; no answer in time;
    /// or whatever is wrong with the statements.
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

    /// The same for what may take as long as it takes: it is given up only once the server works at it no
    /// more, of which a connection that is lost without a word never tells.
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

    /// Returns once this server process is no more, or nobody can tell any longer.
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

    /// Begins a transaction for statements whose answers are waited for without an end. One that is
    /// dropped is rolled back.
    ///
    /// # Errors
    /// No connection, or none that is free, within `database.connect_timeout_seconds`.
    pub async fn begin(&self) -> Result<PgTransaction<'static>, Error> {
        self.begin_as(&self.begin).await
    }

    /// Begins it, a second time where we were refused and sign in otherwise now.
    async fn begin_as(&self, statement: &Arc<str>) -> Result<PgTransaction<'static>, Error> {
        let renewals = self.sign_in.as_deref().map(SignIn::renewals);
        match self.try_begin(statement).await {
            Err(error) if sign_in::is_refused(&error) && self.has_renewed_since(renewals) => {
                self.try_begin(statement).await
            }
            begun => begun,
        }
    }

    /// Whether new connections sign in otherwise than they did after so many renewals.
    fn has_renewed_since(&self, renewals: Option<u64>) -> bool {
        let Some((sign_in, renewals)) = self.sign_in.as_ref().zip(renewals) else {
            return false;
        };
        sign_in.renew_since(renewals, &self.options(), |options, session| {
            self.connections.set_connect_options(with_ours(options, session));
        })
    }

    /// A task of its own begins it: a BEGIN that is given up half-way would leave the transaction
    /// open for whoever gets the connection next.
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

    /// sqlx says the same of a pool whose connections are all in use and of a server that cannot be
    /// reached, whatever keeps us from it. A connection of our own tells.
    async fn why_there_is_none(&self) -> Error {
        let options = self.options();
        let had_room = self.connections.size() < self.connections.options().get_max_connections();
        match tokio::time::timeout(AT_ONCE, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => {
                let _ = in_time(AT_ONCE, connection.close()).await;
                // There was room for one more, and no answer: it has come back just now.
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

    /// How long a statement may wait for what another one holds.
    pub fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    /// How many connections there are.
    pub fn connections(&self) -> Connections {
        let idle = u32::try_from(self.connections.num_idle()).unwrap_or(u32::MAX);
        Connections {
            in_use: self.connections.size().saturating_sub(idle),
            idle,
            max: self.connections.options().get_max_connections(),
        }
    }

    /// How to connect to the database.
    pub fn options(&self) -> Arc<PgConnectOptions> {
        self.connections.connect_options()
    }

    /// Closes all connections. One that is lost without a word, or is being made, is not waited for.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(AT_ONCE, self.connections.close()).await;
    }
}

/// Whether there is a pooler that gives each transaction another session.
fn is_pooled(session: &SessionConfig) -> bool {
    session.statement_cache == 0
}

/// How to connect, with what every connection of ours has.
fn with_ours(options: PgConnectOptions, session: &SessionConfig) -> PgConnectOptions {
    let options = options
        .application_name("smartassist-etl")
        .statement_cache_capacity(session.statement_cache)
        // A slow statement's text is five kilobytes of column names; the window's line says what took long.
        .disable_statement_logging();
    if is_pooled(session) {
        // A pooler refuses what it does not know, and we read no floating point numbers as text.
        options.extra_float_digits(None)
    } else {
        options
    }
}

/// Whether a connection that was idle may still be used: not if the server has gone, nor if it takes
/// no writes, as the old primary after a failover; another connection may find the new one.
async fn takes_writes(connection: &mut PgConnection) -> Result<bool, Error> {
    let answer = connection.fetch_one(sqlx::raw_sql("show transaction_read_only"));
    let answer = in_time(AT_ONCE, answer).await;
    // Why it is of no use is nobody's concern: whoever asked gets another one, or that one's error.
    let value = answer.and_then(|row| sqlx::Row::try_get::<String, _>(&row, 0));
    Ok(value.is_ok_and(|value| value == "off"))
}

/// Whether a connection that is given back may be kept: one that is silent, or still busy with what was
/// given up, would keep its place in the pool for ever.
async fn answers(connection: &mut PgConnection) -> Result<bool, Error> {
    Ok(in_time(AT_ONCE, connection.ping()).await.is_ok())
}

/// What all of it comes to, once it is committed.
async fn in_one<T, E: From<Error>>(
    mut transaction: PgTransaction<'static>,
    statements: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<T, E> {
    let done = statements(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

type Outcome = Either<PgQueryResult, PgRow>;

/// A single statement is a transaction of its own, also where the pool is given in place of a
/// connection. Nothing comes back before it is committed.
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

    // Hidden in the trait's documentation, and there only with sqlx's compile-time checks.
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

/// The database was asked and does not answer.
fn silence() -> Error {
    timed_out("the database does not answer; whether it did what it was asked is not known")
}

/// Nobody says anything to somebody who wants to connect.
pub(super) fn unanswered() -> Error {
    timed_out("the database does not answer a connection")
}

fn timed_out(what: &'static str) -> Error {
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
}
