//! A PostgreSQL as others run it: reached by TCP with a password, and we are its superuser.

use std::io::{PipeWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::unistd::{User, geteuid};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};

use super::{port, wait};

/// Names the server programs to the program; the tests use the same ones.
pub(crate) const BINARIES: &str = "SMARTASSIST_ETL__DATABASE__SERVER_BINARIES";

/// Who its superuser is, unless a test wants another.
const USER: &str = "smartassist";

/// Ends the server once its standard input ends, that is with this process, however that ends.
const WATCH: &str =
    r#""$@" </dev/null & server=$!; exec 3<&0; { read -r _ <&3; kill -INT "$server"; } & wait "$server""#;

/// The same, at once, and leaves nothing in the cluster: hundreds of databases are ten gigabytes.
const WATCH_AND_REMOVE: &str = r#""$@" </dev/null & server=$!; exec 3<&0; { read -r _ <&3; kill -QUIT "$server"; } & wait "$server"; rm -rf "$0""#;

/// A server that runs; it stops once it is stopped or dropped, or with this process.
pub(crate) struct TestServer {
    options: PgConnectOptions,
    socket: String,
    process: Child,
    lifeline: Option<PipeWriter>,
}

/// A cluster that was made, and its superuser's password.
pub(crate) struct Cluster {
    pub(crate) directory: PathBuf,
    superuser: &'static str,
    password: String,
}

impl Cluster {
    /// Makes it below `directory`, which PostgreSQL's user must be able to enter.
    pub(crate) fn make(directory: &Path) -> Self {
        Self::of_superuser(directory, USER)
    }

    /// As [`Cluster::make`], for a superuser of this name.
    pub(crate) fn of_superuser(directory: &Path, superuser: &'static str) -> Self {
        let cluster = directory.join("cluster");
        std::fs::DirBuilder::new().mode(0o700).create(&cluster).unwrap();
        give_to_server(&cluster);
        let mut random = [0_u8; 16];
        let mut source = std::fs::File::open("/dev/urandom").unwrap();
        source.read_exact(&mut random).unwrap();
        let password = u128::from_ne_bytes(random).to_string();
        let password_file = directory.join("password");
        let mut file = std::fs::File::options();
        let mut file = file
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&password_file)
            .unwrap();
        file.write_all(password.as_bytes()).unwrap();
        give_to_server(&password_file);
        let mut command = Command::new(binaries().join("initdb"));
        command.args(["--username", superuser, "--auth=scram-sha-256", "--encoding=UTF8"]);
        command
            .args(["--locale=C", "--no-sync", "--pwfile"])
            .arg(&password_file);
        let made = as_server_user(command.arg("--pgdata").arg(&cluster))
            .output()
            .unwrap();
        std::fs::remove_file(&password_file).unwrap();
        assert!(made.status.success(), "{made:?}");
        Self {
            directory: cluster,
            superuser,
            password,
        }
    }

    /// Runs a server on it with these settings.
    pub(crate) async fn start(&self, settings: &[(&str, &str)]) -> TestServer {
        self.start_at(port::reserved(), settings).await
    }

    /// The same at this port, where it was before.
    pub(crate) async fn start_at(&self, port: u16, settings: &[(&str, &str)]) -> TestServer {
        self.start_watched(WATCH, port, settings).await
    }

    /// The same for good: when the server ends, the cluster is removed.
    pub(crate) async fn start_once(&self, settings: &[(&str, &str)]) -> TestServer {
        self.start_watched(WATCH_AND_REMOVE, port::reserved(), settings)
            .await
    }

    /// Where its server writes what it logs.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.with_extension("log")
    }

    async fn start_watched(&self, watch: &str, port: u16, settings: &[(&str, &str)]) -> TestServer {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", watch])
            .arg(&self.directory)
            .arg(binaries().join("postgres"));
        command
            .arg("-D")
            .arg(&self.directory)
            .args(["-p", &port.to_string()]);
        let directory = self.directory.to_str().unwrap();
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", directory),
        ];
        for (name, value) in own.iter().chain(settings) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let (input, lifeline) = std::io::pipe().unwrap();
        let log = std::fs::File::create(self.log()).unwrap();
        command
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        let mut server = TestServer {
            options: PgConnectOptions::new_without_pgpass()
                .host("127.0.0.1")
                .port(port)
                .username(self.superuser)
                .password(&self.password)
                .database("postgres")
                .ssl_mode(PgSslMode::Disable),
            socket: directory.to_owned(),
            process: as_server_user(&mut command).spawn().unwrap(),
            lifeline: Some(lifeline),
        };
        // It holds the other end of the lifeline.
        drop(command);
        server.wait_until_it_answers().await;
        server
    }
}

impl TestServer {
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// By its Unix socket: over TCP each COPY waits 40 ms for an acknowledgement.
    pub(crate) fn by_socket(&self) -> PgConnectOptions {
        self.options().host(&self.socket)
    }

    async fn wait_until_it_answers(&mut self) {
        let connection = wait::until("a PostgreSQL that answers", async || {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "PostgreSQL has ended: {ended:?}");
            PgConnection::connect_with(&self.options).await
        });
        connection.await.close().await.unwrap();
    }

    /// Stops it, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.lifeline.take());
        wait::until("the end of PostgreSQL", async || {
            self.process.try_wait().unwrap().ok_or("it runs")
        })
        .await;
    }
}

/// The server programs that the environment names, if it does.
pub(crate) fn named_binaries() -> Option<PathBuf> {
    std::env::var_os(BINARIES).map(PathBuf::from)
}

/// Those, or the newest on this machine.
pub(crate) fn binaries() -> PathBuf {
    if let Some(named) = named_binaries() {
        return named;
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions.max_by_key(|entry| {
        entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
    });
    if let Some(newest) = newest {
        return newest.path().join("bin");
    }
    let found = Command::new("pg_config").arg("--bindir").output();
    let found = found.expect("no PostgreSQL server binaries");
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
}

/// Whom PostgreSQL runs as where root runs the tests.
fn server_user() -> Option<User> {
    geteuid()
        .is_root()
        .then(|| User::from_name("postgres").unwrap().expect("no user postgres"))
}

/// Makes a file or directory the server's.
pub(crate) fn give_to_server(path: &Path) {
    if let Some(user) = server_user() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

fn as_server_user(command: &mut Command) -> &mut Command {
    command
        .current_dir("/")
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/bin:/bin");
    if let Some(user) = server_user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}
