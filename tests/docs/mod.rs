//! What the documents say is so.

mod compose;
mod data_dictionary;
mod deploy;
mod layers;
mod logging;
mod queries;
mod release;

use smartassist_etl::transform::privacy::{self, Class};

use crate::support::{Program, Setup, TestDatabase};

const README: &str = include_str!("../../README.md");
const PRIVACY: &str = include_str!("../../docs/privacy.md");
const FAULTS: &str = include_str!("../../docs/faults.md");

/// Every row of the tables of faults ends with the names of its tests.
#[test]
fn every_fault_names_tests_that_exist() {
    let mut sources = String::new();
    for folder in ["src", "tests", "simulator"] {
        read_sources(
            &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut sources,
        );
    }
    let mut faults = 0;
    for row in FAULTS
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 2)
    {
        let tests = row.rsplit(" | ").next().unwrap().trim_end_matches(" |");
        if matches!(tests, "tests" | "---") {
            continue;
        }
        faults += 1;
        for test in tests.split(", ") {
            let name = test.trim_matches('`');
            assert!(
                sources.contains(&format!("fn {name}()")),
                "no test {name}, of: {row}"
            );
        }
    }
    assert!(faults >= 58, "{faults}");
}

fn read_sources(folder: &std::path::Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[tokio::test]
async fn every_query_of_the_readme_runs() {
    let database = TestDatabase::migrated().await;
    Setup::with_interactions(100).await.sync(&database).await;
    let blocks: Vec<&str> = README
        .split("```sql\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 2);
    let queries = blocks
        .iter()
        .map(|block| block.matches(";\n").count() + block.matches(";   --").count());
    assert!(queries.sum::<usize>() >= 6);
    for block in blocks {
        database.execute(block).await;
    }
}

#[tokio::test]
async fn the_summary_of_a_run_has_everything_that_its_reader_relies_on() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(20).await;
    let mut environment = setup.environment();
    environment.insert("DATABASE_URL".to_owned(), database.url().await);
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
