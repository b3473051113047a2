//! Stores windows, or records that they were not.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use tracing::{error, info, warn};

use crate::extract::Tally;
use crate::ledger::leases::Lease;
use crate::ledger::problems::{Problem, ProblemCode};
use crate::ledger::windows::record;
use crate::ledger::{Counters, LoadError, Purpose, Status, WindowEntry, conflict};
use crate::telemetry::{self, metrics};
use crate::time::Window;
use crate::transform::Interaction;
use crate::warehouse::compare::Basis;
use crate::warehouse::{Committed, WindowCommit, commit_window};

use super::super::account::{AccountContext, Health};
use super::super::plan::Planned;
use super::super::report::{WindowFailure, split};
use super::read::Fetched;

#[derive(Debug, Default)]
pub(in crate::sync) struct WindowReport {
    pub(in crate::sync) counters: Counters,
    pub(in crate::sync) failure: Option<WindowFailure>,
    /// Another version was stored meanwhile.
    pub(in crate::sync) again: bool,
}

#[derive(Debug, Clone)]
pub(in crate::sync) struct Fetch {
    pub(in crate::sync) planned: Planned,
    pub(in crate::sync) started_at: DateTime<Utc>,
    /// Database time; exact once it is read.
    pub(in crate::sync) began_at: DateTime<Utc>,
    /// Monotonic.
    pub(in crate::sync) began: Instant,
    pub(in crate::sync) tally: Arc<Tally>,
}

#[derive(Debug, Clone)]
pub(in crate::sync) struct Writer {
    pub(in crate::sync) account: AccountContext,
    pub(in crate::sync) lease: Lease,
    pub(in crate::sync) run_id: i64,
    pub(in crate::sync) purpose: Purpose,
    pub(in crate::sync) kept_from: Option<DateTime<Utc>>,
    pub(in crate::sync) basis: Option<Basis>,
}

impl Writer {
    /// Faults of the data are reported, not returned: other windows may succeed.
    pub(super) async fn store(
        &self,
        fetch: &Fetch,
        fetched: Fetched,
        status: Status,
    ) -> Result<WindowReport, LoadError> {
        let reading = &fetched.reading;
        let failure = (status == Status::Gap).then(|| WindowFailure::gap(reading));
        let reason = (status == Status::Split).then(|| split(reading));
        // Takes less memory than the map.
        let interactions: Vec<Interaction> = fetched.rows.interactions.into_values().collect();
        let counters = Counters {
            distinct_records: reading.distinct_records,
            ..fetch.counters()
        };
        let problem = reason
            .as_ref()
            .or(failure.as_ref().map(|failure| &failure.problem));
        let commit = WindowCommit {
            entry: WindowEntry {
                proof: reading.proof.map(|proof| (proof.as_str(), &fetched.profile)),
                ..self.entry(fetch, (status, counters), reading.reported_total, problem)
            },
            basis: self.basis,
            limits: self.account.limits_of_storing(self.kept_from),
            interactions: interactions.iter().collect(),
            rejected: fetched.rows.rejected.values().collect(),
            time_zone_offset: self.account.api.account().time_zone_offset,
            keep_raw: self.account.storage.raw,
            late: self.account.sync.late,
            written_at: self.account.clock.now(),
        };
        match conflict::retry(self.account.name(), || commit_window(&self.account.pool, &commit)).await {
            Ok(committed) => {
                self.announce(&commit.entry, &committed);
                Ok(WindowReport {
                    counters: committed.counters,
                    failure,
                    ..WindowReport::default()
                })
            }
            Err(error @ LoadError::StoredSince) => {
                info!("a part was stored in another version meanwhile, reading the window again");
                Ok(WindowReport {
                    again: true,
                    ..self.leave_unread(fetch, &Problem::from(&error)).await?
                })
            }
            Err(error) if error.is_of_the_data() => {
                telemetry::database_error(&self.account.api.account().name, error.kind());
                self.fail(fetch, WindowFailure::of_data(&error)).await
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn fail(
        &self,
        fetch: &Fetch,
        failure: WindowFailure,
    ) -> Result<WindowReport, LoadError> {
        let problem = &failure.problem;
        error!(
            error = problem.text,
            remedy = problem.remedy,
            "window failed, nothing of it is covered"
        );
        let report = self.leave_unread(fetch, problem).await?;
        self.measure(Status::Failed, report.counters.records, fetch.started_at);
        Ok(WindowReport {
            failure: Some(failure),
            ..report
        })
    }

    pub(super) async fn leave_unread(&self, fetch: &Fetch, why: &Problem) -> Result<WindowReport, LoadError> {
        self.store_nothing(fetch, Status::Failed, why).await
    }

    pub(super) async fn split_unread(&self, fetch: &Fetch) -> Result<WindowReport, LoadError> {
        let why = Problem::warning("window_refused", "the API refuses it as too long or too old", "");
        let report = self.store_nothing(fetch, Status::Split, &why).await?;
        log_split(&why.text, report.counters);
        self.measure(Status::Split, report.counters.records, fetch.started_at);
        Ok(report)
    }

    async fn store_nothing(
        &self,
        fetch: &Fetch,
        status: Status,
        why: &Problem,
    ) -> Result<WindowReport, LoadError> {
        let counters = fetch.counters();
        self.record_unstored(fetch, (status, counters), None, Some(why))
            .await?;
        Ok(WindowReport {
            counters,
            ..WindowReport::default()
        })
    }

    pub(in crate::sync) async fn record_unstored(
        &self,
        fetch: &Fetch,
        counted: (Status, Counters),
        reported_total: Option<u64>,
        problem: Option<&Problem>,
    ) -> Result<(), LoadError> {
        let entry = self.entry(fetch, counted, reported_total, problem);
        conflict::retry(self.account.name(), || record(&self.account.pool, &entry)).await
    }

    fn entry<'a>(
        &'a self,
        fetch: &Fetch,
        (status, counters): (Status, Counters),
        reported_total: Option<u64>,
        problem: Option<&'a Problem>,
    ) -> WindowEntry<'a> {
        WindowEntry {
            lease: &self.lease,
            run_id: self.run_id,
            window: fetch.planned.window,
            purpose: self.purpose,
            status,
            counters,
            reported_total,
            started_at: fetch.started_at,
            began_at: fetch.began_at,
            problem,
            proof: None,
        }
    }

    fn announce(&self, entry: &WindowEntry<'_>, committed: &Committed) {
        // Rereads and partial windows are no progress.
        if entry.status == Status::Drained && matches!(entry.purpose, Purpose::New | Purpose::Gap) {
            self.account.health.send_modify(Health::progress);
        }
        log_stored(entry, committed);
        log_discoveries(committed);
        self.count_stored(entry, committed);
    }

    fn count_stored(&self, entry: &WindowEntry<'_>, committed: &Committed) {
        let account = self.account.name();
        let counters = committed.counters;
        for (result, count) in [
            ("inserted", counters.inserted),
            ("updated", counters.updated),
            ("unchanged", counters.unchanged),
            ("missing", counters.missing),
            ("left_out", counters.left_out),
            ("rejected", counters.rejected),
            ("counted_alone", committed.counted_alone),
        ] {
            telemetry::count(metrics::RECORDS, account, ("result", result), count);
        }
        self.measure(entry.status, counters.records, entry.started_at);
    }

    fn measure(&self, status: Status, records: u64, started_at: DateTime<Utc>) {
        let took = self.account.clock.now() - started_at;
        let labels = (self.purpose.as_str(), status.as_str());
        telemetry::window(self.account.name(), labels, records, took);
    }
}

impl Fetch {
    pub(in crate::sync) fn begin(planned: Planned, now: DateTime<Utc>) -> Self {
        Self {
            planned,
            started_at: now,
            began_at: now,
            began: Instant::now(),
            tally: Arc::default(),
        }
    }

