//! Whose server it is: two processes on one directory, and strangers on its port.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use smartassist_etl::postgres::PrivateServer;
use sqlx::{Connection, PgConnection};

use super::{data_dir, environment, is_running, pid_file, server_pid, watch_pid};
use crate::support::wait::Stopwatch;
use crate::support::{Program, Setup, server};

/// Starts or joins the server in this directory.
async fn start(data_dir: &Path) -> PrivateServer {
    PrivateServer::start(data_dir, server::named_binaries().as_deref(), true)
        .await
        .unwrap()
}

/// When the server that we are let into was started, which tells one server from another.
async fn started_at(server: &PrivateServer) -> String {
    let mut connection = PgConnection::connect_with(&server.options()).await.unwrap();
    let instant = sqlx::query_scalar("select pg_postmaster_start_time()::text")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    instant
}

#[tokio::test]
async fn two_starts_at_once_share_one_server() {
    let data = data_dir();
    for what in ["the first start", "a later start"] {
        let (one, other) = tokio::join!(start(data.path()), start(data.path()));
        assert_eq!(started_at(&one).await, started_at(&other).await, "{what}");
        one.stop().await;
        other.stop().await;
        assert!(!is_running(data.path()), "{what}");
    }
}

#[tokio::test]
async fn a_command_that_joins_a_server_which_is_being_set_up_waits_for_it() {
    let setup = Setup::with_interactions(5).await;
    for pause in [100, 300, 500] {
        let data = data_dir();
        let environment = environment(&setup, data.path());
        let first = Program::start(&["migrate"], &environment);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let second = Program::run(&["sync"], &environment).await;
        assert_eq!(second.code(), 0, "after {pause} ms: {}", second.last_word());
        assert_eq!(first.ended().await.code(), 0);
    }
}

#[tokio::test]
async fn a_daemon_waits_for_the_private_server_of_another_process() {
    let mut setup = Setup::with_interactions(20).await;
    setup.set("max_in_flight", "1");
    setup.simulator.world().behaviour.latency = Duration::from_secs(1);
    let data = data_dir();
    let environment = environment(&setup, data.path());
    let mut sync = Program::start(&["sync"], &environment);
    while sync.event("window drained").await["inserted"] == 0 {}
    // What else there is takes as long as it takes.
    setup.hold_answers();
    let mut daemon = Program::start(&["run"], &environment);
    daemon
        .event("another process has the private PostgreSQL, waiting for it to end")
        .await;
    setup.simulator.world().behaviour.latency = Duration::ZERO;
    setup.hold_no_more();
    sync.signal(Signal::SIGTERM);
    let sync = sync.ended().await;
    let before = sync.events("run finished")[0]["inserted"].as_u64().unwrap();
    let after = daemon.finished("poll").await["inserted"].as_u64().unwrap();
    assert_eq!(before + after, 20);
    assert!(after > 0, "the daemon was left nothing to load");
    let said = daemon
        .log
        .iter()
        .filter(|line| line.contains("waiting for it to end"));
    assert_eq!(said.count(), 1);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    assert!(!is_running(data.path()));
}

#[tokio::test]
async fn a_command_that_joined_goes_on_when_the_owner_has_ended() {
    let setup = Setup::with_interactions(20).await;
    let hold = setup.hold_answers();
    let data = data_dir();
    let owner = start(data.path()).await;
    let mut sync = Program::start(&["sync"], &environment(&setup, data.path()));
    sync.event("run started").await;
    owner.stop().await;
    setup.hold_no_more();
    hold.cancel();
    let sync = sync.ended().await;
    assert_eq!(sync.code(), 0, "{}", sync.log.join("\n"));
    assert_eq!(sync.events("private PostgreSQL is running").len(), 2);
    assert!(!is_running(data.path()), "it stops the server that it started");
    let again = start(data.path()).await;
    let mut connection = PgConnection::connect_with(&again.options()).await.unwrap();
    let loaded = sqlx::query_scalar("select count(*) from smartassist.sessions");
    let loaded: i64 = loaded.fetch_one(&mut connection).await.unwrap();
    assert_eq!(loaded, 20);
    connection.close().await.unwrap();
    again.stop().await;
}

#[tokio::test]
async fn a_daemon_that_waits_for_another_process_can_be_stopped() {
    let setup = Setup::start().await;
    let data = data_dir();
    let server = start(data.path()).await;
    let mut daemon = Program::start(&["run"], &environment(&setup, data.path()));
    daemon
        .event("another process has the private PostgreSQL, waiting for it to end")
        .await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    assert!(is_running(data.path()));
    server.stop().await;
}

#[tokio::test]
async fn a_daemon_whose_server_ends_ends_with_an_error() {
    let setup = Setup::with_interactions(20).await;
    let data = data_dir();
    let mut daemon = Program::start(&["run"], &environment(&setup, data.path()));
    daemon.event("run finished").await;
    kill(Pid::from_raw(server_pid(data.path())), Signal::SIGINT).unwrap();
    let killed = Stopwatch::start();
    let ended = daemon.ended().await;
    assert_eq!(ended.code(), 4, "{}", ended.last_word());
    assert!(killed.elapsed() < Duration::from_secs(5));
    assert!(ended.last_word().contains("server.log"), "{}", ended.last_word());
}

#[tokio::test]
async fn a_copied_directory_is_not_the_originals() {
    let setup = Setup::with_interactions(20).await;
    let (original, copy) = (data_dir(), data_dir());
    let server = start(original.path()).await;
    // While the original runs: its socket and its pid file are copied, too.
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([original.path().join("postgres"), copy.path().join("postgres")])
        .status();
    assert!(copied.unwrap().success());
    let pid = "2147483647\n";
    let text = std::fs::read_to_string(pid_file(copy.path())).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    std::fs::write(pid_file(copy.path()), format!("{pid}{rest}")).unwrap();

    let sync = Program::run(&["sync"], &environment(&setup, copy.path())).await;
    assert_eq!(sync.code(), 0, "{}", sync.log.join("\n"));
    assert_eq!(sync.events("run finished")[0]["inserted"], 20);
    let mut connection = PgConnection::connect_with(&server.options()).await.unwrap();
    let ours = "select count(*) from pg_namespace where nspname like 'smartassist%'";
    let schemas: i64 = sqlx::query_scalar(ours).fetch_one(&mut connection).await.unwrap();
    assert_eq!(schemas, 0, "the original's database was written to");
    connection.close().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_killed_servers_files_do_not_keep_the_next_from_starting() {
    let setup = Setup::with_interactions(20).await;
    let data = data_dir();
    let environment = environment(&setup, data.path());
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    let server = server_pid(data.path());
    let watch = watch_pid(server);
    daemon.signal(Signal::SIGKILL);
    for process in [watch, server] {
        // The watch may have seen the daemon's end before.
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
    let again = Program::run(&["sync"], &environment).await;
    assert_eq!(again.code(), 0, "{}", again.log.join("\n"));
}

/// The processes that a process has started.
fn children(process: i32) -> Vec<i32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_server_that_nobody_watches_any_more_is_replaced() {
    let setup = Setup::with_interactions(20).await;
    let data = data_dir();
    let environment = environment(&setup, data.path());
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    let left = server_pid(data.path());
    let watch = watch_pid(left);
    let watches = children(watch).into_iter().filter(|process| *process != left);
    for process in watches.chain([watch]) {
        kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
    }
    daemon.kill().await;
    assert!(is_running(data.path()), "the server is gone, too");
    let again = Program::run(&["sync"], &environment).await;
    assert_eq!(again.code(), 0, "{}", again.log.join("\n"));
    assert!(!is_running(data.path()));
}
