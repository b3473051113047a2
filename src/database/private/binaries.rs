//! Finding the server binaries: where Debian, Red Hat and Homebrew put them, and PATH.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PrivateServerError;

/// Directories that hold one directory a major version.
const VERSIONED: [(&str, &str); 3] = [
    ("/usr/lib/postgresql", "bin"),
    ("/usr", "bin"),
    ("/opt/homebrew/opt", "bin"),
];

/// A directory with `initdb` and `postgres` in it.
#[derive(Debug, Clone)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// The newest in `place` or on this machine, or those of the version that made `cluster` if
    /// that exists.
    pub(super) fn find(place: Option<&Path>, cluster: &Path) -> Result<Self, PrivateServerError> {
        let mut found = versions(place.map_or_else(usual_places, |place| vec![place.to_owned()]));
        found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        let made_by = std::fs::read_to_string(cluster.join("PG_VERSION")).ok();
        let Some(made_by) = made_by.map(|version| version.trim().to_owned()) else {
            return found
                .into_iter()
                .next()
                .map(|(_, path)| Self(path))
                .ok_or(PrivateServerError::NoBinaries);
        };
        let fitting = found
            .into_iter()
            .find(|(version, _)| version.to_string() == made_by);
        fitting
            .map(|(_, path)| Self(path))
            .ok_or_else(|| PrivateServerError::OtherVersion {
                directory: cluster.to_owned(),
                version: made_by,
            })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// A command with nothing of our environment but what PostgreSQL needs: the API's secrets may be
/// in it, and the server's is readable to everybody who runs as its user.
pub(super) fn bare_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C");
    for name in ["PATH", "TZ"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

fn usual_places() -> Vec<PathBuf> {
    let versioned = VERSIONED.iter().flat_map(|(parent, bin)| {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        entries
            .filter(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.parse::<u32>().is_ok() || name.starts_with("pgsql-") || name.starts_with("postgresql@")
            })
            .map(|entry| entry.path().join(bin))
            .collect::<Vec<_>>()
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    versioned.chain(std::env::split_paths(&path)).collect()
}

/// Those of the directories that hold a server, with the major version that it says it is.
fn versions(directories: Vec<PathBuf>) -> Vec<(u32, PathBuf)> {
    directories
        .into_iter()
        .filter(|directory| directory.join("initdb").is_file() && directory.join("postgres").is_file())
        .filter_map(|directory| Some((version(&directory.join("postgres"))?, directory)))
        .collect()
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian …)`.
fn version(postgres: &Path) -> Option<u32> {
    let output = bare_command(postgres).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace()
        .nth(2)?
        .split(|character: char| !character.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}
