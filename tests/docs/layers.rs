//! Rooms are in an order, and each uses those before it alone.

use std::fs;
use std::path::Path;

/// As `docs/architecture.md` has the map.
const ORDER: [&str; 16] = [
    "failpoint",
    "json",
    "time",
    "config",
    "telemetry",
    "postgres",
    "extract",
    "transform",
    "ledger",
    "warehouse",
    "sync",
    "schedule",
    "status",
    "web",
    "doctor",
    "cli",
];

fn place(room: &str) -> usize {
    let place = ORDER.iter().position(|one| *one == room);
    place.unwrap_or_else(|| panic!("give the room {room} its place in the order"))
}

/// The rooms that a source names, tests and comments apart.
fn named(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    lines
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap())
        .collect()
}

fn look_at(path: &Path, room: &str, against: &mut Vec<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.file_stem().is_some_and(|name| name == "tests");
            if !is_test {
                look_at(&path, room, against);
            }
        }
    } else if path.extension().is_some_and(|end| end == "rs") {
        let source = fs::read_to_string(path).unwrap();
        let later = |used: &&str| place(used) > place(room);
        against.extend(
            named(&source)
                .into_iter()
                .filter(later)
                .map(|used| format!("{}: {used}", path.display())),
        );
    }
}

#[test]
fn a_room_uses_those_before_it_alone() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut against = Vec::new();
    let mut rooms = 0;
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if room != "lib" && room != "main" {
            look_at(&path, &room, &mut against);
            rooms += 1;
        }
    }
    assert_eq!(rooms, ORDER.len());
    assert!(against.is_empty(), "{against:#?}");
    assert_eq!(
        named("use crate::web::page;\n// crate::cli\nlet a = crate::time::now();"),
        ["web", "time"]
    );
}
