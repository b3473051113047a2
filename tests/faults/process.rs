//! The process and what is around it: signals, pipes, file systems, other versions.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use chrono::TimeDelta;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use smartassist_etl::postgres::PrivateServer;

use super::dice::Dice;
use super::watch;
use crate::support::daemon::{environment, get, until_answer};
use crate::support::wait::PATIENCE;
use crate::support::{Program, Setup, TestDatabase, database, server};

/// Waits until there are so many sessions.
async fn loaded(database: &TestDatabase, sessions: i64) {
    let stored = "select count(*) from smartassist.sessions";
    database
        .until("sessions", stored, |stored| stored >= sessions)
        .await;
}

#[tokio::test]
async fn a_log_pipe_that_nobody_empties_holds_up_nothing() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let (mut environment, port) = environment(&setup, &database).await;
    environment.insert("SMARTASSIST_ETL__LOG__LEVEL".to_owned(), "trace".to_owned());
    // Longer than anybody here waits: it has to end by itself.
    environment.insert(
        "SMARTASSIST_ETL__SYNC__SHUTDOWN_SECONDS".to_owned(),
        "3600".to_owned(),
    );
    // Not a byte more goes into it: a pipe holds 64 KiB.
    let (unread, mut full) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut full, &[b' '; 65_536]).unwrap();
    let mut daemon = tokio::process::Command::new(env!("CARGO_BIN_EXE_smartassist-etl"))
        .arg("run")
        .env_clear()
        .envs(&environment)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(full)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    loaded(&database, 5).await;
    setup.simulator.world().arrive(2, TimeDelta::zero());
    loaded(&database, 7).await;
    assert_eq!(get(port, "/healthz").await.0, 200);
    let (_, metrics) = get(port, "/metrics").await;
    assert!(
        metrics.contains("smartassist_etl_log_lines_dropped_total "),
        "{metrics}"
    );
    let pid = i32::try_from(daemon.id().unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE, daemon.wait()).await;
    assert_eq!(ended.expect("it does not end").unwrap().code(), Some(0));
    drop(unread);
}

#[tokio::test]
async fn loading_needs_no_writable_disk_but_a_private_server_does() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let (mut environment, _) = environment(&setup, &database).await;
    for variable in ["SMARTASSIST_ETL__DATA_DIR", "TMPDIR", "HOME"] {
        environment.insert(variable.to_owned(), "/proc/nowhere".to_owned());
    }
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    assert_eq!(database.counts().await[0], 5);
    environment.remove("DATABASE_URL");
    let refused = Program::run(&["sync"], &environment).await;
    assert_eq!(refused.code(), 4);
    assert!(
        refused.last_word().contains("/proc/nowhere"),
        "{}",
        refused.last_word()
    );
}

#[tokio::test]
async fn a_second_signal_at_any_moment_ends_the_daemon_safely() {
    let mut dice = Dice::seeded();
    let database = TestDatabase::migrated().await;
    watch::install(&database).await;
    let setup = Setup::live().await;
    setup.seed_days(5, 2, 0, 3_000);
    setup.simulator.world().behaviour.latency = Duration::from_millis(20);
    let (environment, _) = environment(&setup, &database).await;
    for _ in 0..8 {
        let mut daemon = Program::start(&["run"], &environment);
        daemon.event("connected to PostgreSQL").await;
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(dice.within(1..300))).await;
            if !daemon.has_ended() {
                daemon.signal(Signal::SIGTERM);
            }
        }
        assert_eq!(daemon.ended().await.code(), 0);
        database
            .execute("update smartassist_sync.leases set expires_at = clock_timestamp()")
            .await;
    }
    assert_eq!(Program::run(&["sync"], &environment).await.code(), 0);
    watch::check(&database).await;
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn ticks_during_a_long_run_become_one_run_after_it() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(5, 2, 0, 1_500);
    setup.simulator.world().behaviour.latency = Duration::from_millis(400);
    let (environment, _) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    let first = daemon.finished("poll").await;
    assert!(first["seconds"].as_f64().unwrap() > 2.0, "{first}");
    for _ in 0..3 {
        assert_eq!(daemon.finished("poll").await["outcome"], "succeeded");
    }
    let overlaps = "select count(*) from smartassist_sync.runs as one join smartassist_sync.runs as other \
                    on one.id < other.id and other.started_at < one.finished_at where one.kind = 'poll' and other.kind = 'poll'";
    assert_eq!(database.number(overlaps).await, 0);
    // The rings of those seconds were one.
    let soon = "select count(*) from smartassist_sync.runs where id <> 1 and kind = 'poll' and started_at < \
                (select finished_at + interval '900 ms' from smartassist_sync.runs where id = 1)";
    assert!(database.number(soon).await <= 2);
}

#[tokio::test]
async fn an_older_version_works_on_a_schema_that_only_grew() {
    let database = TestDatabase::migrated().await;
    watch::install(&database).await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let (environment, _) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.finished("poll").await;
    // The newer version has expanded the schema, as migrations do.
    database
        .execute(
            "alter table smartassist.sessions add column future text; \
             alter table smartassist_sync.windows add column future bigint not null default 0; \
             insert into smartassist_sync.schema_migrations \
             (version, description, success, checksum, execution_time) values (9999, 'future', true, '', 0)",
        )
        .await;
    let uncover = "update smartassist_sync.accounts set coverage = '{}'";
    setup.simulator.world().arrive(3, TimeDelta::hours(2));
    database.execute(uncover).await;
    loaded(&database, 8).await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    // And so it is after a roll back.
    setup.simulator.world().arrive(2, TimeDelta::hours(1));
    database.execute(uncover).await;
    let older = Program::start(&["run"], &environment);
    loaded(&database, 10).await;
    older.signal(Signal::SIGTERM);
    assert_eq!(older.ended().await.code(), 0);
    database
        .execute("update smartassist_sync.schema_migrations set description = 'contract 9999 past' where version = 9999")
        .await;
    let older = Program::run(&["run"], &environment).await;
    assert_eq!(older.code(), 1);
    assert!(
        older.last_word().contains("newer than this binary"),
        "{}",
        older.last_word()
    );
}

async fn start_in(directory: &Path) -> PrivateServer {
    PrivateServer::start(directory, server::named_binaries().as_deref(), true)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_database_that_crashes_and_recovers_is_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    // PostgreSQL must be able to enter it where root runs the tests.
    let entered_by_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), entered_by_all).unwrap();
    let server = start_in(directory.path()).await;
    let setup = Setup::live().await;
    setup.seed_days(6, 2, 0, 3_000);
    setup.simulator.world().behaviour.latency = Duration::from_millis(30);
    let unused = TestDatabase::empty().await;
    let (mut environment, port) = environment(&setup, &unused).await;
    environment.insert("DATABASE_URL".to_owned(), database::url(&server.options()));
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("window drained").await;
    let pid_file = directory.path().join("postgres/cluster/postmaster.pid");
    let pid = std::fs::read_to_string(pid_file)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    kill(Pid::from_raw(pid), Signal::SIGQUIT).unwrap();
    drop(server);
    daemon.event("run failed").await;
    assert_eq!(get(port, "/readyz").await.0, 503);
    assert_eq!(get(port, "/healthz").await.0, 200);
    let server = start_in(directory.path()).await;
    daemon.finished_as("poll", "succeeded").await;
    until_answer(port, "/readyz", 200, "").await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    let recovered = TestDatabase::of(server.options(), "smartassist");
    watch::same_as_a_fresh_load(&setup, &recovered).await;
    recovered.pool.close().await;
    server.stop().await;
}
