//! A database of the benchmark on its private server.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use smartassist_etl::postgres::PrivateServer;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};
use tokio::process::Command;

/// The tables of schema `smartassist`, parents before children.
pub(crate) const TABLES: [&str; 7] = [
    "sessions",
    "destinations",
    "agent_segments",
    "consultations",
    "joined_users",
    "tags",
    "raw_interactions",
];

/// A database, and one connection to it.
#[derive(Debug)]
pub(crate) struct Database {
    name: String,
    options: PgConnectOptions,
    connection: PgConnection,
}

/// What the daemon's own books say of its last run.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) requests: usize,
    pub(crate) inserted: usize,
    pub(crate) updated: usize,
    pub(crate) unchanged: usize,
    pub(crate) rejected: usize,
}

/// What the daemon's own books say of all of its runs.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) requests: usize,
    pub(crate) inserted: usize,
    pub(crate) rejected: usize,
    /// Windows by what came of them; failed ones are those of which something is missing.
    pub(crate) drained: usize,
    pub(crate) split: usize,
    pub(crate) failed: usize,
    /// Of the last run that has one.
    pub(crate) error: Option<String>,
}

impl Database {
    /// A new one, empty.
    pub(crate) async fn create(server: &PrivateServer, name: &str) -> Result<Self> {
        on_server(server, &format!("create database {name}")).await?;
        let options = administrator(server).database(name);
        Ok(Self {
            name: name.to_owned(),
            connection: PgConnection::connect_with(&options).await?,
            options,
        })
    }

    /// Drops it, whoever else may still be connected.
    pub(crate) async fn drop_from(self, server: &PrivateServer) -> Result<()> {
        self.connection.close().await?;
        on_server(server, &format!("drop database {} with (force)", self.name)).await
    }

