//! Clocks and disks of the machines.

use std::path::Path;

use chrono::TimeDelta;
use indicatif::BinaryBytes;
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::ledger::problems::Severity;
use crate::status::problems::skew;

use super::Finding;

pub(super) fn api_clock(ahead: TimeDelta) -> Finding {
    let explanation =
        "the newest interactions come that much later: nothing is read beyond what both clocks have passed";
    let remedy = "set this machine's clock, for example by NTP";
    clock("API", ahead, explanation, remedy).check("clocks")
}

pub(super) fn database_clock(ahead: TimeDelta) -> Finding {
    let explanation = if ahead < TimeDelta::zero() {
        "interactions are loaded that much later: nothing is read beyond what the database's clock has passed"
    } else {
        "the lag that status and the page show is that much too large"
    };
    let remedy = "set the clocks of this machine and of the database's, for example by NTP";
    clock("database", ahead, explanation, remedy).check("database clock")
}

fn clock(whose: &str, ahead: TimeDelta, explanation: &str, remedy: &str) -> Finding {
    let (severity, found) = skew(whose, ahead, "ours");
    let finding = Finding::new(severity, found);
    if severity == Severity::Ok {
        finding
    } else {
        finding.explanation(explanation).remedy(remedy)
    }
}

const GIBIBYTE: u64 = 1 << 30;

const NEEDED_BYTES: u64 = GIBIBYTE;

const COMFORTABLE_BYTES: u64 = 5 * GIBIBYTE;

#[derive(Debug, Clone, Copy)]
struct Room {
    free: u64,
    total: u64,
    is_read_only: bool,
}

pub(super) fn private_disk(directory: &Path) -> Finding {
    match Room::of(directory) {
        Ok(room) => verdict(room, directory),
        Err(error) => {
            let place = directory.display();
            Finding::warning(format!("the free space for {place} is not known: {error}"))
                .remedy("check that this user may enter data_dir")
        }
    }
}

impl Room {
    fn of(directory: &Path) -> std::io::Result<Self> {
        let directory = std::path::absolute(directory)?;
        let is_there = |place: &&Path| place.try_exists().unwrap_or(false);
        let place = directory.ancestors().find(is_there);
        let disk = statvfs(place.unwrap_or_else(|| Path::new("/")))?;
        let fragment = wide(disk.fragment_size());
        Ok(Self {
            free: wide(disk.blocks_available()) * fragment,
            total: wide(disk.blocks()) * fragment,
            is_read_only: disk.flags().contains(FsFlags::ST_RDONLY),
        })
    }
}

/// Types differ by platform.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

fn verdict(room: Room, directory: &Path) -> Finding {
    let place = directory.display();
    if room.is_read_only {
        return Finding::failed(format!("{place} is on a disk that is read-only"))
            .remedy("set data_dir to a directory that can be written to");
    }
    let (free, total) = (BinaryBytes(room.free), BinaryBytes(room.total));
    let found = format!("{free} of {total} are free for {place}");
    let finding = if room.free < NEEDED_BYTES {
        Finding::failed(found)
    } else if room.free < COMFORTABLE_BYTES || room.free < room.total / 10 {
        Finding::warning(found)
    } else {
        return Finding::ok(found);
    };
    finding
        .explanation(
            "PostgreSQL takes no writes once the disk is full; loading goes on by itself when there is room",
        )
        .remedy("make room, set storage.retention_days, or move data_dir to a larger disk")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_ok_five_are_a_warning_and_more_has_failed() {
        for (seconds, status) in [
            (0, Severity::Ok),
            (60, Severity::Ok),
            (-60, Severity::Ok),
            (61, Severity::Warning),
            (-300, Severity::Warning),
            (301, Severity::Failed),
            (-3_600, Severity::Failed),
        ] {
            let ahead = TimeDelta::seconds(seconds);
            assert_eq!(api_clock(ahead).status, status, "{seconds}");
            assert_eq!(database_clock(ahead).status, status, "{seconds}");
        }
    }

    #[test]
    fn what_a_databases_clock_does_depends_on_its_direction() {
        let behind = database_clock(TimeDelta::hours(-1));
        assert_eq!(behind.found, "the database's clock is 1 h behind ours");
        assert!(behind.explanation.unwrap().contains("later"));
        let ahead = database_clock(TimeDelta::hours(1));
        assert_eq!(ahead.found, "the database's clock is 1 h ahead of ours");
        assert!(ahead.explanation.unwrap().contains("lag"));
    }

    fn status(free: u64, total: u64) -> Severity {
        let room = Room {
            free,
            total,
            is_read_only: false,
        };
        verdict(room, Path::new("/data")).status
    }

    #[test]
    fn little_room_is_a_warning_and_next_to_none_has_failed() {
        assert_eq!(status(GIBIBYTE - 1, 10 * GIBIBYTE), Severity::Failed);
        assert_eq!(status(GIBIBYTE, 10 * GIBIBYTE), Severity::Warning);
        assert_eq!(status(5 * GIBIBYTE - 1, 10 * GIBIBYTE), Severity::Warning);
        assert_eq!(status(5 * GIBIBYTE, 10 * GIBIBYTE), Severity::Ok);
        assert_eq!(status(99 * GIBIBYTE, 1_000 * GIBIBYTE), Severity::Warning);
        assert_eq!(status(100 * GIBIBYTE, 1_000 * GIBIBYTE), Severity::Ok);
    }

    #[test]
    fn a_disk_that_is_read_only_has_failed() {
        let room = Room {
            free: 100 * GIBIBYTE,
            total: 100 * GIBIBYTE,
            is_read_only: true,
        };
        let finding = verdict(room, Path::new("/data"));
        assert_eq!(finding.status, Severity::Failed);
        assert_eq!(finding.found, "/data is on a disk that is read-only");
    }

    #[test]
    fn a_directory_that_does_not_exist_yet_has_its_parents_space() {
        let parent = tempfile::tempdir().unwrap();
        let (there, to_be) = (parent.path(), parent.path().join("data/postgres"));
        assert_eq!(Room::of(&to_be).unwrap().total, Room::of(there).unwrap().total);
        assert!(Room::of(Path::new("data")).unwrap().total > 0);
        assert!(!parent.path().join("data").exists());
    }
}
