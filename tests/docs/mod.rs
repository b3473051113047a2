//! What the documents say is so.

mod compose;
mod data_dictionary;
mod deploy;
mod layers;
mod logging;
mod queries;
mod release;

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use smartassist_etl::transform::privacy::{self, Class};

use crate::support::{Program, Setup, TestDatabase};

const PRIVACY: &str = include_str!("../../docs/privacy.md");
const FAULTS: &str = include_str!("../../docs/faults.md");

/// The names of the tests of this binary, as it lists them itself.
fn tests() -> HashSet<String> {
    let listed = Command::new(std::env::current_exe().unwrap())
        .arg("--list")
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let paths = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    paths
        .map(|path| path.rsplit("::").next().unwrap().to_owned())
        .collect()
}

/// Every row of the tables of faults ends with the names of its tests, or with the files of its unit tests.
#[test]
fn every_fault_names_tests_that_exist() {
    let tests = tests();
    let rows = FAULTS
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 2);
    let faults = rows
        .filter_map(|row| Some((row, row.rsplit_once(" | ")?.1.trim_end_matches(" |"))))
        .filter(|(_, named)| !matches!(*named, "tests" | "---"));
    let mut named_tests = 0;
    for (row, named) in faults {
        for name in named.split(", ").map(|name| name.trim_matches('`')) {
            let is_file = name.ends_with(".rs") && Path::new(env!("CARGO_MANIFEST_DIR")).join(name).is_file();
            assert!(is_file || tests.contains(name), "no test {name}, of: {row}");
            named_tests += 1;
        }
    }
    assert!(named_tests > 0, "no table of faults was found");
}

#[tokio::test]
async fn the_summary_of_a_run_has_every_documented_field() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    let environment = setup.environment_on(&database).await;
    let ended = Program::run(&["sync"], &environment).await;
    let finished = &ended.events("run finished")[0];
    for field in [
        "kind",
        "outcome",
        "windows",
        "pages",
        "requests",
        "records",
        "inserted",
        "updated",
        "unchanged",
        "rejected",
        "watermark_before",
        "watermark_after",
        "seconds",
    ] {
        assert!(!finished[field].is_null(), "{field}");
    }
    assert_eq!(finished["spans"][0]["account"], "main");
}

/// The list of fields by class, as `docs/privacy.md` shows it.
fn fields_by_class() -> String {
    let listed = privacy::listed();
    let mut text = String::new();
    let classes = Class::ALL.into_iter().map(Some).chain([None]);
    for class in classes {
        let name = class.map_or("always kept".to_owned(), |class| format!("`{}`", class.as_str()));
        let mut paths: Vec<String> = listed
            .iter()
            .filter(|(_, of)| *of == class)
            .map(|(path, _)| format!("`{path}`"))
            .collect();
        paths.dedup();
        text += &format!("\n### {name}\n\n{}\n", paths.join(", "));
    }
    text
}

#[test]
fn the_fields_by_class_are_those_of_the_rules() {
    let (before, rest) = PRIVACY.split_once("see tests/docs -->\n").unwrap();
    let (written, after) = rest.split_once("\n<!-- /fields").unwrap();
    let meant = fields_by_class();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{before}see tests/docs -->\n{meant}\n<!-- /fields{after}");
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/privacy.md"), page).unwrap();
    } else {
        assert_eq!(
            written, meant,
            "write it anew with: UPDATE_DOCS=1 cargo test --test main the_fields_by_class"
        );
    }
}
