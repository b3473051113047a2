//! One engine per account, while it holds the lease. Windows are read in parallel and written one after the
//! other, by tasks that it never awaits inline.

mod begin;
mod close;
mod findings;
mod look;
mod outcome;
mod read;
mod refused;
mod source;
mod write;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::extract::{LAST_OFFSET, Priority};
use crate::failpoint;
use crate::ledger::LoadError;
use crate::ledger::accounts::History;
use crate::ledger::runs::Kind;
use crate::time::{Pulse, Window};

use super::account::{AccountContext, HeldLease};
use super::joined;
use super::plan::Model;
use super::read::{ApiProfile, Knowledge};
use super::report::RunReport;
use super::time_zone::TimeZoneCheck;

pub(super) use begin::work;
use close::Closed;
use look::Look;
use read::Found;
pub(super) use read::{Fetched, WindowRows, WindowSource};
use source::{Source, SourceId};
pub(super) use write::{Fetch, WindowReport, Writer, is_a_second};

/// The head may always have one more. Each holds its records in memory.
pub(super) const WINDOWS_IN_FLIGHT: usize = 3;

/// Rows take several times the memory of text: one window is transformed while another is written.
const WINDOWS_AS_ROWS: usize = 2;

pub(super) const REQUESTS_OF_A_WINDOW: u64 = LAST_OFFSET as u64 + 1;

/// One in these goes to whoever waits longest, or a large account would never refresh its 30 days.
const TURN_OF_THE_LONGEST_WAIT: u64 = 10;

/// After these, the API or the network is down.
const FAILURES_IN_A_ROW: usize = 3;

const REST_AFTER_FAILURES: Duration = Duration::from_secs(300);

/// A run must not spend days on finding gaps.
const GAPS_IN_A_RUN: usize = 20;

/// An interaction that changes all the time must not use up the budget.
const MOST_READ_AGAIN: usize = 10;

const FIRST_REST: Duration = Duration::from_secs(60);
const RESTS_OF_A_REQUEST: u32 = 3;

const LOOK_EVERY: Duration = Duration::from_secs(5);

const BEAT_EVERY: Duration = Duration::from_secs(1);

const NOTE_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) enum Goal {
    /// All there is and what comes due, until stopped. Waking it is a hint: it also looks by itself.
    Serve(Arc<Notify>),
    Everything(Kind),
    /// This request, and the head meanwhile.
    Request(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Finished,
    Rests,
    Stopped,
    HandedOver,
}

#[derive(Debug)]
struct Flight {
    source: SourceId,
    priority: Priority,
    fetch: Fetch,
    span: Span,
}

type ReadTask = (Fetch, Knowledge, Result<Found, LoadError>);

type Opened = (SourceId, i64, DateTime<Utc>);

#[derive(Debug)]
enum Effect {
    Drained(Vec<DateTime<Utc>>),
    Overflowed(Option<u64>, Vec<DateTime<Utc>>),
    Drifted,
    PartOff(Window),
    Gap,
    /// Not tried again by this run.
    Tried,
    /// The queue is right already.
    Nothing,
}

enum Written {
    Window {
        flight: Flight,
        effect: Effect,
        report: Result<WindowReport, LoadError>,
    },
    Closed(Closed),
}

pub(super) struct Engine {
    account: AccountContext,
    held: HeldLease,
    goal: Goal,
    stop: CancellationToken,
    pulse: Arc<Pulse>,
    profile: ApiProfile,
    room_for_rows: Arc<Semaphore>,
    known_profile: ApiProfile,
    model: Model,
    time_zone: TimeZoneCheck,
    kept_from: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
    filled_until: DateTime<Utc>,
    history: Option<History>,
    /// The head is first.
    sources: Vec<Source>,
    gaps: Vec<Window>,
    reads: JoinSet<ReadTask>,
    in_flight: HashMap<Id, Flight>,
    read: VecDeque<(Flight, Result<Found, LoadError>)>,
    writes: JoinSet<Written>,
    opens: JoinSet<Result<Opened, LoadError>>,
    looks: JoinSet<Result<Look, LoadError>>,
    is_look_due: bool,
    head_is_done: bool,
    looked_at: Option<DateTime<Utc>>,
    windows_begun: u64,
    windows_written: u64,
    failures_in_a_row: usize,
    rests_until: Option<Instant>,
    goal_has_ended: bool,
    report: RunReport,
    others: RunReport,
}

impl Engine {
    async fn run(mut self) -> RunReport {
        let worked = loop {
            let worked = self.work().await;
            let wound_up = self.wind_up(&worked).await;
            match (worked, &self.goal, wound_up) {
                (Ok(Why::Rests), Goal::Serve(_), Ok(())) => {
                    let until = Instant::now() + REST_AFTER_FAILURES;
                    self.rests_until = Some(until);
                    self.failures_in_a_row = 0;
                }
                (Err(error), ..) | (Ok(_), _, Err(error)) => break Err(error),
                (Ok(why), ..) => break Ok(why),
            }
        };
        self.held.release().await;
        failpoint::reach("run.released");
        let mut report = match &worked {
            Ok(Why::Finished) => self.report,
            // The goal was perhaps not begun.
            Ok(_) => self.report.and(self.others),
            Err(error) => self.report.and(RunReport::not_begun(self.account.name(), error)),
        };
        match worked {
            Ok(Why::Stopped) => report.interrupted("told to stop"),
            Ok(Why::HandedOver) => report.hand_over(),
            _ => {}
        }
        report
    }

    async fn work(&mut self) -> Result<Why, LoadError> {
        let (mut looks, mut notes, mut beats) = (every(LOOK_EVERY), every(NOTE_EVERY), every(BEAT_EVERY));
        let wake = match &self.goal {
            Goal::Serve(wake) => Arc::clone(wake),
            _ => Arc::default(),
        };
        let hands_over = !matches!(self.goal, Goal::Serve(_));
        loop {
            self.begin_look();
            self.begin_windows();
            self.begin_write();
            if self.is_finished() {
                return Ok(Why::Finished);
            }
            tokio::select! {
                biased;
                () = self.held.lost.cancelled() => return Err(LoadError::LeaseLost),
                () = self.stop.cancelled() => return Ok(Why::Stopped),
                () = self.held.awaited.cancelled(), if hands_over => return Ok(Why::HandedOver),
                Some(written) = self.writes.join_next() => if self.was_written(joined(written))? {
                    return Ok(Why::Rests);
                },
                Some(read) = self.reads.join_next_with_id() => self.was_read(read),
                Some(opened) = self.opens.join_next() => self.was_opened(joined(opened))?,
                Some(look) = self.looks.join_next() => {
                    let look = joined(look)?;
                    self.pulse.beat();
                    self.take_in(look);
                }
                () = wake.notified() => self.is_look_due = true,
                _ = looks.tick() => self.is_look_due = true,
                // Requests have timeouts of their own.
                _ = beats.tick() => if self.writes.is_empty() && self.opens.is_empty() && self.looks.is_empty() {
                    self.pulse.beat();
                },
                _ = notes.tick() => self.note_progress(),
            }
        }
    }

    fn is_finished(&self) -> bool {
        match &self.goal {
            Goal::Serve(_) => false,
            Goal::Request(_) => self.goal_has_ended,
            Goal::Everything(_) => {
                self.head_is_done
                    && self.sources.len() == 1
                    && self.in_flight.is_empty()
                    && self.writes.is_empty()
            }
        }
    }

    fn place(&self, id: SourceId) -> Option<usize> {
        self.sources.iter().position(|source| source.id() == id)
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
