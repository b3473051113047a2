//! A fresh database for each test, on one PostgreSQL for all of them.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use smartassist_etl::config::{Config, SessionConfig};
use smartassist_etl::postgres::{Pool, migrate};
use smartassist_etl::warehouse::facts;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::sync::OnceCell;

use super::server::{Cluster, TestServer};
use super::{hostile, wait};

/// Codes of the reasons for which windows were read in parts.
pub(crate) const WHY_SPLIT: &str =
    "select string_agg(distinct error_code, ' ') from smartassist_sync.windows where status = 'split'";

static SERVER: OnceCell<TestServer> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// The data is thrown away, so nothing needs to reach the disk; and every minute a worker for each of hundreds
/// of databases would take much of the machine.
const SETTINGS: [(&str, &str); 5] = [
    ("autovacuum_naptime", "10min"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "300"),
];

/// With all migrations applied.
const MIGRATED: &str = "migrated";

/// With nothing in it but what somebody else may have made.
const EMPTY: &str = "empty";

/// The tables of schema `smartassist`, and what orders their rows.
const DATA_TABLES: [&str; 7] = [
    "sessions",
    "destinations",
    "agent_segments",
    "consultations",
    "tags",
    "raw_interactions",
    "joined_users",
];

/// A database of a test's own.
pub(crate) struct TestDatabase {
    pub(crate) pool: Pool,
    pub(crate) name: String,
}

/// The server of this test process. It stops when the process ends, however that is.
pub(crate) async fn server() -> &'static TestServer {
    SERVER
        .get_or_init(|| async {
            let server = Cluster::make(&directory()).start_once(&SETTINGS).await;
            make_templates(&server).await;
            server
        })
        .await
}

/// What the databases of tests are copies of.
async fn make_templates(server: &TestServer) {
    create(server, EMPTY, "template0").await;
    if hostile::is_wanted() {
        let empty = pool(server.options().database(EMPTY));
        hostile::plant(&empty).await;
        empty.close().await;
    }
    create(server, MIGRATED, EMPTY).await;
    let migrated = pool(server.options().database(MIGRATED));
    migrate(&migrated).await.unwrap();
    migrated.close().await;
}

