use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::process::Command as AsyncCommand;
use tokio_util::sync::CancellationToken;

use super::access::ADMINISTRATOR;
use super::owner::{self, Owner};
use super::{PrivateServerError, cluster, log_file};

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
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct ServerProcess {
    lifeline: PipeWriter,
    pub(super) ended: CancellationToken,
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

    pub(super) async fn stop(self) {
        drop(self.lifeline);
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.ended.cancelled()).await;
    }
}

#[derive(Debug)]
pub(super) struct Programs<'a> {
    pub(super) directory: &'a Path,
    pub(super) binaries: PathBuf,
    pub(super) owner: &'a Owner,
}

impl Programs<'_> {
    /// Renamed when finished.
    pub(super) async fn initialize(&self) -> Result<(), PrivateServerError> {
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

    pub(super) fn start(&self, settings: &[(&str, String)]) -> Result<ServerProcess, PrivateServerError> {
        let mut command = self.command(WATCH, "postgres")?;
        command.arg("-D").arg(cluster(self.directory));
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        ServerProcess::start(command).map_err(self.refused())
    }

    pub(super) async fn stop(&self) -> Result<(), PrivateServerError> {
        let mut command = self.command(EXECUTE, "pg_ctl")?;
        command.args(["stop", "--mode=fast", "--silent", "--pgdata"]);
        command.arg(cluster(self.directory));
        let stopped = AsyncCommand::from(command).status().await;
        stopped.map(drop).map_err(self.refused())
    }

    /// The environment holds secrets and `PG…` variables.
    fn command(&self, script: &str, program: &str) -> Result<Command, PrivateServerError> {
        let path = log_file(self.directory);
        let files = owner::open(&path).and_then(|log| Ok((log.try_clone()?, log)));
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
pub(super) fn find_binaries(place: Option<&Path>, cluster: &Path) -> Result<PathBuf, PrivateServerError> {
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
