//! What a running daemon takes up at SIGHUP and SIGUSR1.

use std::time::Duration;

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use tempfile::NamedTempFile;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::support::daemon::{environment, until_answer};
use crate::support::{Program, Setup, TestDatabase, database, port};

/// A daemon whose level, budget and a secret come from a file.
struct Daemon {
    file: NamedTempFile,
    setup: Setup,
    program: Program,
    port: u16,
    database: TestDatabase,
}

const SECRET: &str = "hunter2-0123456789abcdef0123456789abcdef";

impl Daemon {
    async fn start(file: &str) -> Self {
        Self::start_at(None, file).await
    }

    /// As [`Daemon::start`], with the database looked for at another port.
    async fn start_at(database_port: Option<u16>, file: &str) -> Self {
        let database = TestDatabase::migrated().await;
        let setup = Setup::live().await;
        setup.simulator.world().arrive(5, TimeDelta::hours(3));
        let (mut environment, port) = environment(&setup, &database).await;
        environment.remove("SMARTASSIST_ETL__ACCOUNTS__MAIN__REQUESTS_PER_MINUTE");
        if let Some(port) = database_port {
            let url = database.url().await;
            let here = format!(":{}/", server_port().await);
            assert!(url.contains(&here), "{url}");
            environment.insert(
                "DATABASE_URL".to_owned(),
                url.replace(&here, &format!(":{port}/")),
            );
        }
        let configured = NamedTempFile::new().unwrap();
        std::fs::write(configured.path(), file).unwrap();
        let program = Program::start(
            &["run", "--config", configured.path().to_str().unwrap()],
            &environment,
        );
        Self {
            file: configured,
            setup,
            program,
            port,
            database,
        }
    }

    /// Writes the file anew and says so.
    fn reload(&self, file: &str) {
        std::fs::write(self.file.path(), file).unwrap();
        self.program.signal(Signal::SIGHUP);
    }

    fn requests(&self) -> u64 {
        self.setup.simulator.world().counters().requests
    }

    async fn wait_until_ready(&self) {
        until_answer(self.port, "/readyz", 200, "").await;
    }

    /// Nothing is logged while it polls twice. Lines of before may still be on their way until it polls once.
    async fn says_nothing(&mut self) {
        self.polls_again().await;
        self.program.all_lines();
        self.polls_again().await;
        self.polls_again().await;
        assert_eq!(self.program.fresh_lines(), Vec::<String>::new());
    }

    /// Waits for the end of a poll that has not begun yet.
    async fn polls_again(&self) {
        let newest = "select coalesce(max(id), 0) from smartassist_sync.runs";
        let newest = self.database.number(newest).await;
        let later = format!(
            "select count(*) from smartassist_sync.runs where id > {newest} and status = 'succeeded'"
        );
        self.database.until("a poll", &later, |polls| polls > 0).await;
    }
}

async fn server_port() -> u16 {
    database::server().await.options().get_port()
}

fn file(level: &str, requests_per_minute: u32) -> String {
    format!("[log]\nlevel = {level:?}\n[account_defaults]\nrequests_per_minute = {requests_per_minute}\n")
}

#[tokio::test]
async fn sighup_changes_the_log_level_without_a_restart() {
    let mut daemon = Daemon::start(&file("warn", 0)).await;
    daemon.wait_until_ready().await;
    assert_eq!(daemon.program.all_lines(), Vec::<String>::new());

    daemon.reload(&file("debug", 0));
    let read = daemon.program.event("configuration read again").await;
    assert_eq!(read["applied"], "log.level");
    assert_eq!(daemon.program.event("the bell rang").await["level"], "DEBUG");

    daemon.reload(&file("warn", 0));
    daemon.program.event("configuration read again").await;
    daemon.says_nothing().await;
}

