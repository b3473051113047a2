//! A private PostgreSQL on a Unix socket, run by the process with the file lock.

mod access;
mod owner;
mod process;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::time::Instant;
use tracing::{info, warn};

use access::USER;
use owner::Owner;
use process::{Programs, ServerProcess};

const DIRECTORY: &str = "postgres";

/// Crash recovery takes time.
const START_TIMEOUT: Duration = Duration::from_secs(120);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
pub enum PrivateServerError {
    #[error(
        "no PostgreSQL server binaries found: set database.url (or DATABASE_URL) to use a server of yours, or \
         install them, e.g. with: apt-get install postgresql (database.server_binaries names another place)"
    )]
    NoBinaries,
    #[error("{0} was made by PostgreSQL {1}, whose server binaries are not found: install postgresql-{1}")]
    OtherVersion(PathBuf, String),
    #[error("PostgreSQL runs as a user with a name, and not as root: add a user postgres to this system")]
    NoUser,
    #[error(
        "PostgreSQL runs as user {0}, who may not enter {1}: set data_dir to a directory below others that every \
         user may enter, e.g. below /var/lib"
    )]
    Unenterable(String, PathBuf),
    #[error(
        "cannot use {0} for the private PostgreSQL: set data_dir to a directory that this user may make or write to, or \
         database.url to a server of yours"
    )]
    File(PathBuf, #[source] std::io::Error),
    #[error("{0}; the last lines of {1} say why: {2}")]
    Program(&'static str, PathBuf, String),
    #[error("the private PostgreSQL did not start within two minutes; see {0}")]
    Silent(PathBuf),
    #[error("the private PostgreSQL rejects us")]
    Connection(#[from] sqlx::Error),
}

impl PrivateServerError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File(path.to_owned(), source)
    }

    fn program(what: &'static str, directory: &Path) -> Self {
        let log = log_file(directory);
        let text = std::fs::read(&log).unwrap_or_default();
        let end = String::from_utf8_lossy(&text[text.len().saturating_sub(2_000)..]).into_owned();
        let lines: Vec<&str> = end.lines().collect();
        let tail = lines[lines.len().saturating_sub(5)..].join(" | ");
        Self::Program(what, log, tail)
    }
}

#[derive(Debug)]
pub struct PrivateServer {
    directory: PathBuf,
    socket: PathBuf,
    /// `None`: joined. The lock drops last.
    process: Option<(ServerProcess, File)>,
}

impl PrivateServer {
    /// Starts the server, joins another process's, or waits without limit.
    pub async fn start(
        data_dir: &Path,
        binaries: Option<&Path>,
        may_join: bool,
    ) -> Result<Self, PrivateServerError> {
        let owner = Owner::choose()?;
        let claimed = owner::claim(data_dir, DIRECTORY, owner.group);
        let directory = claimed.map_err(PrivateServerError::file(data_dir))?;
        let socket = access::socket(&directory, &owner)?;
        let mut server = Self {
            directory,
            socket,
            process: None,
        };
        if let Some(lock) = server.lock(may_join).await? {
            let programs = Programs {
                directory: &server.directory,
                binaries: process::find_binaries(binaries, &cluster(&server.directory))?,
                owner: &owner,
            };
            let process = server.run(&programs).await?;
            server.process = Some((process, lock));
            access::set_up(&server.socket).await?;
        }
        Ok(server)
    }

    async fn lock(&self, may_join: bool) -> Result<Option<File>, PrivateServerError> {
        let path = self.directory.join("lock");
        let file = owner::open(&path).map_err(PrivateServerError::file(&path))?;
        let (begun, mut is_logged) = (Instant::now(), may_join);
        while let Err(error) = file.try_lock() {
            if let TryLockError::Error(error) = error {
                return Err(PrivateServerError::File(path, error));
            }
            if may_join && access::is_ready(&self.socket).await == Some(true) {
                return Ok(None);
            }
            if may_join && begun.elapsed() > START_TIMEOUT {
                return Err(PrivateServerError::Silent(path));
            }
            if !std::mem::replace(&mut is_logged, true) {
                warn!("another process has the private PostgreSQL, waiting for it to end");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(Some(file))
    }

    async fn run(&self, programs: &Programs<'_>) -> Result<ServerProcess, PrivateServerError> {
        programs.initialize().await?;
        let settings = access::settings(&self.directory, &self.socket, programs.owner)?;
        let (begun, mut process) = (Instant::now(), None::<ServerProcess>);
        while begun.elapsed() < START_TIMEOUT {
            match (access::is_ready(&self.socket).await, process.take()) {
                (Some(true), Some(running)) => return Ok(running),
                // Its process was killed.
                (Some(_), None) => programs.stop().await?,
                (None, None) => {
                    access::remove_stale(&self.socket);
                    process = Some(programs.start(&settings)?);
                }
                (None, Some(ended)) if ended.ended.is_cancelled() => {
                    // A stopping server's pid file outlives its socket and blocks ours.
                    let is_stopping = cluster(&self.directory).join("postmaster.pid").exists();
                    if !is_stopping || begun.elapsed() > process::STOP_TIMEOUT {
                        return Err(PrivateServerError::program("PostgreSQL failed", &self.directory));
                    }
                }
                (_, starting) => process = starting,
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(PrivateServerError::Silent(log_file(&self.directory)))
    }

    pub fn is_joined(&self) -> bool {
        self.process.is_none()
    }

    pub fn directory(data_dir: &Path) -> PathBuf {
        data_dir.join(DIRECTORY)
    }

    pub fn is_made(data_dir: &Path) -> bool {
        // Opening it reports the error.
        cluster(&Self::directory(data_dir)).try_exists().unwrap_or(true)
    }

    pub fn options(&self) -> PgConnectOptions {
        access::options(&self.socket, USER)
    }

    pub fn psql_command(&self) -> String {
        let mut socket = self.socket.display().to_string();
        let is_plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
        if !socket.chars().all(is_plain) {
            socket = format!("'{}'", socket.replace('\'', r"'\''"));
        }
        format!("psql -h {socket} -U {USER} {USER}")
    }

    /// Pending until it ends by itself.
    pub async fn ended(&self) -> PrivateServerError {
        let Some((process, _)) = &self.process else {
            return std::future::pending().await;
        };
        process.ended.cancelled().await;
        PrivateServerError::program("the private PostgreSQL ended by itself", &self.directory)
    }

    pub async fn stop(self) {
        if let Some((process, _lock)) = self.process {
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
