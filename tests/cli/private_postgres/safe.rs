//! What keeps other users of this machine out of the private PostgreSQL, and it out of their files.

use std::collections::HashMap;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use smartassist_etl::postgres::PrivateServer;
use sqlx::{Connection, PgConnection};

use super::{data_dir, environment, server_pid, socket, watch_pid};
use crate::support::{Program, Setup, server};

/// A user of this machine that is neither root nor PostgreSQL's.
const STRANGER: u32 = 12_345;

/// A daemon that has loaded something.
async fn daemon(data_dir: &Path, variables: &[(&str, &str)]) -> (Program, Setup, HashMap<String, String>) {
    let setup = Setup::with_interactions(20).await;
    let mut environment = environment(&setup, data_dir);
    for (name, value) in variables {
        environment.insert((*name).to_owned(), (*value).to_owned());
    }
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("run finished").await;
    (daemon, setup, environment)
}

async fn one<T>(server: &PrivateServer, query: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let mut connection = PgConnection::connect_with(&server.options()).await.unwrap();
    let value = sqlx::query_scalar(query)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    value
}

async fn start(data_dir: &Path) -> PrivateServer {
    PrivateServer::start(data_dir, server::named_binaries().as_deref(), true)
        .await
        .unwrap()
}

#[tokio::test]
async fn it_listens_on_no_port_and_asks_for_no_password() {
    let data = data_dir();
    let (_daemon, ..) = daemon(data.path(), &[]).await;
    let server = start(data.path()).await;
    assert_eq!(one::<String>(&server, "show listen_addresses").await, "");
    for name in ["port", "pgpass"] {
        assert!(!data.path().join("postgres").join(name).exists(), "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn nobody_else_may_enter_or_read_what_is_below_data_dir() {
    let parent = data_dir();
    let data = parent.path().join("data");
    let (_daemon, ..) = daemon(&data, &[]).await;
    let mut seen = 0;
    let mut left = vec![data.clone()];
    while let Some(path) = left.pop() {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        // As root, PostgreSQL's group passes through the two upper directories.
        let closed = if metadata.is_dir() && geteuid().is_root() {
            0o067
        } else {
            0o077
        };
        if !path.starts_with(data.join("postgres/cluster/base")) {
            assert_eq!(
                metadata.mode() & closed,
                0,
                "{}: {:o}",
                path.display(),
                metadata.mode()
            );
        }
        if metadata.is_dir() {
            left.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
    assert_eq!(
        std::fs::metadata(socket(&data).parent().unwrap()).unwrap().mode() & 0o777,
        0o700
    );
}

#[tokio::test]
async fn another_user_of_the_machine_is_not_let_in() {
    if !geteuid().is_root() {
        return;
    }
    let data = data_dir();
    let server = start(data.path()).await;
    let command = server.psql_command();
    let arguments: Vec<&str> = command
        .split(' ')
        .skip(1)
        .chain(["-Atc", "select current_user"])
        .collect();
    let psql = |uid: Option<u32>| {
        let mut command = Command::new("psql");
        std::os::unix::process::CommandExt::uid(&mut command, uid.unwrap_or(0));
        command.args(&arguments).output().unwrap()
    };
    let ours = psql(None);
    assert_eq!(String::from_utf8_lossy(&ours.stdout), "smartassist\n", "{ours:?}");
    let stranger = psql(Some(STRANGER));
    assert!(!stranger.status.success());
    // Nor where the directory were open: the server knows who asks.
    let socket = socket(data.path());
    for path in [socket.parent().unwrap(), &socket] {
        std::fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    }
    let is_open = std::fs::metadata(data.path().join("postgres")).unwrap();
    std::fs::set_permissions(
        data.path().join("postgres"),
        Permissions::from_mode(is_open.mode() | 0o001),
    )
    .unwrap();
    let stranger = psql(Some(65_534));
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(said.contains("Peer authentication failed"), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn loading_needs_no_superuser_and_makes_no_roles() {
    let data = data_dir();
    let (_daemon, ..) = daemon(data.path(), &[]).await;
    let server = start(data.path()).await;
    let rights = "select concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, \
                  (select count(*) from pg_auth_members m where m.member = r.oid)) from pg_roles r where rolname = current_user";
    assert_eq!(one::<String>(&server, rights).await, "f f f f f 0");
    let readable = "select has_table_privilege('smartassist_reader', 'smartassist.sessions', 'select')";
    assert!(one::<bool>(&server, readable).await);
    server.stop().await;
}

#[tokio::test]
async fn the_log_gives_the_psql_command() {
    for name in ["data", "it's \"our\" data"] {
        let parent = data_dir();
        let data = parent.path().join(name);
        let setup = Setup::with_interactions(20).await;
        let mut daemon = Program::start(&["run"], &environment(&setup, &data));
        let running = daemon.event("private PostgreSQL is running").await;
        daemon.finished("poll").await;
        let given = running["psql"].as_str().unwrap();
        let socket = data.canonicalize().unwrap().join("postgres/socket");
        if name == "data" {
            let plain = format!("psql -h {} -p 5432 -U smartassist smartassist", socket.display());
            assert_eq!(given, plain);
        }
        let command = format!("{given} -Atc 'select count(*) from smartassist.sessions'");
        let mut shell = Command::new("sh");
        let shown = shell.args(["-c", &command]).env("PGPORT", "1").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&shown.stdout), "20\n", "{shown:?}");
    }
}

#[tokio::test]
async fn a_long_data_dir_has_its_socket_in_tmp() {
    let parent = data_dir();
    let data = parent.path().join("d".repeat(100));
    let (daemon, _setup, environment) = daemon(&data, &[]).await;
    let server = start(&data).await;
    let command = server.psql_command();
    let directory = command.split(' ').nth(2).unwrap();
    assert!(directory.starts_with("/tmp/smartassist-etl-"), "{command}");
    assert_eq!(std::fs::metadata(directory).unwrap().mode() & 0o777, 0o700);
    server.stop().await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
    // Somebody who may enter it could listen there.
    std::fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    let refused = Program::run(&["sync"], &environment).await;
    assert_eq!(refused.code(), 4);
    assert!(refused.last_word().contains(directory), "{}", refused.last_word());
    std::fs::remove_dir(directory).unwrap();
}

#[tokio::test]
async fn a_data_dir_that_others_may_write_to_is_refused() {
    let setup = Setup::start().await;
    for (what, mode) in [
        ("data", 0o777),
        ("data", 0o1777),
        ("data", 0o770),
        ("data/postgres", 0o775),
    ] {
        let parent = data_dir();
        let data = parent.path().join("data");
        std::fs::create_dir_all(data.join("postgres")).unwrap();
        for directory in [&data, &data.join("postgres")] {
            std::fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::set_permissions(parent.path().join(what), Permissions::from_mode(mode)).unwrap();
        let refused = Program::run(&["sync"], &environment(&setup, &data)).await;
        assert_eq!(refused.code(), 4, "{what} {mode:o}");
        let word = refused.last_word();
        assert!(
            word.contains(&parent.path().join(what).display().to_string()),
            "{word}"
        );
        assert!(word.contains("chmod go-w"), "{word}");
        assert!(!data.join("postgres/cluster").exists());
    }
}

#[tokio::test]
async fn a_directory_that_another_user_planted_is_refused() {
    if !geteuid().is_root() {
        return;
    }
    let setup = Setup::start().await;
    for planted in ["data", "data/postgres"] {
        let parent = data_dir();
        let data = parent.path().join("data");
        std::fs::create_dir_all(data.join("postgres")).unwrap();
        chown(parent.path().join(planted), Some(STRANGER), None).unwrap();
        let refused = Program::run(&["sync"], &environment(&setup, &data)).await;
        assert_eq!(refused.code(), 4, "{planted}");
        assert!(
            refused.last_word().contains("another user"),
            "{}",
            refused.last_word()
        );
    }
}

#[tokio::test]
async fn a_link_in_place_of_a_file_is_not_followed() {
    let setup = Setup::start().await;
    for name in ["server.log", "lock"] {
        let data = data_dir();
        let victim = data.path().join("victim");
        std::fs::write(&victim, "theirs").unwrap();
        std::fs::set_permissions(&victim, Permissions::from_mode(0o644)).unwrap();
        std::fs::create_dir(data.path().join("postgres")).unwrap();
        symlink(&victim, data.path().join("postgres").join(name)).unwrap();
        let refused = Program::run(&["sync"], &environment(&setup, data.path())).await;
        assert_eq!(refused.code(), 4, "{name}: {}", refused.log.join("\n"));
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "theirs");
        assert_eq!(std::fs::metadata(&victim).unwrap().mode() & 0o777, 0o644);
    }
}

#[tokio::test]
async fn nothing_of_our_environment_reaches_the_server() {
    let data = data_dir();
    let variables = [
        (
            "PGOPTIONS",
            "-c statement_timeout=4321 -c default_transaction_read_only=on",
        ),
        ("PGHOST", "db.invalid"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGDATABASE", "nothing"),
        ("PGSSLMODE", "verify-full"),
        ("PGDATA", "/nowhere"),
        ("PGTZ", "Asia/Kolkata"),
        ("TZ", "Asia/Kolkata"),
    ];
    let (_daemon, _setup, environment) = daemon(data.path(), &variables).await;
    let server = server_pid(data.path());
    for process in [server, watch_pid(server)] {
        let bytes = std::fs::read(format!("/proc/{process}/environ")).unwrap();
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        for name in [
            "SMARTASSIST",
            "simulator-secret",
            "PGOPTIONS",
            "PGPORT",
            "Kolkata",
        ] {
            assert!(!text.contains(name), "{text}");
        }
    }
    let status = Program::run(&["status"], &environment).await;
    assert_eq!(status.code(), 0, "{}", status.last_word());
}

#[tokio::test]
async fn no_other_process_of_our_user_reads_the_daemons_environment() {
    let data = data_dir();
    let (daemon, ..) = daemon(data.path(), &[]).await;
    let process = PathBuf::from(format!("/proc/{}", daemon.id()));
    // What belongs to root although the process may not: it is closed to its own user.
    let environ = std::fs::metadata(process.join("environ")).unwrap();
    assert_eq!(environ.uid(), 0);
    if !geteuid().is_root() {
        assert!(std::fs::read(process.join("environ")).is_err());
    }
    let status = std::fs::read_to_string(process.join("status")).unwrap();
    assert!(status.contains("VmHWM:"), "{status}");
}
