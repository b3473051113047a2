//! The private PostgreSQL: made at the first start, there again at the next, gone with its owner.

mod safe;
mod sharing;

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Program, Setup, server, wait};

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

/// Where the server listens.
fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres/socket/.s.PGSQL.5432")
}

/// Whether something listens on the server's socket.
fn is_running(data_dir: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket(data_dir)).is_ok()
}

/// The process of which the server's directory says that it is the server.
fn recorded_pid(data_dir: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(pid_file(data_dir)).ok()?;
    text.lines().next()?.parse().ok()
}

fn pid_file(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres/cluster/postmaster.pid")
}

/// The process of the server that runs.
fn server_pid(data_dir: &Path) -> i32 {
    recorded_pid(data_dir).unwrap()
}

/// The shell that watches the server: its parent.
fn watch_pid(server: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.unwrap().trim().parse().unwrap()
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
}

#[tokio::test]
async fn a_second_process_shares_the_private_server_and_leaves_it_on() {
    let setup = Setup::with_interactions(20).await;
    let data = data_dir();
    let environment = environment(&setup, data.path());
    let mut daemon = Program::start(&["run"], &environment);
    daemon.finished("poll").await;
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
    wait::until("the server's end after its owner's", async || {
        if is_running(data.path()) {
            Err("it runs")
        } else {
            Ok(())
        }
    })
    .await;
}

#[tokio::test]
async fn a_supervisor_that_signals_every_process_sees_an_orderly_end() {
    let setup = Setup::with_interactions(20).await;
    let data = data_dir();
    let mut daemon = Program::start(&["run"], &environment(&setup, data.path()));
    daemon.event("run finished").await;
    let server = server_pid(data.path());
    let watch = watch_pid(server);
    daemon.signal(Signal::SIGTERM);
    for process in [watch, server] {
        kill(Pid::from_raw(process), Signal::SIGTERM).unwrap();
    }
    let ended = daemon.ended().await;
    assert_eq!(ended.code(), 0, "{}", ended.log.join("\n"));
    assert!(!is_running(data.path()));
}

#[tokio::test]
async fn without_server_binaries_it_says_how_to_get_some() {
    let setup = Setup::start().await;
    let data = data_dir();
    let mut environment = environment(&setup, data.path());
    environment.insert(server::BINARIES.to_owned(), "/nonexistent".to_owned());
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

#[tokio::test]
async fn status_before_the_first_load_makes_nothing() {
    let setup = Setup::start().await;
    let data = data_dir();
    let never_made = data.path().join("data");
    let ended = Program::run(&["status"], &environment(&setup, &never_made)).await;
    assert_eq!(ended.code(), 1);
    let word = ended.last_word();
    assert!(
        word.contains("nothing has been loaded yet; run `smartassist-etl sync` first"),
        "{word}"
    );
    assert!(!never_made.exists());
}

#[tokio::test]
async fn a_server_binary_that_may_not_be_executed_is_named() {
    let setup = Setup::start().await;
    let (data, binaries) = (data_dir(), data_dir());
    let installed = server::binaries().join("postgres");
    std::os::unix::fs::symlink(installed, binaries.path().join("postgres")).unwrap();
    let initdb = binaries.path().join("initdb");
    std::fs::write(&initdb, "").unwrap();
    let mut environment = environment(&setup, data.path());
    environment.insert(
        server::BINARIES.to_owned(),
        binaries.path().to_str().unwrap().to_owned(),
    );
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 4);
    let word = ended.last_word();
    let named = format!("{}: Permission denied", initdb.display());
    assert!(word.contains("initdb failed") && word.contains(&named), "{word}");
}
