//! A daemon that polls every second for a long time, with changes all the while: nothing grows.

use std::time::Duration;

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use sqlx::Row;

use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase};

/// `SOAK_SECONDS` in the environment changes it.
const SOAK: usize = 600;

/// What is watched, each second.
#[derive(Debug, Clone, Copy)]
struct Sample {
    daemon_kib: u64,
    connections: usize,
    /// Of the sessions of the database that the daemon uses.
    sessions_kib: u64,
}

/// A field of a process's status, in KiB.
fn memory(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.map_or(0, |line| {
        line.trim_matches([':', ' ', '\t'])
            .trim_end_matches(" kB")
            .trim()
            .parse()
            .unwrap()
    })
}

async fn sample(daemon: u32, database: &TestDatabase) -> Sample {
    let sessions = sqlx::query(
        "select pid from pg_stat_activity where datname = current_database() and application_name = 'smartassist-etl' \
         and pid <> pg_backend_pid()",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let pids = sessions
        .iter()
        .map(|row| u32::try_from(row.get::<i32, _>(0)).unwrap());
    Sample {
        daemon_kib: memory(daemon, "VmRSS"),
        connections: sessions.len(),
        sessions_kib: pids.map(|pid| memory(pid, "RssAnon")).sum(),
    }
}

/// Nobody sees the prepared statements of another session: a trigger has the daemon's own sessions count them.
const COUNT_STATEMENTS: &str = "create table prepared (at timestamptz not null default clock_timestamp(), statements bigint not null); \
     create function count_prepared() returns trigger language plpgsql as $$ begin \
     insert into prepared (statements) select count(*) from pg_prepared_statements; return null; end $$; \
     create trigger count_prepared after insert on smartassist_sync.windows for each row execute function count_prepared()";

/// The most that one session had, in the first half of the time and in the last tenth.
async fn statements(database: &TestDatabase) -> (i64, i64) {
    let row = sqlx::query(
        "with span as (select min(at) as start, max(at) - min(at) as length from prepared) \
         select max(statements) filter (where at < start + length * 0.5), \
         max(statements) filter (where at >= start + length * 0.9) from prepared, span",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    (row.get(0), row.get(1))
}

fn mean(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> f64 {
    let sum: u64 = samples.iter().map(of).sum();
    f64::from(u32::try_from(sum).unwrap()) / f64::from(u32::try_from(samples.len()).unwrap())
}

/// Lets interactions arrive and change, and looks at what that takes, each second.
async fn keep_busy(daemon: &Program, setup: &Setup, database: &TestDatabase, seconds: usize) -> Vec<Sample> {
    let mut samples = Vec::new();
    for second in 0..seconds {
        {
            let mut world = setup.simulator.world();
            // Few enough that what the tiers read again stays about as much as it was.
            world.arrive(1, TimeDelta::zero());
            world.mutate_some(u64::try_from(second).unwrap(), 0.002);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        samples.push(sample(daemon.id(), database).await);
    }
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten minutes: make soak"]
async fn nothing_grows_while_it_polls_every_second() {
    let seconds = std::env::var("SOAK_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(SOAK);
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.seed_days(51, 2, 0, 5_000);
    database.execute(COUNT_STATEMENTS).await;
    let (mut environment, _) = environment(&setup, &database).await;
    let tiers = r#"[{"every":"*/5 * * * * *","lookback":"2h"},{"every":"*/30 * * * * *","lookback":"48h"}]"#;
    environment.insert("SMARTASSIST_ETL__SYNC__REFRESH".to_owned(), tiers.to_owned());
    environment.insert("SMARTASSIST_ETL__LOG__LEVEL".to_owned(), "warn".to_owned());
    let daemon = Program::start(&["run"], &environment);
    let stored = "select count(*) from smartassist.sessions";
    database.until("sessions", stored, |stored| stored >= 2_000).await;
    let samples = keep_busy(&daemon, &setup, &database, seconds).await;
    let stretch = 60.min(seconds / 4);
    let (first, last) = (&samples[..stretch], &samples[seconds - stretch..]);
    let polls = database
        .number("select count(*) from smartassist_sync.runs where kind = 'poll'")
        .await;
    let (early, late) = statements(&database).await;
    let report = format!(
        "{seconds} s, {polls} polls; the daemon {:.0} and {:.0} KiB, its sessions {:.0} and {:.0} KiB, {} connections at most, \
         {early} and {late} prepared statements in a session",
        mean(first, |sample| sample.daemon_kib),
        mean(last, |sample| sample.daemon_kib),
        mean(first, |sample| sample.sessions_kib),
        mean(last, |sample| sample.sessions_kib),
        samples.iter().map(|sample| sample.connections).max().unwrap()
    );
    println!("{report}");
    let by_minute = samples
        .chunks(60)
        .map(|minute| format!("{:.0}", mean(minute, |sample| sample.daemon_kib)));
    println!(
        "the daemon's KiB, minute by minute: {}",
        by_minute.collect::<Vec<_>>().join(" ")
    );
    let grows = |of: fn(&Sample) -> u64| mean(last, of) / mean(first, of);
    assert!(grows(|sample| sample.daemon_kib) < 1.1, "{report}");
    assert!(grows(|sample| sample.sessions_kib) < 1.5, "{report}");
    assert!(late > 0 && late <= early, "{report}");
    // The test's own connections are of the same program name.
    assert!(samples.iter().all(|sample| sample.connections <= 10), "{report}");
    assert!(polls * 10 >= i64::try_from(seconds).unwrap() * 8, "{report}");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), 0);
}
