//! Checks free disk space without writing.

use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::sync::Failure;

use super::finding::Finding;

const CHECK: &str = "disk";
const GIBIBYTE: u64 = 1 << 30;

const NEEDED: u64 = GIBIBYTE;

const COMFORTABLE: u64 = 5 * GIBIBYTE;

#[derive(Debug, Clone, Copy)]
struct Room {
    free: u64,
    total: u64,
    is_read_only: bool,
}

pub(super) fn of_private(directory: &Path) -> Finding {
    match Room::of(directory) {
        Ok(room) => verdict(room, directory),
        Err(error) => Finding::warning(
            CHECK,
            format!(
                "how much is free for {} is not known: {error}",
                directory.display()
            ),
        )
        .remedy("see that this user may enter data_dir"),
    }
}

pub(super) fn of_server(size: i64) -> Finding {
    let size = bytes(u64::try_from(size).unwrap_or(0));
    Finding::ok(CHECK, format!("the database takes {size} on its server"))
        .means("how much is free there cannot be seen from here, and is for its administrator to watch")
}

impl Room {
    fn of(directory: &Path) -> std::io::Result<Self> {
        let directory = std::path::absolute(directory)?;
        let is_there = |place: &&Path| place.try_exists().unwrap_or(false);
        let place = directory
            .ancestors()
            .find(is_there)
            .unwrap_or_else(|| Path::new("/"));
        let disk = statvfs(place)?;
        let fragment = wide(disk.fragment_size());
        Ok(Self {
            free: wide(disk.blocks_available()) * fragment,
            total: wide(disk.blocks()) * fragment,
            is_read_only: disk.flags().contains(FsFlags::ST_RDONLY),
        })
    }
}

fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

fn verdict(room: Room, directory: &Path) -> Finding {
    const MEANS: &str =
        "PostgreSQL takes no writes once the disk is full; loading goes on by itself when there is room";
    const REMEDY: &str = "make room, set storage.retention_days, or move data_dir to a larger disk";
    let place = directory.display();
    if room.is_read_only {
        return Finding::failed(
            CHECK,
            format!("{place} is on a disk that is read-only"),
            Failure::Other,
        )
        .remedy("set data_dir to a directory that can be written to");
    }
    let found = format!(
        "{} of {} are free for {place}",
        bytes(room.free),
        bytes(room.total)
    );
    if room.free < NEEDED {
        Finding::failed(CHECK, found, Failure::Other)
            .means(MEANS)
            .remedy(REMEDY)
    } else if room.free < COMFORTABLE || room.free < room.total / 10 {
        Finding::warning(CHECK, found).means(MEANS).remedy(REMEDY)
    } else {
        Finding::ok(CHECK, found)
    }
}

fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut tenths = bytes.saturating_mul(10) / 1_024;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while tenths >= 10_240 {
        let Some(larger) = units.next() else { break };
        unit = Some(larger);
        tenths /= 1_024;
    }
    format!(
        "{}.{} {}",
        tenths / 10,
        tenths % 10,
        unit.copied().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn level(free: u64, total: u64) -> Level {
        let room = Room {
            free,
            total,
            is_read_only: false,
        };
        verdict(room, Path::new("/data")).status
    }

    #[test]
    fn little_room_is_a_warning_and_next_to_none_has_failed() {
        assert_eq!(level(GIBIBYTE - 1, 10 * GIBIBYTE), Level::Failed);
        assert_eq!(level(GIBIBYTE, 10 * GIBIBYTE), Level::Warning);
        assert_eq!(level(5 * GIBIBYTE - 1, 10 * GIBIBYTE), Level::Warning);
        assert_eq!(level(5 * GIBIBYTE, 10 * GIBIBYTE), Level::Ok);
        assert_eq!(level(99 * GIBIBYTE, 1_000 * GIBIBYTE), Level::Warning);
        assert_eq!(level(100 * GIBIBYTE, 1_000 * GIBIBYTE), Level::Ok);
    }

    #[test]
    fn a_disk_that_is_read_only_has_failed() {
        let room = Room {
            free: 100 * GIBIBYTE,
            total: 100 * GIBIBYTE,
            is_read_only: true,
        };
        let finding = verdict(room, Path::new("/data"));
        assert_eq!(finding.status, Level::Failed);
        assert_eq!(finding.found, "/data is on a disk that is read-only");
    }

    #[test]
    fn a_directory_that_is_not_there_yet_will_be_on_its_parents_disk() {
        let parent = tempfile::tempdir().unwrap();
        let (there, to_be) = (parent.path(), parent.path().join("data/postgres"));
        assert_eq!(Room::of(&to_be).unwrap().total, Room::of(there).unwrap().total);
        assert!(Room::of(Path::new("data")).unwrap().total > 0);
        assert!(!parent.path().join("data").exists());
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        for (number, told) in [
            (0, "0.0 KiB"),
            (1_536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (12_897_000, "12.2 MiB"),
            (GIBIBYTE * 3 / 2, "1.5 GiB"),
            (3 << 40, "3.0 TiB"),
        ] {
            assert_eq!(bytes(number), told);
        }
    }
}
