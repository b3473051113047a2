//! Making the cluster, and running the server as a child that does not outlive us.

use std::fs::{File, Permissions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::access::{Access, write_private};
use super::binaries::{Binaries, bare_command};
use super::owner::Owner;
use super::{PrivateServerError, USER, cluster, log_file};

/// Runs the server, and stops it once its own standard input ends. That is a pipe from this
/// process, so the server stops in an orderly way however this process ends, SIGKILL included. A
/// supervisor that sends SIGTERM to all of us must not end the watch before the server.
const WATCH: &str = r#"
trap '' TERM
exec 3<&0
"$@" </dev/null &
server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null &
watcher=$!
wait "$server"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
"#;

/// An orderly stop writes a checkpoint, which can take a while on a slow disk. Nobody gives us
/// longer than this, and the server comes to its end without us: its standard input has ended.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How often our server is asked whether it still runs.
const WATCH_PAUSE: Duration = Duration::from_millis(250);

const POLL: Duration = Duration::from_millis(20);

/// So much of a log goes into an error.
const TAIL_BYTES: i64 = 2_000;

/// Makes a new cluster. It is made under another name first, so that one that was not finished is
/// never taken for one that was.
pub(super) async fn initialize(
    directory: &Path,
    binaries: &Binaries,
    owner: &Owner,
) -> Result<Access, PrivateServerError> {
    let access = Access::invent().map_err(PrivateServerError::file(directory))?;
    let unfinished = directory.join("cluster.unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(PrivateServerError::file(&unfinished))?;
    }
    std::fs::create_dir(&unfinished).map_err(PrivateServerError::file(&unfinished))?;
    owner.give(&unfinished)?;
    let password = directory.join("password.unfinished");
    write_private(&password, &access.password).map_err(PrivateServerError::file(&password))?;
    owner.give(&password)?;
    let mut command = bare_command(binaries.program("initdb"));
    command
        .args([
            "--username",
            USER,
            "--auth",
            "scram-sha-256",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        ])
        .args(["--data-checksums", "--no-instructions"])
        .arg("--pwfile")
        .arg(&password)
        .arg("--pgdata")
        .arg(&unfinished);
    owner.prepare(&mut command);
    let made = run(command, directory).await;
    std::fs::remove_file(&password).map_err(PrivateServerError::file(&password))?;
    let log = log_file(directory);
    match made {
        Ok(status) if status.success() => {}
        Ok(_) => {
            return Err(PrivateServerError::Program {
                what: "initdb",
                tail: tail(&log),
                log,
            });
        }
        Err(error) => return Err(PrivateServerError::file(&binaries.program("initdb"))(error)),
    }
    access.keep(directory)?;
    std::fs::rename(&unfinished, cluster(directory)).map_err(PrivateServerError::file(&unfinished))?;
    Ok(access)
}

async fn run(mut command: Command, directory: &Path) -> std::io::Result<ExitStatus> {
    let (output, errors) = log_handles(directory)?;
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .current_dir("/");
    // Who gives up waiting gives up the start: the next one must not find this one still at work.
    tokio::process::Command::from(command)
        .kill_on_drop(true)
        .status()
        .await
}

fn log_handles(directory: &Path) -> std::io::Result<(File, File)> {
    // A refused row is quoted in it.
    let log = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(log_file(directory))?;
    log.set_permissions(Permissions::from_mode(0o600))?;
    Ok((log.try_clone()?, log))
}

/// The end of a log, on one line.
pub(super) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
        file.seek(SeekFrom::End(-length.min(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("the log cannot be read: {error}"));
    let mut lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.reverse();
    lines.join(" | ")
}

/// The server as our child.
#[derive(Debug)]
pub(super) struct ServerProcess {
    child: Mutex<Child>,
    lifeline: Option<ChildStdin>,
}

impl ServerProcess {
    pub(super) fn spawn(
        directory: &Path,
        binaries: &Binaries,
        owner: &Owner,
        port: u16,
        settings: &[(&str, &str)],
    ) -> Result<Self, PrivateServerError> {
        let (output, errors) = log_handles(directory).map_err(PrivateServerError::file(directory))?;
        let mut command = bare_command("/bin/sh");
        command
            .args(["-c", WATCH, "private-postgresql"])
            .arg(binaries.program("postgres"));
        command
            .arg("-D")
            .arg(cluster(directory))
            .args(["-p", &port.to_string()]);
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("logging_collector", "off"),
            // DETAIL lines hold whole rows, that is personal data.
            ("log_error_verbosity", "terse"),
        ];
        for (name, value) in own.iter().chain(settings) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .current_dir("/");
        owner.prepare(&mut command);
        let mut child = command
            .spawn()
            .map_err(PrivateServerError::file(&PathBuf::from("/bin/sh")))?;
        let lifeline = child.stdin.take();
        Ok(Self {
            child: Mutex::new(child),
            lifeline,
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self) {
        while !self.has_ended() {
            tokio::time::sleep(WATCH_PAUSE).await;
        }
    }

    pub(super) async fn stop(mut self) {
        drop(self.lifeline.take());
        let deadline = tokio::time::Instant::now() + STOP_TIMEOUT;
        while !self.has_ended() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
    }
}