async fn create(server: &TestServer, name: &str, template: &str) {
    let mut connection = PgConnection::connect_with(&server.options()).await.unwrap();
    let create = format!("create database {name} template {template}");
    sqlx::query(AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// As `DATABASE_URL` has it.
pub(crate) fn url(options: &PgConnectOptions) -> String {
    let options = match options.get_host() {
        socket if socket.starts_with('/') => &options.clone().socket(socket),
        _ => options,
    };
    let mut url = sqlx::ConnectOptions::to_url_lossy(options);
    // What is said there has no effect, and would be warned of.
    url.set_query(None);
    url.to_string()
}

/// Connections as the program has them, but that a busy machine may take longer until there is one.
fn pool(options: PgConnectOptions) -> Pool {
    let config = Config::from_layers(None, std::collections::HashMap::new()).unwrap();
    let patient = SessionConfig {
        connect_timeout: wait::PATIENCE,
        ..config.database.session
    };
    Pool::new(options, &patient)
}

/// A directory that PostgreSQL can enter when root runs the tests. Those of test processes that
/// are gone are removed, also of one that had the number which is ours now.
fn directory() -> PathBuf {
    // A directory of each user's own: another's cannot be written to.
    let parent = std::env::temp_dir().join(format!("smartassist-etl-tests-{}", nix::unistd::geteuid()));
    std::fs::create_dir_all(&parent).unwrap();
    let number = std::process::id().to_string();
    let own = parent.join(&number);
    let mut gone = Vec::new();
    for entry in std::fs::read_dir(&parent).unwrap().flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().contains('.') {
            gone.push(entry.path());
        } else if !Path::new("/proc").join(&name).exists() || entry.path() == own {
            // Under another name: a new process may get the number of one that is gone, and with it the directory.
            let renamed = entry.path().with_extension(&number);
            // Another test process may be at it too.
            if std::fs::rename(entry.path(), &renamed).is_ok() {
                gone.push(renamed);
            }
        }
    }
    // By a process that outlives this one: many run for a second, and hundreds of databases take longer.
    let mut remove = Command::new("/bin/sh");
    remove.args(["-c", r#"rm -rf "$@" </dev/null >/dev/null 2>&1 &"#, "rm"]);
    remove.args(gone).process_group(0).status().unwrap();
    std::fs::create_dir_all(&own).unwrap();
    own
}

impl TestDatabase {
    /// With all migrations applied.
    pub(crate) async fn migrated() -> Self {
        Self::like(MIGRATED).await
    }

    /// Makes all facts of an account anew, as after rows were written by hand.
    pub(crate) async fn rebuild_facts(&self, account_id: &str) {
        sqlx::query(
            "insert into smartassist.reporting (account_id, rebuild_from) values ($1, 'epoch') \
             on conflict (account_id) do update set rebuild_from = excluded.rebuild_from, rebuild_after = null",
        )
        .bind(account_id)
        .execute(&self.pool)
        .await
        .unwrap();
        while facts::rebuild_some(&self.pool, account_id).await.unwrap() > 0 {}
    }

    /// With nothing in it.
    pub(crate) async fn empty() -> Self {
        Self::like(EMPTY).await
    }

    /// As [`Self::empty`], whatever other databases of this run have in schema `public`. As PostgreSQL 15 and later
    /// make it, version 14 too: only its owner may create things there.
    pub(crate) async fn untouched() -> Self {
        let untouched = Self::like("template0").await;
        untouched
            .execute("revoke create on schema public from public")
            .await;
        untouched
    }

    async fn like(template: &str) -> Self {
        let server = server().await;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        create(server, &name, template).await;
        let pool = pool(server.by_socket().database(&name));
        Self { pool, name }
    }

    /// A database of a server that a test has started.
    pub(crate) fn of(server: PgConnectOptions, name: &str) -> Self {
        Self {
            pool: pool(server.database(name)),
            name: name.to_owned(),
        }
    }

    /// The same database, through new connections only: all backends of before have ended.
    pub(crate) async fn reconnected(self) -> Self {
        self.pool.close().await;
        let pool = pool(server().await.by_socket().database(&self.name));
        let others = "select count(*) from pg_stat_activity where datname = current_database() \
                      and backend_type = 'client backend' and pid <> pg_backend_pid()";
        let again = Self {
            pool,
            name: self.name,
        };
        again
            .until("end of all backends of before", others, |others| others == 0)
            .await;
        again
    }

    /// Another database with all that is in this one now.
    pub(crate) async fn copied(&self) -> Self {
        // Nobody may be connected to what is copied.
        let others = "select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = $1";
        let mut connection = PgConnection::connect_with(&server().await.options())
            .await
            .unwrap();
        sqlx::query(others)
            .bind(&self.name)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        Self::like(&self.name).await
    }

    /// As `DATABASE_URL` has it.
    pub(crate) async fn url(&self) -> String {
        url(&server().await.by_socket().database(&self.name))
    }

    /// Rows in each data table, in the order session, destination, segment, consultation, tag, raw.
    pub(crate) async fn counts(&self) -> Vec<i64> {
        let mut counts = Vec::new();
        for table in DATA_TABLES {
            counts.push(
                self.number(&format!("select count(*) from smartassist.{table}"))
                    .await,
            );
        }
        counts
    }

    /// A digest of every row of the data tables, but for when we saw or wrote it. `except` names
    /// further columns to leave out.
    pub(crate) async fn digest(&self, except: &[&str]) -> Vec<String> {
        let mut without = vec!["first_seen_at", "last_changed_at", "fetched_at"];
        without.extend(except);
        let mut digests = Vec::new();
        for table in DATA_TABLES {
            let sql = format!(
                "select md5(coalesce(string_agg(line, E'\\n' order by line collate \"C\"), '')) \
                 from (select (to_jsonb(t) - $1::text[])::text as line from smartassist.{table} t) lines"
            );
            let digest: String = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(&without)
                .fetch_one(&self.pool)
                .await
                .unwrap();
            digests.push(format!("{table} {digest}"));
        }
        digests
    }

    /// The version of every row as PostgreSQL keeps it: the transaction that wrote it and its place.
    pub(crate) async fn row_versions(&self) -> Vec<String> {
        let mut versions = Vec::new();
        for table in DATA_TABLES {
            let sql =
                format!("select xmin::text || ' ' || ctid::text from smartassist.{table} order by ctid");
            let rows = sqlx::query(AssertSqlSafe(sql))
                .fetch_all(&self.pool)
                .await
                .unwrap();
            versions.extend(
                rows.iter()
                    .map(|row| format!("{table} {}", row.get::<String, _>(0))),
            );
        }
        versions
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Waits until a number is as it should be, and gives it.
    #[track_caller]
    pub(crate) fn until(
        &self,
        what: &str,
        sql: &str,
        is_it: impl Fn(i64) -> bool,
    ) -> impl Future<Output = i64> {
        wait::until(what, async move || {
            let number = self.number(sql).await;
            if is_it(number) { Ok(number) } else { Err(number) }
        })
    }

    /// Waits until somebody waits for a lock in this database. (`pg_locks` has those of all databases, and tables
    /// have the same number in each.)
    #[track_caller]
    pub(crate) fn until_a_lock_is_waited_for(&self) -> impl Future<Output = i64> {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() \
                       and wait_event_type = 'Lock'";
        self.until("somebody who waits for a lock", waiting, |waiting| waiting > 0)
    }

    /// The API's ids of the interactions with these keys, in order.
    pub(crate) async fn ids_of<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Vec<String> {
        let ids = "select coalesce(conversation_id, session_id) as id from smartassist.sessions \
                   where interaction_key = any($1::text[]::uuid[]) order by id";
        sqlx::query_scalar(ids)
            .bind(keys.collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn text(&self, sql: &str) -> String {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&self.pool)
            .await
            .unwrap();
    }
}
