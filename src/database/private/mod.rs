//! A PostgreSQL of our own, for those who have none to give: started from the server binaries on
//! this machine, kept in a directory of ours, stopped with this process.
//!
//! The directory holds `cluster` (the server's own), `port`, `pgpass` (how to get in, readable by
//! this user alone), `lock` (held during a start) and `server.log`. A second process that finds
//! the server running, such as `status` beside `run`, uses it and leaves it running.

mod access;
mod binaries;
mod error;
mod knock;
mod lock;
mod owner;
mod process;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use tracing::{info, warn};

use access::Access;
use binaries::Binaries;
use knock::{Answer, knock, options};
use lock::StartLock;
use owner::Owner;
use process::ServerProcess;

pub use error::PrivateServerError;

const DATABASE: &str = "smartassist";
const USER: &str = "smartassist";

/// A server that recovers from a crash may take a while until it lets anybody in.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a server that starts is asked whether it is there.
const POLL: Duration = Duration::from_millis(50);

/// How often it is tried whether another process's server is gone.
const OWN_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A running private server; ours to stop, unless another process started it.
#[derive(Debug)]
pub struct PrivateServer {
    directory: PathBuf,
    access: Access,
    process: Option<ServerProcess>,
}

impl PrivateServer {
    /// Starts the server in `directory`, made at the first start, or joins the one that runs
    /// there. `binaries` is where `initdb` and `postgres` are, if not where systems put them;
    /// `settings` are added to the server's command line.
    ///
    /// # Errors
    /// No server binaries, no user to run it as, a directory that cannot be used, a password that
    /// is lost, or a server that does not start.
    pub async fn start(
        directory: &Path,
        binaries: Option<&Path>,
        settings: &[(&str, &str)],
    ) -> Result<Self, PrivateServerError> {
        std::fs::create_dir_all(directory).map_err(PrivateServerError::file(directory))?;
        let directory = directory
            .canonicalize()
            .map_err(PrivateServerError::file(directory))?;
        let _lock = StartLock::take(&directory).await?;
        let deadline = Instant::now() + START_TIMEOUT;
        let kept = Access::of(&directory)?;
        if let Some(access) = &kept
            && is_running(&directory, access, deadline).await?
        {
            return Ok(Self {
                directory,
                access: access.clone(),
                process: None,
            });
        }
        let owner = Owner::choose()?;
        owner.check_reach(&directory)?;
        let binaries = Binaries::find(binaries, &cluster(&directory))?;
        let access = match kept {
            Some(access) => access.with_free_port(&directory)?,
            None => process::initialize(&directory, &binaries, &owner).await?,
        };
        let spawn = || ServerProcess::spawn(&directory, &binaries, &owner, access.port, settings);
        let process = start_process(spawn, &directory, &access, deadline).await?;
        // Not before it answers: the port that was kept may be that of a server that hangs.
        access.keep(&directory)?;
        create_database(&access).await?;
        Ok(Self {
            directory,
            access,
            process: Some(process),
        })
    }

    /// As [`PrivateServer::start`], but never another process's server, which would go when that
    /// process does: waits until that is gone, however long it takes. May be dropped meanwhile.
    ///
    /// # Errors
    /// As [`PrivateServer::start`].
    pub async fn start_own(
        directory: &Path,
        binaries: Option<&Path>,
        settings: &[(&str, &str)],
    ) -> Result<Self, PrivateServerError> {
        let mut said = false;
        loop {
            let server = Self::start(directory, binaries, settings).await?;
            if server.process.is_some() {
                return Ok(server);
            }
            if !said {
                warn!("another process has the private PostgreSQL, waiting for it to end");
                said = true;
            }
            tokio::time::sleep(OWN_RETRY_PAUSE).await;
        }
    }

    /// Whether a server was ever made in `directory`.
    pub fn is_made(directory: &Path) -> bool {
        // Where we may not look, opening it says why.
        cluster(directory).try_exists().unwrap_or(true)
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

    /// Waits until the server has ended by itself, and gives that as an error. Pending for ever
    /// where another process started it.
    pub async fn ended(&self) -> PrivateServerError {
        let Some(process) = &self.process else {
            return std::future::pending().await;
        };
        process.ended().await;
        let log = log_file(&self.directory);
        PrivateServerError::Ended {
            tail: process::tail(&log),
            log,
        }
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

/// Whether the server runs already. One that starts or stops is waited for.
async fn is_running(
    directory: &Path,
    access: &Access,
    deadline: Instant,
) -> Result<bool, PrivateServerError> {
    loop {
        match knock(directory, access).await? {
            Answer::LetIn => return Ok(true),
            Answer::Refused | Answer::Nobody => return Ok(false),
            Answer::StartingOrStopping if Instant::now() < deadline => tokio::time::sleep(POLL).await,
            Answer::StartingOrStopping => {
                return Err(PrivateServerError::Silent {
                    log: log_file(directory),
                });
            }
        }
    }
}

/// Starts the server. One that is on its way out keeps its pid file for a moment after it closed
/// its port, and ours does not start beside it; ours, if it fails, leaves no such file.
async fn start_process(
    spawn: impl Fn() -> Result<ServerProcess, PrivateServerError>,
    directory: &Path,
    access: &Access,
    deadline: Instant,
) -> Result<ServerProcess, PrivateServerError> {
    let give_up = Instant::now() + process::STOP_TIMEOUT;
    loop {
        let process = spawn()?;
        match wait_for(&process, directory, access, deadline).await {
            Ok(()) => return Ok(process),
            Err(PrivateServerError::Program { .. })
                if knock::has_pid_file(directory) && Instant::now() < give_up => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(POLL * 4).await;
    }
}

async fn wait_for(
    process: &ServerProcess,
    directory: &Path,
    access: &Access,
    deadline: Instant,
) -> Result<(), PrivateServerError> {
    loop {
        match knock(directory, access).await? {
            Answer::LetIn => return Ok(()),
            Answer::Refused if !process.has_ended() => return Err(Access::lost(directory)),
            _ => {}
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
