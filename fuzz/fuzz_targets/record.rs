//! Whatever bytes come as a record: rows or a rejection, and a stored record that reads the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::value::RawValue;
use smartassist_etl::transform::privacy::{Class, IdentifierKind, PrivacyKey, Policy, Rule, Wanted, value_of};
use smartassist_etl::transform::{Origin, RecordText, Rejected, transform, transform_stored};

const ORIGIN: Origin<'_> = Origin {
    account_id: "a",
    time_zone_offset: 0,
};

/// Two ids of 512 bytes, escaped.
const LONGEST_IDS: usize = 8 << 10;

fn key() -> PrivacyKey {
    PrivacyKey::new("a key of the fuzzer")
}

/// One that keeps everything, one that hashes everything, and one that drops some.
static POLICIES: LazyLock<[Policy; 3]> = LazyLock::new(|| {
    let keeping = Policy {
        key: Some(key()),
        ..Policy::default()
    };
    let (mut hashing, mut dropping) = (keeping.clone(), keeping.clone());
    for class in Class::ALL {
        *hashing.rule_mut(class) = Rule::Hash;
    }
    (dropping.agent, dropping.free_text) = (Rule::Drop, Rule::Keep);
    [keeping, hashing, dropping]
});

/// Somebody who is to be forgotten.
static WANTED: LazyLock<Wanted> = LazyLock::new(|| {
    Wanted::new(IdentifierKind::Email, "nobody@example.com", &key()).expect("an address")
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(record) = raw(bytes) else {
        return Corpus::Reject;
    };
    for policy in POLICIES.iter() {
        match transform(&record, ORIGIN, policy) {
            Ok(first) => {
                assert!(!holds_nul(&first.payload), "U+0000 in {}", first.payload);
                let stored = raw(first.payload.as_bytes()).expect("a payload is JSON");
                match transform_stored(&stored, ORIGIN, policy) {
                    Ok(again) => assert_eq!(again.content_hash, first.content_hash, "{}", first.payload),
                    Err(rejected) => panic!("{}: {}", rejected.reason, first.payload),
                }
                look_for_customer(&first.payload);
            }
            Err(rejected) => check_rejected(&rejected),
        }
    }
    Corpus::Keep
});

fn check_rejected(rejected: &Rejected) {
    if rejected.record_bytes.is_some() {
        assert!(rejected.payload.len() <= LONGEST_IDS, "{}", rejected.payload.len());
    }
    look_for_customer(&rejected.payload);
}

/// As `erase` does.
fn look_for_customer(text: &str) {
    let value = value_of(text);
    let _ = (WANTED.is_named_in(&value), WANTED.is_mentioned_in(&value));
}

fn raw(bytes: &[u8]) -> Option<RecordText<'_>> {
    let text: &RawValue = serde_json::from_slice(bytes).ok()?;
    Some(RecordText::of(text.get()))
}

/// Looks at the text itself: a parser would give some of it another meaning.
fn holds_nul(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = rest.find(['\\', '\0']) {
        if rest[at..].starts_with('\0') || rest[at..].starts_with("\\u0000") {
            return true;
        }
        // Past the escaped character: it may be a backslash. JSON escapes are ASCII.
        rest = &rest[at + 2..];
    }
    false
}
