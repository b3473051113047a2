//! What can be wrong with the private server, and what to do about it.

use std::path::{Path, PathBuf};

use super::START_TIMEOUT;

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
    #[error(
        "{directory} was made by PostgreSQL {version}, whose server binaries are not found: install postgresql-{version}"
    )]
    OtherVersion {
        /// The server's directory.
        directory: PathBuf,
        /// The major version it was made by.
        version: String,
    },
    /// PostgreSQL refuses to run as root, and there is no user to run it as.
    #[error("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as")]
    NoUser,
    /// The user that PostgreSQL runs as cannot get to its directory.
    #[error(
        "PostgreSQL runs as user {user}, who may not enter {directory}: set data_dir to a directory that every \
         user may enter, e.g. below /var/lib"
    )]
    Unenterable {
        /// The user that PostgreSQL runs as.
        user: String,
        /// The first directory on the way that is closed to him.
        directory: PathBuf,
    },
    /// A file or directory of ours.
    #[error("cannot use {path}")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// `initdb` or the server ended with an error.
    #[error("{what} failed; the last lines of {log} say why: {tail}")]
    Program {
        /// Which program.
        what: &'static str,
        /// Its log.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },
    /// The password is gone, the data is not.
    #[error(
        "{pgpass} is lost or damaged, and the data in {directory} cannot be opened without the password in it: \
         restore it from a backup, or move {directory} away to load everything anew"
    )]
    PasswordLost {
        /// The file that the password should be in.
        pgpass: PathBuf,
        /// The server's directory.
        directory: PathBuf,
    },
    /// Another process that starts the server does not come to an end with it.
    #[error(
        "another process has been starting the private PostgreSQL for {} seconds: it holds {lock}",
        START_TIMEOUT.as_secs()
    )]
    Locked {
        /// The file that it holds a lock on.
        lock: PathBuf,
    },
    /// Our server ended though nobody here told it to.
    #[error("the private PostgreSQL ended by itself; the last lines of {log} say why: {tail}")]
    Ended {
        /// Its log.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },
    /// The server does not answer.
    #[error("the private PostgreSQL did not answer within {} seconds; see {log}", START_TIMEOUT.as_secs())]
    Silent {
        /// Its log.
        log: PathBuf,
    },
    /// The server answers, but does not let us in.
    #[error("the private PostgreSQL does not let us in")]
    Connection(#[source] sqlx::Error),
}

impl PrivateServerError {
    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}