    /// How to connect to it.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// As `DATABASE_URL` has it.
    pub(crate) fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    pub(crate) async fn execute(&mut self, statement: &str) -> Result<()> {
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&mut self.connection)
            .await
            .with_context(|| format!("failed: {statement}"))?;
        Ok(())
    }

    /// The process that serves this connection.
    pub(crate) async fn backend(&mut self) -> Result<i32> {
        Ok(sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut self.connection)
            .await?)
    }

    /// Does now what PostgreSQL would otherwise do at some time in the background: the work that
    /// was left by what came before is not to be part of what is measured next.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.execute("vacuum (analyze)").await?;
        self.execute("checkpoint").await
    }

    /// As if all had been read two days ago: the page adds up the requests of the last hour.
    pub(crate) async fn age_ledger(&mut self) -> Result<()> {
        self.execute(
            "update smartassist_sync.windows \
             set started_at = started_at - interval '2 days', finished_at = finished_at - interval '2 days'",
        )
        .await
    }

    /// Bytes of a table or an index on the disk.
    pub(crate) async fn size(&mut self, name: &str) -> Result<u64> {
        let bytes: i64 = sqlx::query_scalar("select pg_relation_size($1::regclass)")
            .bind(name)
            .fetch_one(&mut self.connection)
            .await?;
        Ok(bytes.try_into()?)
    }

    /// Bytes of all that is stored, tables with what PostgreSQL keeps beside them, and indexes.
    pub(crate) async fn bytes_of_data(&mut self) -> Result<[u64; 2]> {
        let (tables, indexes): (i64, i64) = sqlx::query_as(
            "select sum(pg_table_size(oid))::bigint, sum(pg_indexes_size(oid))::bigint from pg_class \
             where relkind = 'r' and relnamespace in ('smartassist'::regnamespace, 'smartassist_sync'::regnamespace)",
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok([tables.try_into()?, indexes.try_into()?])
    }

    /// Row versions of schema `smartassist` that updates and deletions have left so far, vacuumed since or not.
    pub(crate) async fn dead_rows(&mut self) -> Result<f64> {
        Ok(sqlx::query_scalar(
            "select sum(n_tup_upd + n_tup_del)::float8 from pg_stat_user_tables where schemaname = 'smartassist'",
        )
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// Bytes of WAL that the server has written since it was made.
    pub(crate) async fn wal_position(&mut self) -> Result<u64> {
        let bytes: i64 =
            sqlx::query_scalar("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
                .fetch_one(&mut self.connection)
                .await?;
        Ok(bytes.try_into()?)
    }

    /// Rows in each table.
    pub(crate) async fn counts(&mut self) -> Result<[usize; TABLES.len()]> {
        let mut counts = [0; TABLES.len()];
        for (table, rows) in TABLES.iter().zip(&mut counts) {
            let count: i64 =
                sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from smartassist.{table}")))
                    .fetch_one(&mut self.connection)
                    .await?;
            *rows = count.try_into()?;
        }
        Ok(counts)
    }

    /// Interactions that are stored.
    pub(crate) async fn sessions(&mut self) -> Result<usize> {
        let count = sqlx::query_scalar("select count(*) from smartassist.sessions");
        let count: i64 = count.fetch_one(&mut self.connection).await?;
        Ok(count.try_into()?)
    }

    /// Where the windows of polls begin, and when each was read.
    pub(crate) async fn polls(&mut self) -> Result<Vec<[DateTime<Utc>; 2]>> {
        let polls: Vec<(DateTime<Utc>, DateTime<Utc>)> = sqlx::query_as(
            "select lower(range), finished_at from smartassist_sync.windows where purpose = 'new'",
        )
        .fetch_all(&mut self.connection)
        .await?;
        Ok(polls.into_iter().map(Into::into).collect())
    }

    /// Whoever began the last session.
    pub(crate) async fn newest_customer(&mut self) -> Result<String> {
        let newest = sqlx::query_scalar(
            "select user_id from smartassist.sessions where user_id is not null \
             order by session_started_at desc, interaction_key limit 1",
        );
        Ok(newest.fetch_one(&mut self.connection).await?)
    }

    pub(crate) async fn books(&mut self) -> Result<Books> {
        let row = sqlx::query(
            "select requests, inserted, updated, unchanged, rejected from smartassist_sync.runs order by id desc limit 1",
        )
        .fetch_one(&mut self.connection)
        .await?;
        let count = |column: &str| -> Result<usize> { Ok(row.try_get::<i64, _>(column)?.try_into()?) };
        Ok(Books {
            requests: count("requests")?,
            inserted: count("inserted")?,
            updated: count("updated")?,
            unchanged: count("unchanged")?,
            rejected: count("rejected")?,
        })
    }

    /// What the daemon's books say of all that it did to this database.
    pub(crate) async fn ledger(&mut self) -> Result<Ledger> {
        let row = sqlx::query(include_str!("ledger.sql"))
            .fetch_one(&mut self.connection)
            .await?;
        let count = |column: &str| -> Result<usize> { Ok(row.try_get::<i64, _>(column)?.try_into()?) };
        Ok(Ledger {
            requests: count("requests")?,
            inserted: count("inserted")?,
            rejected: count("rejected")?,
            drained: count("drained")?,
            split: count("split")?,
            failed: count("failed")?,
            error: row.try_get("error")?,
        })
    }

    /// Runs a file in one `psql` session, and gives what it printed.
    pub(crate) async fn psql(&self, script: &Path) -> Result<String> {
        let output = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--file"])
            .arg(script)
            .arg("--host")
            .arg(self.options.get_socket().context("no socket")?)
            .args(["--port", &self.options.get_port().to_string()])
            .args(["--username", self.options.get_username(), "--dbname", &self.name])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start psql, which PostgreSQL's client package has")?;
        ensure!(
            output.status.success(),
            "psql ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// As the superuser: what is measured needs rights that loading does not.
fn administrator(server: &PrivateServer) -> PgConnectOptions {
    server.options().username("postgres").database("postgres")
}

async fn on_server(server: &PrivateServer, statement: &str) -> Result<()> {
    let mut connection = PgConnection::connect_with(&administrator(server)).await?;
    sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await
        .with_context(|| format!("failed: {statement}"))?;
    connection.close().await?;
    Ok(())
}
