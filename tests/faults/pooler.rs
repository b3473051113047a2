//! Behind pgbouncer in transaction mode, which gives each transaction another session: every
//! command works, and nothing piles up in the sessions.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::process::{Child, Command};

use super::watch;
use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase, database, days_ago, port, wait};

/// A pgbouncer before the tests' PostgreSQL. It is killed when a test drops it.
struct Pooler {
    _process: Child,
    _directory: tempfile::TempDir,
    port: u16,
    password: String,
}

fn configuration(server: u16, port: u16, users: &Path) -> String {
    format!(
        "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\n\
         default_pool_size = 3\nmax_client_conn = 200\nserver_reset_query =\n",
        users.display()
    )
}

impl Pooler {
    /// With fewer sessions than clients want, so that they are passed round.
    async fn start() -> Self {
        let server = database::server().await.options();
        let url = database::url(&server);
        let credentials = url.split_once("://").unwrap().1.split_once('@').unwrap().0;
        let (user, password) = credentials.split_once(':').unwrap();
        let port = port::reserved();
        let directory = tempfile::tempdir().unwrap();
        let entered_by_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), entered_by_all).unwrap();
        let (settings, users) = (
            directory.path().join("pgbouncer.ini"),
            directory.path().join("users.txt"),
        );
        std::fs::write(&users, format!("\"{user}\" \"{password}\"\n")).unwrap();
        std::fs::write(&settings, configuration(server.get_port(), port, &users)).unwrap();
        // Where Debian puts it is not on everybody's path.
        let program = ["/usr/sbin/pgbouncer"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let mut command = Command::new(program.unwrap_or("pgbouncer"));
        // It refuses to be root.
        if nix::unistd::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let mut process = command
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("pgbouncer is not installed: scripts/setup.sh does it");
        wait::until("pgbouncer", async || {
            let connected = std::net::TcpStream::connect(("127.0.0.1", port));
            connected.map_err(|error| (error, process.try_wait()))
        })
        .await;
        Self {
            _process: process,
            _directory: directory,
            port,
            password: password.to_owned(),
        }
    }

    async fn environment(&self, setup: &Setup, database: &TestDatabase) -> HashMap<String, String> {
        let (mut environment, _) = environment(setup, database).await;
        let server = database::server().await.options();
        let user = server.get_username();
        environment.extend([
            (
                "DATABASE_URL".to_owned(),
                format!(
                    "postgres://{user}:{}@127.0.0.1:{}/{}",
                    self.password, self.port, database.name
                ),
            ),
            (
                "SMARTASSIST_ETL__DATABASE__STATEMENT_CACHE".to_owned(),
                "0".to_owned(),
            ),
            ("SMARTASSIST_ETL__PRIVACY__KEY".to_owned(), "k".repeat(32)),
        ]);
        environment
    }
}

#[tokio::test]
async fn every_command_works_behind_a_pooler_in_transaction_mode() {
    let pooler = Pooler::start().await;
    let database = TestDatabase::empty().await;
    let mut setup = Setup::live().await;
    setup.set("start_from", &days_ago(2));
    setup.seed_days(4, 2, 0, 600);
    let environment = pooler.environment(&setup, &database).await;
    let (from, to) = (days_ago(2), days_ago(0));
    let commands: [&[&str]; 11] = [
        &["migrate"],
        &["migrate"],
        &["sync"],
        &["sync"],
        &["status"],
        &["doctor"],
        &["verify", "--from", &from, "--to", &to],
        &["backfill", "--refetch", "--from", &from, "--to", &to],
        &["replay"],
        &["retry-rejected"],
        &["erase", "--email", "nobody@example.com"],
    ];
    for command in commands {
        let ended = Program::run(command, &environment).await;
        assert_eq!(
            ended.code(),
            0,
            "{command:?}\n{}\n{}",
            ended.stdout,
            ended.log.join("\n")
        );
    }
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn daemons_behind_a_pooler_leave_no_prepared_statements() {
    let pooler = Pooler::start().await;
    let database = TestDatabase::migrated().await;
    watch::install(&database).await;
    let setup = Setup::live().await;
    setup.seed_days(4, 2, 0, 2_000);
    let mut environments = Vec::new();
    for _ in 0..3 {
        let (_, port) = environment(&setup, &database).await;
        let mut environment = pooler.environment(&setup, &database).await;
        environment.insert(
            "SMARTASSIST_ETL__HTTP__BIND".to_owned(),
            format!("127.0.0.1:{port}"),
        );
        environments.push(environment);
    }
    let mut daemons: Vec<Program> = environments
        .iter()
        .map(|environment| Program::start(&["run"], environment))
        .collect();
    // Many polls over the same three sessions by each in turn, while the others look whether it has ended.
    let mut ended = Vec::new();
    for begun in 1_usize.. {
        let polls = "select count(*) from smartassist_sync.runs where kind = 'poll' and status = 'succeeded'";
        let eight_more = i64::try_from(begun * 8).unwrap();
        database.until("polls", polls, |polls| polls >= eight_more).await;
        if daemons.len() == 1 {
            break;
        }
        let holder: String = database.text("select holder from smartassist_sync.leases").await;
        let place = daemons
            .iter()
            .position(|daemon| holder.contains(&format!(":{}:", daemon.id())));
        let daemon = daemons.remove(place.unwrap_or_else(|| panic!("{holder}")));
        daemon.signal(Signal::SIGTERM);
        ended.push(daemon.ended().await);
    }
    let options: PgConnectOptions = environments[0]["DATABASE_URL"].parse().unwrap();
    let mut connection = PgConnection::connect_with(&options.extra_float_digits(None))
        .await
        .unwrap();
    let mut most = 0;
    for _ in 0..20 {
        // As simple text, which needs no prepared statement of its own.
        let count = sqlx::raw_sql("select count(*)::text from pg_prepared_statements");
        let row = connection.fetch_one(count).await.unwrap();
        most = most.max(row.get::<String, _>(0).parse::<u64>().unwrap());
    }
    // What the last transaction of a session prepared is there until the next one.
    assert!(most < 40, "{most} statements in a session");
    let last = daemons.remove(0);
    last.signal(Signal::SIGTERM);
    ended.push(last.ended().await);
    for ended in ended {
        assert_eq!(ended.code(), 0);
        let failed: Vec<_> = ended.events("run failed");
        assert!(failed.is_empty(), "{failed:?}");
    }
    watch::check(&database).await;
    watch::same_as_a_fresh_load(&setup, &database).await;
}

#[tokio::test]
async fn a_wrong_sign_in_at_the_start_is_not_waited_for() {
    let pooler = Pooler::start().await;
    let database = TestDatabase::migrated().await;
    let setup = Setup::start().await;
    let environment = pooler.environment(&setup, &database).await;
    let url = &environment["DATABASE_URL"];
    for (wrong, said) in [
        (url.replace(&pooler.password, "wrong"), "authentication failed"),
        (url.replace("://", "://nobody-"), "authentication failed"),
        (format!("{url}_missing"), "does not exist"),
    ] {
        let mut environment = environment.clone();
        environment.insert("DATABASE_URL".to_owned(), wrong);
        let ended = Program::run(&["migrate"], &environment).await;
        assert_eq!(ended.code(), 4, "{}", ended.log.join("\n"));
        assert!(ended.last_word().contains(said), "{}", ended.last_word());
        let waits = ended.events("database is out of reach, waiting for it");
        assert!(waits.is_empty(), "{waits:?}");
    }
}
