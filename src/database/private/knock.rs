//! Asking whether our server is there, and whether what is there is our server: another program
//! may have our port, and a copy of our directory has our port and password.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};

use super::access::Access;
use super::{PrivateServerError, USER, cluster};

/// A server of ours answers at once; something else that listens may never do so.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// What a server says that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    LetIn,
    StartingOrStopping,
    /// It does not take our password: another one's server, or our password is not what it was.
    Refused,
    Nobody,
}

pub(super) fn options(access: &Access) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(access.port)
        .username(USER)
        .password(&access.password)
        .ssl_mode(PgSslMode::Disable)
}

/// Asks the server of `directory`, and nobody else: without its pid file there is none, and our
/// password is not for whoever has the port now.
pub(super) async fn knock(directory: &Path, access: &Access) -> Result<Answer, PrivateServerError> {
    if named_port(directory) != Some(access.port) {
        return Ok(Answer::Nobody);
    }
    match tokio::time::timeout(KNOCK_TIMEOUT, data_directory(access)).await {
        Ok(Ok(answering)) if is_same(Path::new(&answering), &cluster(directory)) => Ok(Answer::LetIn),
        Ok(Ok(_)) | Err(_) => Ok(Answer::Nobody),
        Ok(Err(error)) => meaning(error),
    }
}

/// The port in the pid file of a server that runs, or did until it crashed: its fourth line
/// (PostgreSQL manual, "Database File Layout").
fn named_port(directory: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(pid_file(directory)).ok()?;
    text.lines().nth(3)?.trim().parse().ok()
}

/// Whether a server runs, or did until it crashed.
pub(super) fn has_pid_file(directory: &Path) -> bool {
    pid_file(directory).exists()
}

fn pid_file(directory: &Path) -> PathBuf {
    cluster(directory).join("postmaster.pid")
}

/// Where the server that answers has its data.
async fn data_directory(access: &Access) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect_with(&options(access).database("postgres")).await?;
    let place = sqlx::query_scalar("select current_setting('data_directory')")
        .fetch_one(&mut connection)
        .await?;
    // It has answered; that is all we wanted.
    let _ = connection.close().await;
    Ok(place)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn meaning(error: sqlx::Error) -> Result<Answer, PrivateServerError> {
    if matches!(error, sqlx::Error::Io(_)) {
        return Ok(Answer::Nobody);
    }
    let code = error.as_database_error().and_then(DatabaseError::code);
    match code.as_deref() {
        // admin_shutdown, crash_shutdown, cannot_connect_now: it starts, stops or recovers.
        Some("57P01" | "57P02" | "57P03") => Ok(Answer::StartingOrStopping),
        Some("28P01" | "28000") => Ok(Answer::Refused),
        // It does not speak PostgreSQL's protocol.
        None => Ok(Answer::Nobody),
        Some(_) => {
            drop(code);
            Err(PrivateServerError::Connection(error))
        }
    }
}
