//! What can be wrong with the private server, and what to do about it.

use std::path::{Path, PathBuf};

use super::log_file;

/// The private server cannot be started, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum PrivateServerError {
    /// There is nothing to start.
    #[error(
        "no PostgreSQL server binaries found: set database.url (or DATABASE_URL) to use a server of yours, or \
         install them, e.g. with: apt-get install postgresql (database.server_binaries names another place)"
    )]
    NoBinaries,
    /// The data was made by another major version.
    #[error("{0} was made by PostgreSQL {1}, whose server binaries are not found: install postgresql-{1}")]
    OtherVersion(PathBuf, String),
    /// There is nobody to run it as.
    #[error("PostgreSQL runs as a user with a name, and not as root: add a user postgres to this system")]
    NoUser,
    /// The user that PostgreSQL runs as cannot get to this directory.
    #[error(
        "PostgreSQL runs as user {0}, who may not enter {1}: set data_dir to a directory below others that every \
         user may enter, e.g. below /var/lib"
    )]
    Unenterable(String, PathBuf),
    /// A file or directory of ours.
    #[error(
        "cannot use {0} for the private PostgreSQL: set data_dir to a directory that this user may make or write to, or \
         database.url to a server of yours"
    )]
    File(PathBuf, #[source] std::io::Error),
    /// `initdb` or the server ended: what happened, its log, the end of that.
    #[error("{0}; the last lines of {1} say why: {2}")]
    Program(&'static str, PathBuf, String),
    /// Neither our server nor another process's comes to answer.
    #[error("the private PostgreSQL did not start within two minutes; see {0}")]
    Silent(PathBuf),
    /// The server answers, but does not let us in.
    #[error("the private PostgreSQL does not let us in")]
    Connection(#[from] sqlx::Error),
}

impl PrivateServerError {
    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File(path.to_owned(), source)
    }

    pub(super) fn program(what: &'static str, directory: &Path) -> Self {
        let log = log_file(directory);
        let text = std::fs::read(&log).unwrap_or_default();
        let end = String::from_utf8_lossy(&text[text.len().saturating_sub(2_000)..]).into_owned();
        let lines: Vec<&str> = end.lines().collect();
        let tail = lines[lines.len().saturating_sub(5)..].join(" | ");
        Self::Program(what, log, tail)
    }
}
