//! What differs between two configurations, by its path alone.

use super::*;

/// What changes when a file of an account has these lines in place of those.
fn changes(before: &str, after: &str) -> Vec<String> {
    let read = |lines: &str| read(&format!("{ACCOUNT}{lines}"), &[]).unwrap();
    read(before).changes(&read(after))
}

#[test]
fn what_is_the_same_has_no_changes() {
    assert_eq!(changes("", ""), Vec::<String>::new());
    // Written out, a default is what it was.
    assert_eq!(changes("", "[log]\nlevel = \"info\"\n"), Vec::<String>::new());
}

#[test]
fn every_key_that_differs_is_named_in_order() {
    let after =
        "max_in_flight = 2\nextra_body = { a = [1] }\n[log]\nlevel = \"debug\"\n[sync]\nsettle_seconds = 9\n";
    assert_eq!(
        changes("extra_body = { a = [1, 2] }\n", after),
        [
            "accounts.main.extra_body.a",
            "accounts.main.max_in_flight",
            "log.level",
            "sync.settle_seconds"
        ]
    );
}

#[test]
fn an_account_that_comes_or_goes_is_named_by_itself() {
    let second = ACCOUNT.replace("main", "second").replace("acct-1", "acct-2");
    assert_eq!(changes("", &second), ["accounts.second"]);
    assert_eq!(changes(&second, ""), ["accounts.second"]);
}

#[test]
fn a_secret_that_differs_is_named_and_not_shown() {
    let with = |key: &str| format!("[privacy]\nkey = \"{key}-0123456789abcdef0123456789abcdef\"\n");
    assert_eq!(changes(&with("hunter2"), &with("hunter3")), ["privacy.key"]);
    let config = read(&format!("{ACCOUNT}{}", with("hunter2")), &[]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
