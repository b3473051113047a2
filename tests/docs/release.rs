//! The papers of a release: changelog, version, and what the documents name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CHANGELOG: &str = include_str!("../../CHANGELOG.md");

/// Headings that Keep a Changelog knows, in the order in which they come here.
const KINDS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// A version's part of the changelog.
struct Section<'a> {
    heading: &'a str,
    text: &'a str,
}

fn sections() -> Vec<Section<'static>> {
    let sections = CHANGELOG.split("\n## ").skip(1).map(|section| {
        let (heading, text) = section.split_once('\n').unwrap();
        Section { heading, text }
    });
    sections.collect()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn the_changelog_has_its_form() {
    let sections = sections();
    assert_eq!(sections[0].heading, "[Unreleased]");
    for section in &sections[1..] {
        let (version, date) = section.heading.split_once(" - ").unwrap();
        assert_eq!(version, format!("[{}]", version.trim_matches(['[', ']'])));
        chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").unwrap();
    }
    for section in &sections {
        let kinds = section
            .text
            .split("\n### ")
            .skip(1)
            .map(|kind| kind.split_once('\n').unwrap());
        let kinds: Vec<(&str, &str)> = kinds.collect();
        let places = kinds
            .iter()
            .map(|(kind, _)| KINDS.iter().position(|known| known == kind).unwrap());
        assert!(places.is_sorted(), "{}: not in order", section.heading);
        for (kind, items) in kinds {
            let items = items.trim_end();
            assert!(items.starts_with("- "), "{kind} of {}", section.heading);
            assert!(
                !items.contains("\n\n"),
                "a blank line in {kind} of {}",
                section.heading
            );
        }
    }
    let is_known = |link: &str| link.starts_with("//keepachangelog.com") || link.starts_with("//semver.org");
    assert!(
        CHANGELOG.split("https:").skip(1).all(is_known),
        "a link to who knows where"
    );
}

#[test]
fn the_version_is_the_newest_of_the_changelog_or_unreleased() {
    let version = env!("CARGO_PKG_VERSION");
    let sections = sections();
    let newest = sections.get(1).map(|section| {
        let (newest, _) = section.heading.split_once(" - ").unwrap();
        newest.trim_matches(['[', ']'])
    });
    let is_to_come = newest.is_none_or(|newest| numbers(version) > numbers(newest));
    if newest != Some(version) {
        assert!(is_to_come, "{version} is older than {newest:?}");
        assert!(
            sections[0].text.contains("\n- "),
            "nothing to release as {version}"
        );
    }
}

/// The documents for people.
fn documents() -> Vec<PathBuf> {
    let in_folder = |folder: PathBuf| {
        let paths = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    };
    let root = Path::new(ROOT);
    let documents: Vec<PathBuf> = in_folder(root.to_owned())
        .chain(in_folder(root.join("docs")))
        .collect();
    assert!(documents.len() >= 9, "{documents:?}");
    documents
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        });
    kept.collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
        {
            if link.contains("://") {
                continue;
            }
            let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(path)
            };
            assert!(target.exists(), "{}: {link}", document.display());
            if !wanted.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|line| anchor(line) == wanted),
                    "{}: {link}",
                    document.display()
                );
            }
        }
    }
}

#[test]
fn what_contributing_and_security_name_is_there() {
    let makefile = std::fs::read_to_string(Path::new(ROOT).join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|it| it.0)
        .collect();
    let mut named = 0;
    for document in ["CONTRIBUTING.md", "SECURITY.md"] {
        let text = std::fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
        for code in text.split('`').skip(1).step_by(2) {
            let is_path = code.ends_with(".rs")
                || code.ends_with(".toml")
                || code.ends_with(".md")
                || code.ends_with(".lock")
                || code.ends_with(".sh")
                || code.ends_with('/');
            if is_path && !code.contains(' ') {
                assert!(Path::new(ROOT).join(code).exists(), "{document} names {code}");
                named += 1;
            }
        }
        for line in text.lines() {
            for rest in line.split("make ").skip(1) {
                let target: String = rest
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                    .collect();
                assert!(
                    targets.contains(target.as_str()),
                    "{document} names make {target}"
                );
            }
        }
    }
    assert!(named >= 15, "{named}");
}
