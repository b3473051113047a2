//! A worker's desk without an API: what was "read" is put together by hand and stored.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use smartassist_etl::config::{AccountConfig, Config};
use smartassist_etl::ledger::gaps;
use smartassist_etl::ledger::leases::{self, Lease};
use smartassist_etl::ledger::runs::{self, Kind, NewRun, Preparation};
use smartassist_etl::ledger::{Counters, LoadError, Purpose, Status, WindowEntry};
use smartassist_etl::time::Window;
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Interaction, Origin, RecordText, Rejected, transform};
use smartassist_etl::warehouse::bulk::{self, Ending};
use smartassist_etl::warehouse::compare::Basis;
use smartassist_etl::warehouse::left_out::StoreLimits;
use smartassist_etl::warehouse::{Committed, WindowCommit, commit_window};

use crate::support::{Setup, TestDatabase, instant};

/// The account of all these tests.
pub(super) const ACCOUNT: &str = "acct-sim";

/// Where records come from.
const ORIGIN: Origin<'_> = Origin {
    account_id: ACCOUNT,
    time_zone_offset: 0,
};

/// An instant of 10 January 2026.
pub(super) fn at(time: &str) -> DateTime<Utc> {
    instant(&format!("2026-01-10T{time}Z"))
}

/// A window of 10 January 2026.
pub(super) fn window(start: &str, end: &str) -> Window {
    Window::new(at(start), at(end))
}

pub(super) fn texts(windows: &[Window]) -> Vec<String> {
    let time = |at: DateTime<Utc>| at.format("%H:%M:%S").to_string();
    windows
        .iter()
        .map(|window| format!("{}-{}", time(window.start), time(window.end)))
        .collect()
}

/// What the record becomes.
pub(super) fn read(record: &Value) -> Interaction {
    transform(&RecordText::of(record.to_string()), ORIGIN, &Policy::default()).unwrap()
}

/// A conversation of 10 January 2026 with a destination, an agent and a tag.
pub(super) fn conversation(id: &str, start: &str, end: Option<&str>) -> Value {
    let mut record = json!({
        "conversationId": id, "sessionId": format!("s-{id}"),
        "sessionStartTime": format!("2026-01-10T{start}"),
        "sessionleveltags": [{"name": "n", "value": "v"}],
        "destinations": [{"destinationType": "QueueEntry", "queueId": "q", "respondingAgent": {"agentId": "a"}}],
    });
    if let Some(end) = end {
        record["sessionEndTime"] = format!("2026-01-10T{end}").into();
    }
    record
}

/// An open database, lease and run.
pub(super) struct Desk {
    /// Of the API's ranges, as far as it is known.
    pub(super) basis: Option<Basis>,
    pub(super) database: TestDatabase,
    pub(super) lease: Lease,
    pub(super) run_id: i64,
}

/// One reading of a window.
pub(super) struct Reading<'a> {
    pub(super) window: Window,
    pub(super) status: Status,
    pub(super) records: &'a [Value],
    pub(super) rejected: &'a [Rejected],
    /// When it was fetched and written.
    pub(super) at: DateTime<Utc>,
}

/// When a window of the hour from 10 o'clock was asked for, and when it was written.
pub(super) struct Overlapping {
    pub(super) began: DateTime<Utc>,
    pub(super) written: DateTime<Utc>,
}

/// The configuration of the account, with further keys.
pub(super) async fn account(keys: &[(&str, &str)]) -> AccountConfig {
    let mut setup = Setup::start().await;
    for (key, value) in keys {
        setup.set(key, value);
    }
    let config = Config::from_layers(None, setup.environment()).unwrap();
    config.accounts[0].clone()
}

/// Opens a run in the ledger.
pub(super) async fn open_run(database: &TestDatabase, lease: &Lease, kind: Kind, at: DateTime<Utc>) -> i64 {
    prepare(database, lease, &account(&[]).await, at).await;
    let run = NewRun {
        lease,
        kind,
        at,
        request_id: None,
        policy: (kind == Kind::Refresh).then_some("of-a-test"),
    };
    let (run_id, _) = runs::open(&database.pool, &run).await.unwrap();
    run_id
}

/// Writes the row of the account. `true`: coverage begins anew.
pub(super) async fn prepare(
    database: &TestDatabase,
    lease: &Lease,
    account: &AccountConfig,
    at: DateTime<Utc>,
) -> bool {
    let preparation = Preparation {
        account,
        default_start: at,
        kept_from: None,
        at,
    };
    runs::prepare(&database.pool, lease, &preparation).await.unwrap()
}

impl Desk {
    /// In the morning of 10 January 2026.
    pub(super) async fn open() -> Self {
        let database = TestDatabase::migrated().await;
        // Longer than a busy machine stands still.
        let lasts = Duration::from_secs(600);
        let lease = leases::acquire(&database.pool, ACCOUNT, "desk", lasts).await;
        let lease = lease.unwrap().unwrap().lease;
        let run_id = open_run(&database, &lease, Kind::Sync, at("00:00:00")).await;
        Self {
            basis: None,
            database,
            lease,
            run_id,
        }
    }