#[tokio::test]
async fn sighup_changes_the_request_budget_of_those_who_wait_for_it() {
    let mut daemon = Daemon::start(&file("info", 2)).await;
    let waits = daemon.program.event("waiting for the request budget").await;
    assert!(waits["wait_seconds"].as_u64().unwrap() > 50, "{waits}");
    assert_eq!(daemon.requests(), 2);

    daemon.reload(&file("info", 0));
    let read = daemon.program.event("configuration read again").await;
    assert_eq!(read["applied"], "account_defaults.requests_per_minute");
    daemon.program.finished("poll").await;
    daemon.program.finished("poll").await;
    assert!(daemon.requests() >= 4, "{}", daemon.requests());

    // What was spent meanwhile counts: nothing leaves until it is a minute old.
    daemon.reload(&file("info", 2));
    daemon.program.event("configuration read again").await;
    daemon.program.event("waiting for the request budget").await;
    let requests = daemon.requests();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(daemon.requests(), requests, "none leaves in this time");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_changes_nothing() {
    let mut daemon = Daemon::start(&file("info", 0)).await;
    daemon.program.finished("poll").await;
    let broken = file("loud=very", 1) + "[sync]\nsettel_seconds = 3\n[privacy]\nkey = \"hunter2\"\n";
    daemon.reload(&broken);
    let refused = "the configuration was read again and cannot be used";
    let said = daemon.program.event(refused).await;
    assert_eq!(said["level"], "ERROR");
    for problem in ["3 problems", "log.level", "sync.settel_seconds", "privacy.key"] {
        assert!(said["error"].as_str().unwrap().contains(problem), "{said}");
    }
    assert!(said["remedy"].as_str().unwrap().contains("SIGHUP"), "{said}");
    daemon.reload("[log\n");
    assert!(
        daemon.program.event(refused).await["error"]
            .as_str()
            .unwrap()
            .contains("line 1")
    );
    for _ in 0..3 {
        assert_eq!(daemon.program.finished("poll").await["outcome"], "succeeded");
    }
    assert!(!daemon.program.log.join("\n").contains("hunter2"));
}

#[tokio::test]
async fn keys_that_take_a_restart_are_named_without_their_values() {
    let mut daemon = Daemon::start(&file("info", 0)).await;
    daemon.program.finished("poll").await;
    let other =
        file("info", 500) + "[sync]\nlease_seconds = 31\n[privacy]\n" + &format!("key = {SECRET:?}\n");
    daemon.reload(&other);
    daemon.program.event("configuration read again").await;
    let named = "configuration read again, what has changed takes a restart";
    let said = daemon.program.event(named).await;
    assert_eq!(
        (said["level"].as_str(), said["keys"].as_str()),
        (Some("WARN"), Some("privacy.key sync.lease_seconds"))
    );
    assert!(said["remedy"].as_str().unwrap().contains("restart"), "{said}");

    // It is named for as long as it differs from what holds.
    daemon.program.signal(Signal::SIGHUP);
    daemon.program.event(named).await;
    daemon.reload(&file("info", 500));
    daemon
        .program
        .event("configuration read again, nothing has changed")
        .await;
    assert!(!daemon.program.log.join("\n").contains("hunter2"));
}

#[tokio::test]
async fn sigusr1_turns_debug_lines_on_and_off() {
    let mut daemon = Daemon::start(&file("warn", 0)).await;
    daemon.wait_until_ready().await;
    let changed = "log level changed by SIGUSR1";
    daemon.program.signal(Signal::SIGUSR1);
    let said = daemon.program.event(changed).await;
    assert_eq!(said["log_level"], "warn,smartassist_etl=debug");
    daemon.program.event("the bell rang").await;
    // Another level is followed, and debugging stays on.
    daemon.reload(&file("error", 0));
    daemon.program.event("configuration read again").await;
    daemon.program.event("the bell rang").await;
    daemon.program.signal(Signal::SIGUSR1);
    assert_eq!(daemon.program.event(changed).await["log_level"], "error");
    daemon.says_nothing().await;
}

#[tokio::test]
async fn without_a_file_nothing_changes_and_the_daemon_goes_on() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (environment, _) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.finished("poll").await;
    daemon.signal(Signal::SIGHUP);
    daemon
        .event("configuration read again, nothing has changed")
        .await;
    daemon.finished("poll").await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
}

#[tokio::test]
async fn a_budget_that_changes_while_the_database_is_away_holds_when_it_is_there() {
    let port = port::reserved();
    let mut daemon = Daemon::start_at(Some(port), &file("info", 0)).await;
    daemon.program.event("waiting for the database").await;
    daemon.reload(&file("info", 2));
    daemon.program.event("configuration read again").await;
    let server = server_port().await;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    daemon.program.event("waiting for the request budget").await;
    assert_eq!(daemon.requests(), 2);
}
