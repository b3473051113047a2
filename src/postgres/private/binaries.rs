//! Finds the server binaries.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::PrivateServerError;

const PLACES: [(&str, &str); 3] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
];

/// A cluster needs its own major version.
pub(super) fn find(place: Option<&Path>, cluster: &Path) -> Result<PathBuf, PrivateServerError> {
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
