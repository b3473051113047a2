//! `status` on a terminal.

use super::Daemon;
use crate::support::{Program, TestDatabase};

#[tokio::test]
async fn status_says_the_same_as_the_page_in_80_columns() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let told = Program::run(&["status"], &daemon.environment).await;
    assert_eq!(told.code(), 0);
    for said in [
        "burst (acct-gap): in trouble",
        "main (acct-sim): complete",
        "refused (acct-refused): in trouble",
        "  x 1 gap: a stretch of which the API does not show all records",
        "    -> check client_id, client_secret",
        "  complete through   2",
        "  interactions       65\n",
        "  last 30 days       ### (# drained",
    ] {
        assert!(told.stdout.contains(said), "no {said:?} in:\n{}", told.stdout);
    }
    for line in told.stdout.lines() {
        // The worker's name is one word, which is not cut.
        let fits = line.chars().count() <= 80 || line.starts_with("  worker now");
        assert!(fits && line.trim_end() == line, "{line:?}");
    }
    assert!(!told.stdout.contains('\u{1b}'), "colours are for terminals");
}
