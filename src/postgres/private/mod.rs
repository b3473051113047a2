//! A private PostgreSQL on a Unix socket, run by the process with the file lock.

mod access;

use std::fs::{File, TryLockError};
use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::process::Command as AsyncCommand;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use access::{ADMINISTRATOR, Owner, PORT, USER};

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
    #[error(
        "{0} was made by PostgreSQL {1}, whose server binaries are not found: install postgresql-{1}, or name their place in database.server_binaries"
    )]
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
    owner: Owner,
    /// Unset: joined. The lock drops last.
    process: OnceLock<(ServerProcess, File)>,
}

impl PrivateServer {
    /// Starts the server, joins another process's, or waits without limit.
    pub async fn start(
        data_dir: &Path,
        binaries: Option<&Path>,
        may_join: bool,
    ) -> Result<Self, PrivateServerError> {
        let owner = Owner::choose()?;
        let claimed = access::claim(data_dir, DIRECTORY, owner.group);
        let directory = claimed.map_err(PrivateServerError::file(data_dir))?;
        let socket = access::socket(&directory, &owner)?;
        let server = Self {
            directory,
            socket,
            owner,
            process: OnceLock::new(),
        };
        server.run_or_join(binaries, may_join).await?;
        Ok(server)
    }

    /// Again for a joined server, whose process may have ended.
    pub(super) async fn run_or_join(
        &self,
        binaries: Option<&Path>,
        may_join: bool,
    ) -> Result<(), PrivateServerError> {
        let Some(lock) = self.lock(may_join).await? else {
            return Ok(());
        };
        let programs = Programs {
            directory: &self.directory,
            binaries: find_binaries(binaries, &cluster(&self.directory))?,
            owner: &self.owner,
        };
        let process = self.run(&programs).await?;
        access::set_up(&self.socket).await?;
        let _ = self.process.set((process, lock));
        Ok(())
    }

    async fn lock(&self, may_join: bool) -> Result<Option<File>, PrivateServerError> {
        let path = self.directory.join("lock");
        let file = access::open(&path).map_err(PrivateServerError::file(&path))?;
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
                    if !is_stopping || begun.elapsed() > STOP_TIMEOUT {
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
        self.process.get().is_none()
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
        format!("psql -h {socket} -p {PORT} -U {USER} {USER}")
    }

    /// Pending until it ends by itself.
    pub async fn ended(&self) -> PrivateServerError {
        let Some((process, _)) = self.process.get() else {
            return std::future::pending().await;
        };
        process.ended.cancelled().await;
        PrivateServerError::program("the private PostgreSQL ended by itself", &self.directory)
    }

    pub async fn stop(self) {
        if let Some((process, _lock)) = self.process.into_inner() {
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

/// Logs it if a program may not be executed.
const EXECUTE: &str = r#"exec "$@""#;

/// A closed pipe, even after SIGKILL, stops the program. SIGTERM must not end the watch first.
const WATCH: &str = r#"
trap '' TERM
exec 3<&0
"$@" </dev/null &
program=$!
{ read -r _ <&3; kill -INT "$program"; } 2>/dev/null &
watcher=$!
wait "$program"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
"#;

const PLACES: [(&str, &str); 3] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
];

/// Supervisors wait no longer.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct ServerProcess {
    lifeline: PipeWriter,
    ended: CancellationToken,
}

impl ServerProcess {
    fn start(command: Command) -> std::io::Result<Self> {
        let (input, lifeline) = std::io::pipe()?;
        let mut child = AsyncCommand::from(command).stdin(input).spawn()?;
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        tokio::spawn(async move {
            let _guard = guard;
            child.wait().await
        });
        Ok(Self { lifeline, ended })
    }

    async fn stop(self) {
        drop(self.lifeline);
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.ended.cancelled()).await;
    }
}

#[derive(Debug)]
struct Programs<'a> {
    directory: &'a Path,
    binaries: PathBuf,
    owner: &'a Owner,
}

