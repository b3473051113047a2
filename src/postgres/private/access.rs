//! Access by a socket that only the server's user can reach.

use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};

use super::PrivateServerError;
use super::owner::{self, Owner};
use crate::postgres::error_kind::sql_state;

pub(super) const USER: &str = "smartassist";

pub(super) const ADMINISTRATOR: &str = "postgres";

/// Without the database they own nothing.
const ROLES: &str = "drop role if exists smartassist, smartassist_reader, smartassist_bi_reader; \
    create role smartassist login; create role smartassist_reader; create role smartassist_bi_reader";

/// `sun_path`: 104 bytes on macOS, 108 on Linux.
const MAX_SOCKET_DIRECTORY_BYTES: usize = 104 - "/.s.PGSQL.5432\0".len();

const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn socket(directory: &Path, owner: &Owner) -> Result<PathBuf, PrivateServerError> {
    let mut socket = directory.join("socket");
    if socket.as_os_str().len() > MAX_SOCKET_DIRECTORY_BYTES {
        let digest = Sha256::digest(directory.as_os_str().as_bytes());
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        socket = PathBuf::from(format!("/tmp/smartassist-etl-{name}"));
    }
    if DirBuilder::new().mode(0o700).create(&socket).is_ok() {
        owner.give(&socket)?;
    }
    if owner.has_alone(&socket) {
        return Ok(socket);
    }
    let error = std::io::Error::other("others may enter it, or own it: remove it");
    Err(PrivateServerError::File(socket, error))
}

/// A stale lock's process id may be reused.
pub(super) fn remove_stale(socket: &Path) {
    for name in [".s.PGSQL.5432", ".s.PGSQL.5432.lock"] {
        let _ = std::fs::remove_file(socket.join(name));
    }
}

pub(super) fn settings(
    directory: &Path,
    socket: &Path,
    owner: &Owner,
) -> Result<Vec<(&'static str, String)>, PrivateServerError> {
    let us = &owner.us;
    let names = format!("ours \"{us}\" {USER}\nours \"{us}\" {ADMINISTRATOR}\n");
    let [hba, ident] = ["pg_hba.conf", "pg_ident.conf"].map(|name| directory.join(name));
    for (path, text) in [(&hba, "local all all peer map=ours\n"), (&ident, &names)] {
        owner::write(path, text).map_err(PrivateServerError::file(path))?;
        owner.give(path)?;
    }
    Ok(vec![
        ("listen_addresses", String::new()),
        ("port", "5432".to_owned()),
        (
            "unix_socket_directories",
            format!("\"{}\"", socket.display().to_string().replace('"', "\"\"")),
        ),
        ("unix_socket_permissions", "0700".to_owned()),
        ("hba_file", hba.display().to_string()),
        ("ident_file", ident.display().to_string()),
        ("logging_collector", "off".to_owned()),
        // Compiling takes longer than our queries, and a confined service may not make code executable.
        ("jit", "off".to_owned()),
        // DETAIL lines hold personal data.
        ("log_error_verbosity", "terse".to_owned()),
    ])
}

/// Ignores `PGHOST`.
pub(super) fn options(socket: &Path, user: &str) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass().socket(socket).port(5432);
    options.username(user).database(user).ssl_mode(PgSslMode::Disable)
}

/// `Some(false)`: starting, stopping or recovering.
pub(super) async fn is_ready(socket: &Path) -> Option<bool> {
    let options = options(socket, ADMINISTRATOR);
    match tokio::time::timeout(ANSWER_TIMEOUT, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => Some(connection.close().await.is_ok()),
        Ok(Err(sqlx::Error::Io(_))) | Err(_) => None,
        Ok(Err(error)) => {
            let code = sql_state(&error).unwrap_or_default();
            Some(!["57P01", "57P02", "57P03"].contains(&code.as_str()))
        }
    }
}

pub(super) async fn set_up(socket: &Path) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(&options(socket, ADMINISTRATOR)).await?;
    let is_made = "select exists (select from pg_database where datname = 'smartassist')";
    if !sqlx::query_scalar(is_made).fetch_one(&mut connection).await? {
        sqlx::raw_sql(ROLES).execute(&mut connection).await?;
        let create = sqlx::query("create database smartassist owner smartassist");
        create.execute(&mut connection).await?;
    }
    connection.close().await
}
