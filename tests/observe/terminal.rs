//! `status` on a terminal.

use super::Daemon;
use crate::support::{Program, Setup, TestDatabase};

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

#[tokio::test]
async fn what_a_terminal_would_obey_is_not_printed() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::with_interactions(5).await;
    let environment = setup.environment_on(&database).await;
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    let planted = "update smartassist_sync.runs set status = 'failed', error = \
         E'\\x1b]0;pwned\\x07\\x1b[2J\\u009b31m\\u202eevil\\u2069', finished_at = now()";
    database.execute(planted).await;
    for arguments in [&["status"][..], &["status", "--json"]] {
        let ended = Program::run(arguments, &environment).await;
        let shown = ended.stdout;
        assert!(shown.contains("pwned"), "{shown}");
        let obeyed = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{2069}').contains(&c);
        assert!(!shown.contains(obeyed), "{arguments:?}: {shown:?}");
    }
}
