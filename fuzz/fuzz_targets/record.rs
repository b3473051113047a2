//! Whatever bytes come as a record: rows or a rejection, and a stored record that reads the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::value::RawValue;
use smartassist_etl::transform::privacy::{Class, Key, Policy, Rule};
use smartassist_etl::transform::transform;

/// One that keeps everything, and one that hashes everything.
static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| {
    let mut hashing = Policy {
        key: Some(Key::new("a key of the fuzzer")),
        ..Policy::default()
    };
    for class in Class::ALL {
        *hashing.rule_mut(class) = Rule::Hash;
    }
    [Policy::default(), hashing]
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(record) = raw(bytes) else {
        return Corpus::Reject;
    };
    for policy in POLICIES.iter() {
        let Ok(first) = transform(&record, 0, policy) else {
            continue;
        };
        assert!(!holds_nul(&first.payload), "U+0000 in {}", first.payload);
        let stored = raw(first.payload.as_bytes()).expect("a payload is JSON");
        match transform(&stored, 0, policy) {
            Ok(again) => assert_eq!(again.content_hash, first.content_hash, "{}", first.payload),
            Err(rejected) => panic!("{}: {}", rejected.reason, first.payload),
        }
    }
    Corpus::Keep
});

fn raw(bytes: &[u8]) -> Option<Box<RawValue>> {
    RawValue::from_string(str::from_utf8(bytes).ok()?.to_owned()).ok()
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
