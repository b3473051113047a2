//! Waits at startup for the server, and refuses a database that our settings cannot repair.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::telemetry::chain;

use super::error_kind::{is_unreachable, is_worth_waiting};
use super::{OpenError, Pool, connect, pool};

const RETRY_PAUSE: Duration = Duration::from_secs(1);

const LOG_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "the database's encoding is {0}, which cannot hold every text: make another database (create database <name> \
         encoding 'UTF8' template template0) and name it in database.url"
    )]
    Encoding(String),
    /// Foreign keys and triggers are off.
    #[error(
        "session_replication_role is {0} for our user, so foreign keys and triggers do nothing: alter role <our user> \
         reset session_replication_role (and the same for the database)"
    )]
    Replica(String),
}

pub(super) async fn wait_for(
    pool: &Pool,
    connect_timeout: Duration,
    deadline: Instant,
) -> Result<(), OpenError> {
    loop {
        wait_for_connection(&pool.options(), connect_timeout, deadline).await?;
        match unfit(pool).await {
            Ok(None) => return Ok(()),
            Ok(Some(unfit)) => return Err(unfit.into()),
            Err(error) if is_unreachable(&error) && Instant::now() < deadline => {}
            Err(error) => return Err(OpenError::Unreachable(error)),
        }
    }
}

async fn wait_for_connection(
    options: &PgConnectOptions,
    connect_timeout: Duration,
    deadline: Instant,
) -> Result<(), OpenError> {
    let began = Instant::now();
    let mut logged_at: Option<Instant> = None;
    loop {
        // The pool would retry without logging.
        let attempt = PgConnection::connect_with(options);
        let until = deadline.min(Instant::now() + connect_timeout);
        let error = match tokio::time::timeout_at(until, attempt).await {
            Ok(Ok(connection)) => {
                if logged_at.is_some() {
                    let waited_seconds = began.elapsed().as_secs();
                    info!(waited_seconds, "the database is there, going on");
                }
                return connection.close().await.map_err(OpenError::Unreachable);
            }
            Ok(Err(error)) => error,
            Err(_) => pool::connect_timeout(),
        };
        if connect::is_of_certificate(&error) {
            return Err(OpenError::Certificate(error));
        }
        if !is_worth_waiting(&error) {
            return Err(OpenError::Unreachable(error));
        }
        if Instant::now() + RETRY_PAUSE >= deadline {
            let waited = began.elapsed().as_secs();
            return Err(OpenError::StillUnreachable {
                waited,
                source: error,
            });
        }
        if logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            logged_at = Some(Instant::now());
            let wait_seconds = (deadline - began).as_secs();
            warn!(error = %chain(&error), wait_seconds, "database is out of reach, waiting for it");
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn unfit(pool: &Pool) -> Result<Option<Unfit>, sqlx::Error> {
    let settings = "select current_setting('server_encoding'), current_setting('session_replication_role')";
    let (encoding, role): (String, String) = sqlx::query_as(settings).fetch_one(pool).await?;
    Ok(if encoding != "UTF8" {
        Some(Unfit::Encoding(encoding))
    } else if role != "origin" {
        Some(Unfit::Replica(role))
    } else {
        None
    })
}
