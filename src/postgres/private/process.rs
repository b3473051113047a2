//! Making the cluster, and running the server as our child.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::access::ADMINISTRATOR;
use super::owner::Owner;
use super::{PrivateServerError, cluster, log_file};
use crate::postgres::data_dir;
use crate::postgres::watched::Watched;

/// What it takes to run a server in a directory.
#[derive(Debug)]
pub(super) struct Programs<'a> {
    pub(super) directory: &'a Path,
    /// Where `initdb` and `postgres` are.
    pub(super) binaries: PathBuf,
    pub(super) owner: &'a Owner,
}

impl Programs<'_> {
    /// Makes the cluster where there is none, under another name first, so that one that was not finished is never taken
    /// for one that was.
    pub(super) async fn initialize(&self) -> Result<(), PrivateServerError> {
        let cluster = cluster(self.directory);
        if cluster.exists() {
            return Ok(());
        }
        let unfinished = cluster.with_extension("unfinished");
        // Of an earlier start; where it stays, making it again says why.
        let _ = std::fs::remove_dir_all(&unfinished);
        std::fs::create_dir(&unfinished).map_err(PrivateServerError::file(&unfinished))?;
        self.owner.give(&unfinished)?;
        let mut command = Command::new(self.binaries.join("initdb"));
        command.args(["--username", ADMINISTRATOR, "--auth=peer", "--encoding=UTF8"]);
        command.args(["--locale=C", "--data-checksums", "--no-instructions", "--pgdata"]);
        command.arg(&unfinished).stdin(Stdio::null());
        self.prepare(&mut command)?;
        // Who gives up waiting gives up the start: the next one must not find this one still at work.
        let mut command = tokio::process::Command::from(command);
        let made = command.kill_on_drop(true).status().await;
        if !made.map_err(self.refused())?.success() {
            return Err(PrivateServerError::program("initdb failed", self.directory));
        }
        std::fs::rename(&unfinished, &cluster).map_err(PrivateServerError::file(&cluster))
    }

    pub(super) fn start(&self, settings: &[(&str, &str)]) -> Result<Watched, PrivateServerError> {
        let mut command = Watched::command(&self.binaries.join("postgres"));
        command.arg("-D").arg(cluster(self.directory));
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        self.prepare(&mut command)?;
        Watched::start(command).map_err(self.refused())
    }

    /// Stops a server that runs, although whoever ran it is gone. It may be stopping by itself.
    pub(super) async fn stop(&self) -> Result<(), PrivateServerError> {
        let mut command = Command::new(self.binaries.join("pg_ctl"));
        command.args(["stop", "--mode=fast", "--silent", "--pgdata"]);
        self.prepare(command.arg(cluster(self.directory)))?;
        let stopped = tokio::process::Command::from(command).status().await;
        stopped.map(drop).map_err(self.refused())
    }

    /// Has it run as the server's user, and write to the log, where a refused row may be quoted. Of our environment it gets
    /// nothing: that holds the API's secrets, and variables (`PG…`) that change what a server does.
    fn prepare(&self, command: &mut Command) -> Result<(), PrivateServerError> {
        let path = log_file(self.directory);
        let files = data_dir::open(&path).and_then(|log| Ok((log.try_clone()?, log)));
        let (output, errors) = files.map_err(PrivateServerError::file(&path))?;
        let environment = [("LC_ALL", "C"), ("PATH", "/usr/bin:/bin"), ("TZ", "UTC")];
        command
            .stdout(output)
            .stderr(errors)
            .env_clear()
            .envs(environment);
        self.owner.prepare(command.current_dir(self.directory));
        Ok(())
    }

    /// Why a command could not be started.
    fn refused(&self) -> impl FnOnce(std::io::Error) -> PrivateServerError {
        let (user, directory) = (self.owner.name.clone(), self.directory.to_owned());
        move |error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => PrivateServerError::Unenterable(user, directory),
            _ => PrivateServerError::File(directory, error),
        }
    }
}
