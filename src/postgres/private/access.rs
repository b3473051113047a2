//! A socket and files that only the server's user can reach: other writers could redirect loads.

use std::fs::{DirBuilder, File};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::{User, geteuid};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};

use super::PrivateServerError;
use crate::postgres::error_kind::sql_state;

pub(super) const USER: &str = "smartassist";

pub(super) const ADMINISTRATOR: &str = "postgres";

pub(super) const PORT: u16 = 5432;

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
    let error = Error::other("others may enter it, or own it: remove it");
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
        write(path, text).map_err(PrivateServerError::file(path))?;
        owner.give(path)?;
    }
    Ok(vec![
        ("listen_addresses", String::new()),
        ("port", PORT.to_string()),
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
    let options = PgConnectOptions::new_without_pgpass().socket(socket).port(PORT);
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

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) name: String,
    uid: u32,
    pub(super) group: Option<u32>,
    us: String,
}

impl Owner {
    pub(super) fn choose() -> Result<Self, PrivateServerError> {
        let us = User::from_uid(geteuid())
            .ok()
            .flatten()
            .ok_or(PrivateServerError::NoUser)?;
        let is_root = us.uid.is_root();
        let postgres = User::from_name("postgres").ok().flatten();
        let user = if is_root { postgres } else { Some(us.clone()) };
        let user = user.ok_or(PrivateServerError::NoUser)?;
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            group: is_root.then(|| user.gid.as_raw()),
            us: us.name,
        })
    }

    /// Ctrl-C must not stop the server.
    pub(super) fn prepare(&self, command: &mut Command) {
        command.process_group(0);
        if let Some(group) = self.group {
            command.uid(self.uid).gid(group);
        }
    }

    pub(super) fn give(&self, path: &Path) -> Result<(), PrivateServerError> {
        if self.group.is_some() {
            chown(path, Some(self.uid), self.group).map_err(PrivateServerError::file(path))?;
        }
        Ok(())
    }

    fn has_alone(&self, directory: &Path) -> bool {
        let metadata = std::fs::symlink_metadata(directory);
        metadata.is_ok_and(|it| it.is_dir() && it.uid() == self.uid && it.mode() & 0o077 == 0)
    }
}

/// `group` may only pass through.
pub(super) fn claim(data_dir: &Path, name: &str, group: Option<u32>) -> std::io::Result<PathBuf> {
    let parents = data_dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    parents.map_or(Ok(()), std::fs::create_dir_all)?;
    claim_one(data_dir, group)?;
    let directory = data_dir.join(name);
    claim_one(&directory, group)?;
    // An existing `data_dir` keeps its mode.
    close(&directory, group)?;
    directory.canonicalize()
}

fn claim_one(directory: &Path, group: Option<u32>) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => close(directory, group)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // Checks link and target.
    for metadata in [directory.symlink_metadata()?, directory.metadata()?] {
        let is_trusted = metadata.uid() == 0 || metadata.uid() == geteuid().as_raw();
        if !is_trusted || (metadata.is_dir() && metadata.mode() & 0o022 != 0) {
            return Err(Error::other(format!(
                "{} belongs to another user, or others may write to it, so what is in it may be theirs: set data_dir to a \
                 directory of your own, or look at what is in it and make it yours (chown, chmod go-w)",
                directory.display()
            )));
        }
    }
    Ok(())
}

fn close(directory: &Path, group: Option<u32>) -> std::io::Result<()> {
    let mut mode = 0o700;
    if group.is_some() {
        chown(directory, None, group)?;
        mode = 0o710;
    }
    std::fs::set_permissions(directory, PermissionsExt::from_mode(mode))
}

pub(super) fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    let options = options.create(true).append(true).mode(0o600);
    let file = options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)?;
    file.set_permissions(PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let _ = std::fs::remove_file(path);
    open(path)?.write_all(text.as_bytes())
}