impl Programs<'_> {
    /// Renamed when finished.
    async fn initialize(&self) -> Result<(), PrivateServerError> {
        let cluster = cluster(self.directory);
        if cluster.exists() {
            return Ok(());
        }
        let unfinished = cluster.with_extension("unfinished");
        let _ = std::fs::remove_dir_all(&unfinished);
        std::fs::create_dir(&unfinished).map_err(PrivateServerError::file(&unfinished))?;
        self.owner.give(&unfinished)?;
        let mut command = self.command(EXECUTE, "initdb")?;
        command.args(["--username", ADMINISTRATOR, "--auth=peer", "--encoding=UTF8"]);
        command.args(["--locale=C", "--data-checksums", "--no-instructions", "--pgdata"]);
        command.arg(&unfinished);
        // A cancelled start must end `initdb`.
        let made = AsyncCommand::from(command).kill_on_drop(true).status().await;
        if !made.map_err(self.refused())?.success() {
            return Err(PrivateServerError::program("initdb failed", self.directory));
        }
        std::fs::rename(&unfinished, &cluster).map_err(PrivateServerError::file(&cluster))
    }

    fn start(&self, settings: &[(&str, String)]) -> Result<ServerProcess, PrivateServerError> {
        let mut command = self.command(WATCH, "postgres")?;
        command.arg("-D").arg(cluster(self.directory));
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        ServerProcess::start(command).map_err(self.refused())
    }

    async fn stop(&self) -> Result<(), PrivateServerError> {
        let mut command = self.command(EXECUTE, "pg_ctl")?;
        command.args(["stop", "--mode=fast", "--silent", "--pgdata"]);
        command.arg(cluster(self.directory));
        let stopped = AsyncCommand::from(command).status().await;
        stopped.map(drop).map_err(self.refused())
    }

    /// The environment holds secrets and `PG…` variables.
    fn command(&self, script: &str, program: &str) -> Result<Command, PrivateServerError> {
        let path = log_file(self.directory);
        let files = access::open(&path).and_then(|log| Ok((log.try_clone()?, log)));
        let (output, errors) = files.map_err(PrivateServerError::file(&path))?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script, "sh"])
            .arg(self.binaries.join(program))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .current_dir(self.directory)
            .env_clear()
            .envs([("LC_ALL", "C"), ("PATH", "/usr/bin:/bin"), ("TZ", "UTC")]);
        self.owner.prepare(&mut command);
        Ok(command)
    }

    fn refused(&self) -> impl FnOnce(std::io::Error) -> PrivateServerError {
        let (user, directory) = (self.owner.name.clone(), self.directory.to_owned());
        move |error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => PrivateServerError::Unenterable(user, directory),
            _ => PrivateServerError::File(directory, error),
        }
    }
}

/// A cluster needs its own major version.
fn find_binaries(place: Option<&Path>, cluster: &Path) -> Result<PathBuf, PrivateServerError> {
    let places = place.map_or_else(usual_places, |place| vec![place.to_owned()]);
    let places = places.iter().filter_map(|place| std::path::absolute(place).ok());
    let mut found = places.filter_map(|place| Some((version(&place)?, place)));
    let Ok(made_by) = std::fs::read_to_string(cluster.join("PG_VERSION")) else {
        let newest = found.max_by_key(|(version, _)| *version);
        return newest
            .map(|(_, place)| place)
            .ok_or(PrivateServerError::NoBinaries);
    };
    let made_by = made_by.trim();
    let fitting = found.find(|(version, _)| version.to_string() == made_by);
    let missing = || PrivateServerError::OtherVersion(cluster.to_owned(), made_by.to_owned());
    fitting.map(|(_, place)| place).ok_or_else(missing)
}

fn usual_places() -> Vec<PathBuf> {
    let versioned = PLACES.iter().flat_map(|(parent, prefix)| {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        entries.filter_map(move |entry| {
            let name = entry.file_name().into_string().ok()?;
            let _: u32 = name.strip_prefix(prefix)?.parse().ok()?;
            Some(entry.path().join("bin"))
        })
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    versioned.chain(std::env::split_paths(&path)).collect()
}

/// From `postgres (PostgreSQL) 15.18 (Debian …)`.
fn version(place: &Path) -> Option<u32> {
    let postgres = Some(place.join("postgres")).filter(|_| place.join("initdb").is_file())?;
    let output = Command::new(postgres)
        .env_clear()
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text.split_whitespace().nth(2)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
