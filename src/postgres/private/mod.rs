//! A PostgreSQL of our own, for those who have none to give: started from the server binaries on this machine, kept in a
//! directory of ours, stopped with this process.
//!
//! It listens on a Unix socket in a directory that only its user may enter, and on no port. The system tells it who
//! connects, so there is no password. Whoever holds the lock runs it; a second process, such as `status` beside `run`,
//! uses it and leaves it running.

mod access;
mod binaries;
mod error;
mod owner;
mod process;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::time::Instant;
use tracing::{info, warn};

use super::watched::Watched;
use super::{data_dir, watched};
use access::USER;
use owner::Owner;
use process::Programs;

pub use error::PrivateServerError;

/// In `data_dir`.
const DIRECTORY: &str = "postgres";

/// A server that recovers from a crash may take a while until it lets anybody in.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a server that starts or stops is looked at.
const POLL: Duration = Duration::from_millis(50);

/// A running private server; ours to stop, unless another process started it.
#[derive(Debug)]
pub struct PrivateServer {
    directory: PathBuf,
    socket: PathBuf,
    /// With the lock, which goes after it.
    process: Option<(Watched, File)>,
}

impl PrivateServer {
    /// Starts the server that is kept in `data_dir`, made at the first start, or where `may_join` joins the one that another
    /// process runs there. Else waits until that process is gone, with which its server goes, however long it takes. May be
    /// dropped meanwhile. `binaries` is where `initdb` and `postgres` are, if not where systems put them; `settings` are
    /// added to the server's command line.
    ///
    /// # Errors
    /// No server binaries, no user to run it as, a directory that cannot be used, or a server that does not start.
    pub async fn start(
        data_dir: &Path,
        binaries: Option<&Path>,
        settings: &[(&str, &str)],
        may_join: bool,
    ) -> Result<Self, PrivateServerError> {
        let owner = Owner::choose()?;
        let claimed = data_dir::claim(data_dir, DIRECTORY, owner.group);
        let directory = claimed.map_err(PrivateServerError::file(data_dir))?;
        let socket = access::socket(&directory, &owner)?;
        let mut server = Self {
            directory,
            socket,
            process: None,
        };
        if let Some(lock) = server.lock(may_join).await? {
            let binaries = binaries::find(binaries, &cluster(&server.directory))?;
            let (directory, owner) = (&server.directory, &owner);
            let programs = Programs {
                directory,
                binaries,
                owner,
            };
            let process = server.run(&programs, settings).await?;
            server.process = Some((process, lock));
            access::set_up(&server.socket).await?;
        }
        Ok(server)
    }

    /// Waits until we may run it, or, where `may_join`, until another process does: then there is no lock.
    async fn lock(&self, may_join: bool) -> Result<Option<File>, PrivateServerError> {
        let path = self.directory.join("lock");
        let file = data_dir::open(&path).map_err(PrivateServerError::file(&path))?;
        let (begun, mut said) = (Instant::now(), may_join);
        while let Err(error) = file.try_lock() {
            if let TryLockError::Error(error) = error {
                return Err(PrivateServerError::File(path, error));
            }
            if may_join && access::answers(&self.socket).await == Some(true) {
                return Ok(None);
            }
            if may_join && begun.elapsed() > START_TIMEOUT {
                return Err(PrivateServerError::Silent(path));
            }
            if !std::mem::replace(&mut said, true) {
                warn!("another process has the private PostgreSQL, waiting for it to end");
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(Some(file))
    }

    /// Runs it as our child, until it lets us in.
    async fn run(
        &self,
        programs: &Programs<'_>,
        settings: &[(&str, &str)],
    ) -> Result<Watched, PrivateServerError> {
        programs.initialize().await?;
        let own = access::settings(&self.directory, &self.socket, programs.owner)?;
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let settings: Vec<(&str, &str)> = own.chain(settings.iter().copied()).collect();
        let (begun, mut process) = (Instant::now(), None::<Watched>);
        while begun.elapsed() < START_TIMEOUT {
            match (access::answers(&self.socket).await, process.take()) {
                (Some(true), Some(running)) => return Ok(running),
                // Of a process that was killed.
                (Some(_), None) => programs.stop().await?,
                (None, None) => {
                    access::clear(&self.socket);
                    process = Some(programs.start(&settings)?);
                }
                (None, Some(ended)) if ended.ended.is_cancelled() => {
                    // One that stops keeps its pid file for a moment after it closed its socket, and ours does not start
                    // beside it; ours, if it fails, leaves no such file.
                    let is_stopping = cluster(&self.directory).join("postmaster.pid").exists();
                    if !is_stopping || begun.elapsed() > watched::STOP_TIMEOUT {
                        return Err(PrivateServerError::program("PostgreSQL failed", &self.directory));
                    }
                }
                (_, starting) => process = starting,
            }
            tokio::time::sleep(POLL).await;
        }
        Err(PrivateServerError::Silent(log_file(&self.directory)))
    }

    /// Whether another process runs it.
    pub fn is_joined(&self) -> bool {
        self.process.is_none()
    }

    /// Where it is kept.
    pub fn directory(data_dir: &Path) -> PathBuf {
        data_dir.join(DIRECTORY)
    }

    /// Whether one was ever made in `data_dir`.
    pub fn is_made(data_dir: &Path) -> bool {
        // Where we may not look, opening it says why.
        cluster(&Self::directory(data_dir)).try_exists().unwrap_or(true)
    }

    /// How to connect to its database.
    pub fn options(&self) -> PgConnectOptions {
        access::options(&self.socket, USER)
    }

    /// A command line that opens a `psql`, for the user that we run as.
    pub fn psql_command(&self) -> String {
        let mut socket = self.socket.display().to_string();
        let is_plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
        if !socket.chars().all(is_plain) {
            socket = format!("'{}'", socket.replace('\'', r"'\''"));
        }
        format!("psql -h {socket} -U {USER} {USER}")
    }

    /// Waits until the server has ended by itself, and gives that as an error. Pending for ever where another process
    /// started it.
    pub async fn ended(&self) -> PrivateServerError {
        let Some((process, _)) = &self.process else {
            return std::future::pending().await;
        };
        process.ended.cancelled().await;
        PrivateServerError::program("the private PostgreSQL ended by itself", &self.directory)
    }

    /// Stops the server if this process started it: open transactions are rolled back, committed ones are on disk.
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
