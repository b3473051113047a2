//! The private PostgreSQL: made at the first start, there again at the next, gone with its owner.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::{Program, Setup};

/// A data directory that PostgreSQL can enter when root runs the tests.
fn data_dir() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

fn environment(setup: &Setup, data_dir: &Path) -> HashMap<String, String> {
    let mut environment = setup.environment();
    environment.insert(
        "SMARTASSIST_ETL__DATA_DIR".to_owned(),
        data_dir.to_str().unwrap().to_owned(),
    );
    environment.insert("SMARTASSIST_ETL__HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned());
    environment
}

/// Whether something listens on the server's port.
fn is_running(data_dir: &Path) -> bool {
    let port: u16 = std::fs::read_to_string(data_dir.join("postgres/port"))
        .unwrap()
        .parse()
        .unwrap();
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[tokio::test]
async fn it_survives_restarts_and_stops_with_its_owner() {
    let setup = Setup::with_interactions(60).await;
    let data = data_dir();
    let environment = environment(&setup, data.path());
    let first = Program::run(&["sync"], &environment).await;
    assert_eq!(first.code(), 0, "{}", first.log.join("\n"));
    assert_eq!(first.events("run finished")[0]["inserted"], 60);
    assert!(!is_running(data.path()));

    let second = Program::run(&["sync"], &environment).await;
    let finished = second.events("run finished");
    assert_eq!(
        (&finished[0]["inserted"], &finished[0]["unchanged"]),
        (&0.into(), &0.into())
    );
    let psql = second.events("private PostgreSQL is running")[0]["psql"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        psql.starts_with("PGPASSFILE=/") && psql.ends_with("-U smartassist smartassist"),
        "{psql}"
    );
}

#[tokio::test]
async fn a_second_process_uses_the_server_that_runs_and_leaves_it_running() {
    let setup = Setup::with_interactions(20).await;
    let data = data_dir();
    let environment = environment(&setup, data.path());
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    let status = Program::run(&["status"], &environment).await;
    assert_eq!(status.code(), 0, "{}", status.last_word());
    assert!(
        status.stdout.contains("interactions       20"),
        "{}",
        status.stdout
    );
    assert!(is_running(data.path()));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    assert!(!is_running(data.path()));
}

#[tokio::test]
async fn it_stops_when_its_owner_is_killed_and_starts_again() {
    let setup = Setup::with_interactions(20).await;
    let data = data_dir();
    let mut environment = environment(&setup, data.path());
    environment.insert("SMARTASSIST_ETL__SYNC__LEASE_SECONDS".to_owned(), "3".to_owned());
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    daemon.signal(Signal::SIGKILL);
    drop(daemon);
    let again = Program::run(&["sync"], &environment).await;
    assert_eq!(again.code(), 0, "{}", again.log.join("\n"));
    for _ in 0..100 {
        if !is_running(data.path()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the server outlived its owner");
}

#[tokio::test]
async fn without_server_binaries_it_says_how_to_get_some() {
    let setup = Setup::start().await;
    let data = data_dir();
    let mut environment = environment(&setup, data.path());
    environment.insert(
        "SMARTASSIST_ETL__DATABASE__SERVER_BINARIES".to_owned(),
        "/nonexistent".to_owned(),
    );
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 4);
    assert!(
        ended.last_word().contains("apt-get install postgresql"),
        "{}",
        ended.last_word()
    );
}

#[tokio::test]
async fn a_directory_that_postgresql_may_not_enter_is_named() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let setup = Setup::start().await;
    let closed = tempfile::tempdir().unwrap();
    std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let ended = Program::run(&["sync"], &environment(&setup, &closed.path().join("data"))).await;
    assert_eq!(ended.code(), 4);
    let named = format!(
        "may not enter {}",
        closed.path().canonicalize().unwrap().display()
    );
    assert!(ended.last_word().contains(&named), "{}", ended.last_word());
}
