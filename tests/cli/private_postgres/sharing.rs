//! Whose server it is: two processes on one directory, and strangers on its port.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use smartassist_etl::database::PrivateServer;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::{data_dir, environment, is_running, pid_file, port, server_pid};
use crate::support::wait::Stopwatch;
use crate::support::{Program, Setup};

/// What a server that was killed leaves: it names the port, and a process that is gone.
fn leave_pid_file(data_dir: &Path, port: u16) {
    let cluster = data_dir.join("postgres/cluster");
    let text = format!("{}\n{}\n1700000000\n{port}\n", i32::MAX, cluster.display());
    std::fs::write(pid_file(data_dir), text).unwrap();
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
    let directory = data.path().join("postgres");
    for what in ["the first start", "a later start"] {
        let (one, other) = tokio::join!(
            PrivateServer::start(&directory, None, &[]),
            PrivateServer::start(&directory, None, &[])
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(started_at(&one).await, started_at(&other).await, "{what}");
        one.stop().await;
        other.stop().await;
        assert!(!is_running(data.path()), "{what}");
    }
}

#[tokio::test]
async fn a_daemon_waits_for_another_process_to_end_and_then_has_its_own_server() {
    let mut setup = Setup::with_interactions(20).await;
    setup.set("max_in_flight", "1");
    // After the first window that has any, all others are on their way for as long as it takes.
    for nth in 1..50 {
        setup.simulator.world().before_request(nth, |world| {
            if world.counters().records_served > 0 {
                world.hold = Some(CancellationToken::new());
            }
        });
    }
    let data = data_dir();
    let environment = environment(&setup, data.path());
    let mut sync = Program::start(&["sync"], &environment);
    sync.event("window drained").await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon
        .event("another process has the private PostgreSQL, waiting for it to end")
        .await;
    setup.simulator.world().clear_faults();
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
async fn a_daemon_that_waits_for_another_process_can_be_stopped() {
    let setup = Setup::start().await;
    let data = data_dir();
    let server = PrivateServer::start(&data.path().join("postgres"), None, &[])
        .await
        .unwrap();
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
    let started = PrivateServer::start(&original.path().join("postgres"), None, &[]).await;
    started.unwrap().stop().await;
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([original.path().join("postgres"), copy.path().join("postgres")])
        .status();
    assert!(copied.unwrap().success());
    let server = PrivateServer::start(&original.path().join("postgres"), None, &[])
        .await
        .unwrap();
    // As if it was copied while the original ran: everything in it leads to the original's server.
    leave_pid_file(copy.path(), port(original.path()));

    let sync = Program::run(&["sync"], &environment(&setup, copy.path())).await;
    assert_eq!(sync.code(), 0, "{}", sync.log.join("\n"));
    assert_eq!(sync.events("run finished")[0]["inserted"], 20);
    assert_ne!(port(copy.path()), port(original.path()));
    let mut connection = PgConnection::connect_with(&server.options()).await.unwrap();
    let ours = "select count(*) from pg_namespace where nspname like 'smartassist%'";
    let schemas: i64 = sqlx::query_scalar(ours).fetch_one(&mut connection).await.unwrap();
    assert_eq!(schemas, 0, "the original's database was written to");
    connection.close().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_listener_on_the_remembered_port_is_not_taken_for_ours() {
    let setup = Setup::with_interactions(20).await;
    let data = data_dir();
    let environment = environment(&setup, data.path());
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    let taken = port(data.path());
    // It takes connections and never says a word.
    let _listener = std::net::TcpListener::bind(("127.0.0.1", taken)).unwrap();
    leave_pid_file(data.path(), taken);
    let again = Program::run(&["sync"], &environment).await;
    assert_eq!(again.code(), 0, "{}", again.log.join("\n"));
    assert_eq!(again.events("run finished")[0]["inserted"], 0);
    assert_ne!(port(data.path()), taken);
}
