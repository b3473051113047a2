//! Connections to PostgreSQL on which nobody hears anything any more, without either side being told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use smartassist_etl::config::SessionConfig;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::postgres::{Pool, migrate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::postgres::{session, start};
use super::watch;
use crate::support::wait::{self, PATIENCE, Stopwatch};
use crate::support::{Job, Runs, TestDatabase, database};

const SECOND: Duration = Duration::from_secs(1);

/// Between a client and PostgreSQL: passes everything on until it falls silent.
#[derive(Debug, Clone)]
struct Relay {
    port: u16,
    /// After so many messages of clients, the connection of the last one falls silent.
    messages_left: Arc<AtomicI64>,
    /// Connections of an older generation are silent.
    generation: Arc<AtomicU64>,
}

impl Relay {
    async fn start() -> Self {
        let server = database::server().await.options().get_port();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            messages_left: Arc::new(AtomicI64::new(i64::MAX)),
            generation: Arc::default(),
        };
        let serving = relay.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(serving.clone().pass(client, server));
            }
        });
        relay
    }

    fn pool(&self, database: &TestDatabase, session: &SessionConfig) -> Pool {
        let options = (*database.pool.options()).clone();
        Pool::new(options.host("127.0.0.1").port(self.port), session)
    }

    /// All connections that there are fall silent; later ones are well.
    fn silence(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    async fn pass(self, mut client: TcpStream, mut server: TcpStream) {
        let born = self.generation.load(Ordering::SeqCst);
        let (mut sent, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            let (to, bytes) = tokio::select! {
                Ok(length @ 1..) = client.read(&mut sent) => {
                    if self.messages_left.fetch_sub(1, Ordering::SeqCst) == 1 {
                        // The server gets it, and its answer is lost.
                        let _ = server.write_all(&sent[..length]).await;
                        return std::future::pending().await;
                    }
                    (&mut server, &sent[..length])
                }
                Ok(length @ 1..) = server.read(&mut answered) => (&mut client, &answered[..length]),
                else => return,
            };
            if self.generation.load(Ordering::SeqCst) > born {
                return std::future::pending().await;
            }
            if to.write_all(bytes).await.is_err() {
                return;
            }
        }
    }
}

/// Two connections, and a server that gives up after a second.
fn quick() -> SessionConfig {
    SessionConfig {
        max_connections: 2,
        statement_timeout: SECOND,
        ..session()
    }
}

async fn answers(pool: &Pool) {
    let one: i32 = sqlx::query_scalar("select 1").fetch_one(pool).await.unwrap();
    assert_eq!(one, 1);
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_replaced_at_once() {
    let database = TestDatabase::empty().await;
    let relay = Relay::start().await;
    let pool = relay.pool(&database, &quick());
    tokio::join!(answers(&pool), answers(&pool));
    wait::until("connections that are idle", async || {
        let connections = pool.connections();
        if connections.in_use == 0 {
            Ok(())
        } else {
            Err(connections)
        }
    })
    .await;
    relay.silence();
    let asked = Stopwatch::start();
    answers(&pool).await;
    assert!(asked.elapsed() < SECOND * 5, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn connections_that_died_in_use_free_their_places() {
    let database = TestDatabase::empty().await;
    let relay = Relay::start().await;
    let pool = relay.pool(&database, &quick());
    let busy = async || {
        // It goes on for as long as it takes: whoever hears nothing of it must give it up.
        let statements = async |connection: &mut sqlx::PgConnection| {
            sqlx::raw_sql("set local statement_timeout = 0; select pg_sleep(600)")
                .execute(connection)
                .await
        };
        pool.transact::<_, sqlx::Error>(statements).await
    };
    let mut sleeping = 0;
    for _ in 0..2 {
        let (first, second, ()) = tokio::join!(busy(), busy(), async {
            // Those of before still sleep.
            sleeping += 2;
            let asleep = "select count(*) from pg_stat_activity where datname = current_database() \
                          and wait_event = 'PgSleep'";
            database
                .until("both to be busy", asleep, |asleep| asleep == sleeping)
                .await;
            relay.silence();
        });
        assert!(first.is_err() && second.is_err(), "{first:?} {second:?}");
        answers(&pool).await;
    }
}

#[tokio::test]
async fn a_run_ends_wherever_the_database_stops_answering() {
    let silent = [4, 9, 14, 19, 24, 31, 40, 55].map(async |messages| {
        let (database, setup) = start().await;
        let relay = Relay::start().await;
        let session = SessionConfig {
            // So long no statement takes, also where the machine does much else.
            statement_timeout: SECOND * 10,
            ..session()
        };
        let worker = setup.worker(&relay.pool(&database, &session));
        relay.messages_left.store(messages, Ordering::SeqCst);
        let (job, stop) = (Job::Sync, CancellationToken::new());
        let first = tokio::time::timeout(PATIENCE, worker.run(&job, &stop)).await;
        assert!(first.is_ok(), "after {messages} messages");
        let next = worker.run(&job, &stop).await;
        let problem = &next.problem;
        assert_eq!(
            next.outcome,
            Outcome::Succeeded,
            "after {messages} messages: {problem:?}"
        );
        watch::check(&database).await;
        watch::same_as_a_fresh_load(&setup, &database).await;
    });
    futures_util::future::join_all(silent).await;
}

#[tokio::test]
async fn a_migration_ends_wherever_the_database_stops_answering() {
    let silent = [2, 5, 12, 30].map(async |messages| {
        let database = TestDatabase::empty().await;
        let relay = Relay::start().await;
        let pool = relay.pool(&database, &quick());
        relay.messages_left.store(messages, Ordering::SeqCst);
        let first = tokio::time::timeout(PATIENCE, migrate(&pool)).await;
        assert!(first.is_ok(), "after {messages} messages");
        migrate(&pool).await.unwrap();
    });
    futures_util::future::join_all(silent).await;
}
