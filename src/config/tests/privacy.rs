//! Privacy.

use super::*;
use crate::transform::privacy::{Class, Rule};

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn everything_is_kept_for_ever_unless_somebody_says_otherwise() {
    let config = read(ACCOUNT, &[]).unwrap();
    assert!(config.privacy.keeps_all());
    assert!(config.privacy.key.is_none());
    assert_eq!(config.storage.retention, None);
}

#[test]
fn each_class_has_a_rule_of_its_own() {
    let text = format!("{ACCOUNT}[privacy]\ncustomer = \"hash\"\nfree_text = \"drop\"\nkey = \"{KEY}\"\n");
    let config = read(
        &text,
        &[("PRIVACY__AGENT", "drop"), ("STORAGE__RETENTION_DAYS", "90")],
    )
    .unwrap();
    let rules = Class::ALL.map(|class| config.privacy.rule(class));
    assert_eq!(
        rules,
        [Rule::Hash, Rule::Drop, Rule::Keep, Rule::Drop, Rule::Keep]
    );
    assert_eq!(config.storage.retention, Some(TimeDelta::days(90)));
}

#[test]
fn hashing_needs_a_key_that_cannot_be_guessed() {
    let found = problems(read(ACCOUNT, &[("PRIVACY__AGENT", "hash")]));
    assert!(found[0].starts_with("privacy.key: is required"), "{found:?}");
    let short = problems(read(ACCOUNT, &[("PRIVACY__KEY", "hunter2")]));
    assert!(
        short[0].contains("at least 32 characters") && !short[0].contains("hunter2"),
        "{short:?}"
    );
    let unknown = problems(read(ACCOUNT, &[("PRIVACY__AGENT", "forget")]));
    assert_eq!(unknown, ["privacy.agent: must be keep, hash or drop"]);
}

#[test]
fn the_key_shows_nowhere_and_may_be_a_file() {
    let key = file(&format!("{KEY}\n"));
    let path = key.path().to_str().unwrap();
    let from_file = read(
        ACCOUNT,
        &[("PRIVACY__AGENT", "hash"), ("PRIVACY__KEY_FILE", path)],
    );
    let inline = read(ACCOUNT, &[("PRIVACY__AGENT", "hash"), ("PRIVACY__KEY", KEY)]);
    assert!(!shown(&from_file).contains(KEY) && !shown(&inline).contains(KEY));
    let id = |config: Result<Config, ConfigError>| config.unwrap().privacy.key.unwrap().id();
    assert_eq!(id(from_file), id(inline));
}
