//! Private server errors.

use std::path::{Path, PathBuf};

use super::log_file;

/// The private server failed.
#[derive(Debug, thiserror::Error)]
pub enum PrivateServerError {
    /// No server binaries.
    #[error(
        "no PostgreSQL server binaries found: set database.url (or DATABASE_URL) to use a server of yours, or \
         install them, e.g. with: apt-get install postgresql (database.server_binaries names another place)"
    )]
    NoBinaries,
    /// Cluster, missing version.
    #[error("{0} was made by PostgreSQL {1}, whose server binaries are not found: install postgresql-{1}")]
    OtherVersion(PathBuf, String),
    /// No suitable user.
    #[error("PostgreSQL runs as a user with a name, and not as root: add a user postgres to this system")]
    NoUser,
    /// User, closed directory.
    #[error(
        "PostgreSQL runs as user {0}, who may not enter {1}: set data_dir to a directory below others that every \
         user may enter, e.g. below /var/lib"
    )]
    Unenterable(String, PathBuf),
    /// An unusable path.
    #[error(
        "cannot use {0} for the private PostgreSQL: set data_dir to a directory that this user may make or write to, or \
         database.url to a server of yours"
    )]
    File(PathBuf, #[source] std::io::Error),
    /// Event, log file, last lines.
    #[error("{0}; the last lines of {1} say why: {2}")]
    Program(&'static str, PathBuf, String),
    /// No answer within two minutes.
    #[error("the private PostgreSQL did not start within two minutes; see {0}")]
    Silent(PathBuf),
    /// Access refused.
    #[error("the private PostgreSQL rejects us")]
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
