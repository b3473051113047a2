//! Reads `privacy.*`.

use secrecy::ExposeSecret;

use super::policy::{Class, Key, Policy, Rule};
use super::section::Section;

/// Shorter keys are guessable.
const SHORTEST_KEY: usize = 32;

pub(super) fn read(mut section: Section<'_>) -> Policy {
    let mut policy = Policy::default();
    for class in Class::ALL {
        let rule = section.required(class.as_str(), "keep, hash or drop", Rule::parse);
        *policy.rule_mut(class) = rule.unwrap_or_default();
    }
    let given = section.secret("key");
    let secret = given.as_ref().and_then(|key| key.read().ok());
    let secret = secret.as_ref().map(ExposeSecret::expose_secret);
    if secret.is_some_and(|secret| secret.len() < SHORTEST_KEY) {
        section.problem(
            "key",
            "must have at least 32 characters, as from: openssl rand -hex 32",
        );
    }
    let hashes = Class::ALL.iter().any(|class| policy.rule(*class) == Rule::Hash);
    if hashes && given.is_none() {
        section.problem(
            "key",
            "is required where a class is hashed; make one with: openssl rand -hex 32",
        );
    }
    policy.key = secret.map(Key::new);
    section.finish();
    policy
}
