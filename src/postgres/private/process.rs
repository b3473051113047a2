//! Makes the cluster and runs its server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::access::ADMINISTRATOR;
use super::owner::Owner;
use super::{PrivateServerError, cluster, log_file};
use crate::postgres::data_dir;
use crate::postgres::watched::Watched;

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
        let mut command = Command::new(self.binaries.join("initdb"));
        command.args(["--username", ADMINISTRATOR, "--auth=peer", "--encoding=UTF8"]);
        command.args(["--locale=C", "--data-checksums", "--no-instructions", "--pgdata"]);
        command.arg(&unfinished).stdin(Stdio::null());
        self.prepare(&mut command)?;
        // A cancelled start must end `initdb`.
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

    pub(super) async fn stop(&self) -> Result<(), PrivateServerError> {
        let mut command = Command::new(self.binaries.join("pg_ctl"));
        command.args(["stop", "--mode=fast", "--silent", "--pgdata"]);
        self.prepare(command.arg(cluster(self.directory)))?;
        let stopped = tokio::process::Command::from(command).status().await;
        stopped.map(drop).map_err(self.refused())
    }

    /// The environment holds secrets and `PG…` variables.
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

    fn refused(&self) -> impl FnOnce(std::io::Error) -> PrivateServerError {
        let (user, directory) = (self.owner.name.clone(), self.directory.to_owned());
        move |error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => PrivateServerError::Unenterable(user, directory),
            _ => PrivateServerError::File(directory, error),
        }
    }
}