    pub(super) async fn commit(&self, reading: &Reading<'_>) -> Result<Committed, LoadError> {
        self.commit_from(reading, reading.at).await
    }

    /// A drained reading of the hour from 10 o'clock that took its time.
    pub(super) async fn commit_between(
        &self,
        records: &[Value],
        times: Overlapping,
    ) -> Result<Committed, LoadError> {
        let reading = Reading {
            window: window("10:00:00", "11:00:00"),
            status: Status::Drained,
            records,
            rejected: &[],
            at: times.written,
        };
        self.commit_from(&reading, times.began).await
    }

    /// The same as [`Desk::commit`], of a window that was asked for earlier. What is missing is decided on.
    pub(super) async fn commit_from(
        &self,
        reading: &Reading<'_>,
        started_at: DateTime<Utc>,
    ) -> Result<Committed, LoadError> {
        let mut committed = self.store(self.run_id, reading, started_at).await?;
        committed.counters.missing += self.settle(self.run_id, reading.at).await;
        Ok(committed)
    }

    /// A request that consists of one reading; how many are marked at its end.
    pub(super) async fn request(&self, reading: &Reading<'_>) -> (Counters, u64) {
        let run_id = open_run(&self.database, &self.lease, Kind::Refresh, reading.at).await;
        let committed = self.store(run_id, reading, reading.at).await.unwrap();
        (committed.counters, self.settle(run_id, reading.at).await)
    }

    pub(super) async fn settle(&self, run_id: i64, at: DateTime<Utc>) -> u64 {
        let ending = Ending {
            lease: &self.lease,
            run_id,
            request_id: None,
            confirm_after: TimeDelta::hours(24),
            at,
        };
        bulk::settle(&self.database.pool, &ending).await.unwrap()
    }

    /// Without what follows at the end of a run.
    pub(super) async fn store(
        &self,
        run_id: i64,
        reading: &Reading<'_>,
        started_at: DateTime<Utc>,
    ) -> Result<Committed, LoadError> {
        let mut interactions: Vec<Interaction> = reading.records.iter().map(read).collect();
        interactions.sort_by_key(|interaction| interaction.key);
        let problem = (reading.status == Status::Gap).then(|| gaps::problem("too many"));
        let commit = WindowCommit {
            entry: WindowEntry {
                lease: &self.lease,
                run_id,
                window: reading.window,
                purpose: Purpose::Refresh,
                status: reading.status,
                counters: Counters {
                    windows: 1,
                    distinct_records: interactions.len() as u64,
                    ..Counters::default()
                },
                reported_total: None,
                started_at,
                began_at: started_at,
                problem: problem.as_ref(),
                proof: None,
            },
            basis: self.basis,
            limits: StoreLimits::default(),
            interactions: interactions.iter().collect(),
            rejected: reading.rejected.iter().collect(),
            time_zone_offset: 0,
            keep_raw: true,
            late: TimeDelta::minutes(30),
            written_at: reading.at,
        };
        commit_window(&self.database.pool, &commit).await
    }

    /// A reading of the hour from 10 o'clock, made at `time`.
    pub(super) async fn hour(&self, status: Status, records: &[Value], time: &str) -> Counters {
        let reading = Reading {
            window: window("10:00:00", "11:00:00"),
            status,
            records,
            rejected: &[],
            at: at(time),
        };
        self.commit(&reading).await.unwrap().counters
    }

    /// The same, drained.
    pub(super) async fn drained(&self, records: &[Value], time: &str) -> Counters {
        self.hour(Status::Drained, records, time).await
    }

    /// The same, in a run of its own that begins then.
    pub(super) async fn reread(&mut self, records: &[Value], time: &str) -> Counters {
        self.begin_run(at(time)).await;
        self.drained(records, time).await
    }

    /// Begins another run.
    pub(super) async fn begin_run(&mut self, at: DateTime<Utc>) {
        self.run_id = open_run(&self.database, &self.lease, Kind::Refresh, at).await;
    }

    /// A window with nothing in it.
    pub(super) async fn empty(&self, status: Status, window: Window, at: DateTime<Utc>) -> Committed {
        let reading = Reading {
            window,
            status,
            records: &[],
            rejected: &[],
            at,
        };
        self.commit(&reading).await.unwrap()
    }

    /// Interactions with their `missing_since`, as `id=HH:MM:SS`, those missing only.
    pub(super) async fn missing(&self) -> String {
        self.database
            .text(
                "select coalesce(string_agg(coalesce(conversation_id, session_id) || '=' || to_char(missing_since at time zone 'UTC', \
                 'HH24:MI:SS'), ' ' order by coalesce(conversation_id, session_id)), '') \
                 from smartassist.sessions where missing_since is not null",
            )
            .await
    }

    pub(super) async fn absences(&self) -> i64 {
        self.database
            .number("select count(*) from smartassist_sync.absences where marked_at is null")
            .await
    }
}