    pub(in crate::sync) fn counters(&self) -> Counters {
        let cost = self.tally.cost();
        Counters {
            windows: 1,
            pages: cost.pages,
            requests: cost.requests,
            records: cost.records,
            retries: cost.retries,
            rate_limited: cost.rate_limited,
            ..Counters::default()
        }
    }
}

fn log_stored(entry: &WindowEntry<'_>, committed: &Committed) {
    let counters = &committed.counters;
    match entry.status {
        Status::Drained => info!(
            pages = counters.pages,
            requests = counters.requests,
            records = counters.records,
            inserted = counters.inserted,
            updated = counters.updated,
            unchanged = counters.unchanged,
            missing = counters.missing,
            left_out = counters.left_out,
            rejected = counters.rejected,
            watermark = committed.watermark.map(telemetry::instant),
            "window drained"
        ),
        Status::Gap => error!(
            error = entry.problem.map(|problem| &problem.text),
            requests = counters.requests,
            records = counters.records,
            reported_total = entry.reported_total,
            remedy = entry.problem.map(|problem| &problem.remedy),
            "gap: records of this window cannot be reached, and are missing"
        ),
        Status::Split | Status::Failed | Status::Compared => {
            let reason = entry.problem.map_or("", |problem| &problem.text);
            log_split(reason, *counters);
        }
    }
}

fn log_split(reason: &str, counters: Counters) {
    info!(
        reason,
        requests = counters.requests,
        "window cannot be read at once, reading it in parts"
    );
}

fn log_discoveries(committed: &Committed) {
    for (path, json_type) in &committed.new_drift {
        warn!(
            path,
            json_type,
            remedy = "nothing is lost, its values are in the column extra; look for a newer version that has a column for it",
            "the API sends a field that is not known"
        );
    }
    if let Some(moved) = &committed.moved {
        error!(
            minutes = moved.minutes,
            stored = moved.stored,
            kept = moved.kept.len(),
            remedy = ProblemCode::TimeZone.problem().remedy,
            "the starts of sessions have moved by whole quarter hours since they were last read"
        );
    }
    if committed.resolved > 0 {
        info!(
            resolved = committed.resolved,
            "rejected records could be stored now"
        );
    }
}

pub(in crate::sync) fn is_a_second(window: Window) -> bool {
    window.seconds() <= 1
}
