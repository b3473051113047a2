//! What people see.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use super::busy;
use crate::support::{Program, TestDatabase};

/// What it prints on a terminal.
async fn on_a_terminal(environment: HashMap<String, String>) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_smartassist-etl"))
        .arg("doctor")
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(terminal.slave)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reading = move || {
        let mut bytes = Vec::new();
        // It ends with an error once nobody has the other end.
        let _ = File::from(terminal.master).read_to_end(&mut bytes);
        child.wait().unwrap();
        String::from_utf8(bytes).unwrap()
    };
    tokio::task::spawn_blocking(reading).await.unwrap()
}

#[tokio::test]
async fn the_doctor_report_fits_80_columns_and_shows_severities() {
    let database = TestDatabase::untouched().await;
    let mut setup = busy().await;
    setup.set("client_secret", "wrong-secret-0123456789abcdef-wrong");
    let ended = Program::run(&["doctor"], &setup.environment_on(&database).await).await;
    for line in ended.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for start in [
        "ok       main: TLS: ",
        "warning  database schema: ",
        "failed   main: sign-in: ",
    ] {
        let is_there = ended.stdout.lines().any(|line| line.starts_with(start));
        assert!(is_there, "{start}\n{}", ended.stdout);
    }
    assert!(
        ended
            .stdout
            .contains("\n         remedy: run `smartassist-etl migrate`")
    );
    assert!(
        ended.stdout.contains(" ok, 1 with a warning, 1 failed\n"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains('\u{1b}'));
}

#[tokio::test]
async fn there_are_colours_on_a_terminal_unless_somebody_wants_none() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let mut environment = setup.environment_on(&database).await;
    environment.insert("TERM".to_owned(), "xterm".to_owned());
    let coloured = on_a_terminal(environment.clone()).await;
    assert!(coloured.contains("\u{1b}[32mok"), "{coloured}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut environment = environment.clone();
        environment.insert(name.to_owned(), value.to_owned());
        let plain = on_a_terminal(environment).await;
        assert!(plain.contains("ok       main: API: "), "{plain}");
        assert!(!plain.contains('\u{1b}'), "{plain}");
    }
}
