//! A PostgreSQL of our own, for those who have none to give: started from the server binaries on
//! this machine, kept in a directory of ours, stopped with this process.
//!
//! The directory holds `cluster` (the server's own), `port`, `pgpass` (how to get in, readable by
//! this user alone) and `server.log`. A second process that finds the server running, such as
//! `status` beside `run`, uses it and leaves it running.

mod access;
mod binaries;
mod owner;
mod process;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use tracing::info;

use access::Access;
use binaries::Binaries;
use owner::Owner;
use process::ServerProcess;

const DATABASE: &str = "smartassist";
const USER: &str = "smartassist";

/// A server that recovers from a crash may take a while until it lets anybody in.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a server that starts is asked whether it is there.
const POLL: Duration = Duration::from_millis(50);

/// A running private server; ours to stop, unless another process started it.
#[derive(Debug)]
pub struct PrivateServer {
    directory: PathBuf,
    access: Access,
    process: Option<ServerProcess>,
}

/// The private server cannot be started.
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
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// What a server says that is there.
enum Answer {
    LetIn,
    StartingOrStopping,
    Nobody,
}

impl PrivateServer {
    /// Starts the server in `directory`, made at the first start, or joins the one that runs
    /// there. `binaries` is where `initdb` and `postgres` are, if not where systems put them;
    /// `settings` are added to the server's command line.
    ///
    /// # Errors
    /// No server binaries, no user to run it as, a directory that cannot be used, or a server
    /// that does not start.
    pub async fn start(
        directory: &Path,
        binaries: Option<&Path>,
        settings: &[(&str, &str)],
    ) -> Result<Self, PrivateServerError> {
        std::fs::create_dir_all(directory).map_err(PrivateServerError::file(directory))?;
        let directory = directory
            .canonicalize()
            .map_err(PrivateServerError::file(directory))?;
        let deadline = Instant::now() + START_TIMEOUT;
        let access = Access::of(&directory)?;
        while let Some(access) = &access {
            match knock(access).await? {
                Answer::LetIn => {
                    return Ok(Self {
                        directory,
                        access: access.clone(),
                        process: None,
                    });
                }
                Answer::StartingOrStopping if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Answer::StartingOrStopping => {
                    return Err(PrivateServerError::Silent {
                        log: log_file(&directory),
                    });
                }
                Answer::Nobody => break,
            }
        }
        let owner = Owner::choose()?;
        owner.check_reach(&directory)?;
        let binaries = Binaries::find(binaries, &cluster(&directory))?;
        let access = match access {
            Some(access) if cluster(&directory).exists() => access.with_free_port(&directory)?,
            _ => process::initialize(&directory, &binaries, &owner).await?,
        };
        let mut process = ServerProcess::spawn(&directory, &binaries, &owner, access.port, settings)?;
        wait_for(&mut process, &directory, &access, deadline).await?;
        create_database(&access).await?;
        Ok(Self {
            directory,
            access,
            process: Some(process),
        })
    }

    /// How to connect to its database.
    pub fn options(&self) -> PgConnectOptions {
        options(&self.access).database(DATABASE)
    }

    /// A command line that opens a `psql`. The password is in the file it names, not in it.
    pub fn psql_command(&self) -> String {
        format!(
            "PGPASSFILE={} psql -h 127.0.0.1 -p {} -U {USER} {DATABASE}",
            Access::pgpass_file(&self.directory).display(),
            self.access.port
        )
    }

    /// Stops the server if this process started it: open transactions are rolled back, committed
    /// ones are on disk.
    pub async fn stop(self) {
        if let Some(process) = self.process {
            process.stop().await;
            info!("private PostgreSQL has stopped");
        }
    }
}

fn cluster(directory: &Path) -> PathBuf {
    directory.join("cluster")
}

fn log_file(directory: &Path) -> PathBuf {
    directory.join("server.log")
}

fn options(access: &Access) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(access.port)
        .username(USER)
        .password(&access.password)
        .ssl_mode(PgSslMode::Disable)
}

async fn knock(access: &Access) -> Result<Answer, PrivateServerError> {
    let attempt = PgConnection::connect_with(&options(access).database("postgres")).await;
    match attempt {
        Ok(connection) => {
            // What matters is that it was opened.
            let _ = connection.close().await;
            Ok(Answer::LetIn)
        }
        Err(sqlx::Error::Io(_)) => Ok(Answer::Nobody),
        Err(error) => {
            let code = error
                .as_database_error()
                .and_then(DatabaseError::code)
                .map(std::borrow::Cow::into_owned);
            match code.as_deref() {
                // cannot_connect_now: it starts, stops or recovers.
                Some("57P03") => Ok(Answer::StartingOrStopping),
                // Another program took the port while ours was down.
                None | Some("28P01" | "28000") => Ok(Answer::Nobody),
                Some(_) => Err(PrivateServerError::Connection(error)),
            }
        }
    }
}

async fn wait_for(
    process: &mut ServerProcess,
    directory: &Path,
    access: &Access,
    deadline: Instant,
) -> Result<(), PrivateServerError> {
    loop {
        if let Answer::LetIn = knock(access).await? {
            return Ok(());
        }
        if process.has_ended() {
            let log = log_file(directory);
            return Err(PrivateServerError::Program {
                what: "PostgreSQL",
                tail: process::tail(&log),
                log,
            });
        }
        if Instant::now() > deadline {
            return Err(PrivateServerError::Silent {
                log: log_file(directory),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn create_database(access: &Access) -> Result<(), PrivateServerError> {
    let create = async {
        let mut connection = PgConnection::connect_with(&options(access).database("postgres")).await?;
        let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            sqlx::query("create database smartassist")
                .execute(&mut connection)
                .await?;
        }
        connection.close().await
    };
    create.await.map_err(PrivateServerError::Connection)
}
