//! Comparing what is stored with what the API has, day by day.
//!
//! Where the API gives totals, a day costs one request: its total against our count. Which
//! sessions belong to a day is for the API to say (by start, by end or by overlap; its end included or
//! not), so our count is made under each reading, and a day is equal if it fits under all that
//! the other days leave open. Any other day is read whole and compared by identity, as are all
//! days without totals. A total does not show that an interaction has changed.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::extract::{Narrowing, Page, PageRequest, Priority, Tally};
use crate::ledger::runs::{self, Kind, NewRun, OpenRun};
use crate::ledger::{ComparedWindow, Counters, LoadError, Status, record_compared};
use crate::telemetry;
use crate::time::window::Window;
use crate::warehouse::compare::{self, Basis, Crossing, Membership};
use crate::warehouse::left_out;

use super::comparison::{DayComparison, Method};
use super::drain::ReadError;
use super::failure::WindowFailure;
use super::headway::Headway;
use super::identity::DayReading;
use super::lease::Held;
use super::plan::head;
use super::report::{Progress, RunReport};
use super::run::{AccountWorker, DEFAULT_START};
use super::traits::NumResults;
use super::window::counters;

/// A reading is ruled out once so many days more fit under another one.
const DAYS_THAT_RULE_OUT: usize = 3;

/// A range that is being verified. It remembers what was compared, so that it can be gone on
/// with after the daemon has had its turn.
#[derive(Debug)]
pub struct Verification {
    range: Window,
    /// Whether the range was cut to what is loaded.
    is_cut: bool,
    /// Whether totals are left aside.
    by_identity: bool,
    pub(super) days: Vec<Day>,
}

#[derive(Debug)]
pub(super) struct Day {
    pub(super) window: Window,
    /// What the API and we count; `None` until asked.
    counted: Option<Counted>,
    /// What was read of it so far, where it has to be read whole: a dense day takes longer than a
    /// poll waits.
    pub(super) reading: Option<DayReading>,
    compared: Option<DayComparison>,
}

/// The API's total of a day, where it gives one, and our counts under each reading.
#[derive(Debug, Clone, Copy)]
struct Counted {
    total: Option<u64>,
    stored: [u64; Membership::ALL.len()],
}

impl Verification {
    /// Days of UTC that together are `range`.
    pub fn of(range: Window) -> Self {
        let mut days = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let midnight = (start.date_naive() + Days::new(1))
                .and_time(NaiveTime::MIN)
                .and_utc();
            let window = Window {
                start,
                end: midnight.min(range.end),
            };
            days.push(Day {
                window,
                counted: None,
                reading: None,
                compared: None,
            });
            start = window.end;
        }
        Self {
            range,
            is_cut: false,
            by_identity: false,
            days,
        }
    }

    /// What is compared: once begun, as far as it is loaded.
    pub fn range(&self) -> Window {
        self.range
    }

    /// Leaves out what lies after `loaded`, once: what was not polled yet would be called a
    /// difference. Where nothing of the range is loaded, all of it is one.
    fn cut(&mut self, loaded: Option<DateTime<Utc>>) {
        let was_cut = std::mem::replace(&mut self.is_cut, true);
        let within = |end: &DateTime<Utc>| (self.range.start < *end) && (*end < self.range.end);
        let Some(end) = loaded.filter(within).filter(|_| !was_cut) else {
            return;
        };
        info!(
            to = telemetry::instant(self.range.end),
            cut_to = telemetry::instant(end),
            "the range reaches past what is loaded, it is cut"
        );
        *self = Self {
            is_cut: true,
            by_identity: self.by_identity,
            ..Self::of(Window { end, ..self.range })
        };
    }

    /// Has every day read whole, whatever totals the API gives.
    pub fn demand_identity(&mut self) {
        self.by_identity = true;
    }

    /// Days that are still to be compared.
    pub fn left(&self) -> usize {
        self.days.iter().filter(|day| day.compared.is_none()).count()
    }

    /// What was compared so far, oldest first.
    pub fn compared(&self) -> impl Iterator<Item = &DayComparison> {
        self.days.iter().filter_map(|day| day.compared.as_ref())
    }

    /// Forgets the days that differ, so that they are compared again, from their counts on.
    pub fn compare_again(&mut self) {
        for day in &mut self.days {
            if day.compared.take_if(|compared| compared.differs()).is_some() {
                day.counted = None;
            }
        }
    }

    /// The readings that the days leave open, as places in [`Membership::ALL`]. A difference can
    /// make another reading fit a day by chance, so one is ruled out only where several days more
    /// fit under the best.
    fn readings(&self) -> Vec<usize> {
        let counted = || self.days.iter().filter_map(|day| day.counted);
        let fits = |place: usize| {
            counted()
                .filter(|counted| counted.total == Some(counted.stored[place]))
                .count()
        };
        let fitting: [usize; Membership::ALL.len()] = std::array::from_fn(fits);
        let best = fitting.iter().max().copied().unwrap_or(0);
        (0..fitting.len())
            .filter(|place| fitting[*place] + DAYS_THAT_RULE_OUT > best)
            .collect()
    }
}

impl AccountWorker {
    /// Compares what of the range was not compared yet. It gives way to a live daemon, and is gone
    /// on with by another call then.
    pub async fn verify(&self, verification: &mut Verification, stop: &CancellationToken) -> RunReport {
        let run = Box::pin(self.verify_under_lease(verification, stop));
        self.watch(Kind::Verify, true, run).await
    }

    async fn verify_under_lease(
        &self,
        verification: &mut Verification,
        stop: &CancellationToken,
    ) -> Result<Option<RunReport>, LoadError> {
        let Some(held) = self.hold_lease(true, stop).await? else {
            return Ok(None);
        };
        let report = self.verify_in_books(&held, verification, stop).await;
        self.lease.release(held, &self.pool).await;
        report.map(Some)
    }

    async fn verify_in_books(
        &self,
        held: &Arc<Held>,
        verification: &mut Verification,
        stop: &CancellationToken,
    ) -> Result<RunReport, LoadError> {
        self.reckon_retention().await?;
        left_out::check_key(&self.pool, self.settings.policy.key.as_ref()).await?;
        self.learn_what_others_spent().await?;
        self.learn_from_books(&held.lease.account_id).await?;
        verification.cut(compare::loaded_until(&self.pool, &held.lease.account_id).await?);
        let at = self.clock.now();
        let new = NewRun {
            lease: &held.lease,
            kind: Kind::Verify,
            account: self.api.account(),
            default_start: head(at - DEFAULT_START, std::time::Duration::ZERO),
            kept_from: self.kept_from(),
            at,
            range: Some(verification.range),
            read_since: None,
        };
        let account = runs::prepare(&self.pool, &new).await?;
        let run = runs::open(&self.pool, &new, account).await?;
        tracing::Span::current().record("run_id", run.id);
        let mut progress = Progress::from(run.watermark);
        let comparing = Comparing {
            worker: self,
            held,
            run: &run,
            stop,
        };
        if let Err(error) = comparing.all(verification, &mut progress).await {
            progress.ended_by(&error);
        }
        self.close_books(&run, &progress).await;
        Ok(progress.into_report(run.watermark))
    }
}

/// A slice of a verification, between taking the lease and giving it back.
pub(super) struct Comparing<'a> {
    pub(super) worker: &'a AccountWorker,
    pub(super) held: &'a Held,
    pub(super) run: &'a OpenRun,
    pub(super) stop: &'a CancellationToken,
}

impl Comparing<'_> {
    async fn all(&self, verification: &mut Verification, progress: &mut Progress) -> Result<(), LoadError> {
        for place in 0..verification.days.len() {
            if !verification.by_identity && verification.days[place].counted.is_none() {
                if self.ends(progress).await? {
                    return Ok(());
                }
                let counted = self.count(verification.days[place].window, progress).await?;
                let Some(counted) = counted else { return Ok(()) };
                verification.days[place].counted = Some(counted);
                self.publish_headway(verification, progress);
            }
        }
        let readings = verification.readings();
        for place in 0..verification.days.len() {
            self.publish_headway(verification, progress);
            let day = &verification.days[place];
            if day.compared.is_some() {
                continue;
            }
            let by_total = day
                .counted
                .and_then(|counted| by_total(day.window, counted, &readings));
            let compared = match by_total {
                Some(equal) => equal,
                None => {
                    let compared = self.by_identity(verification, place, crossing(&readings), progress);
                    let Some(compared) = compared.await? else {
                        return Ok(());
                    };
                    compared
                }
            };
            log_difference(&compared);
            verification.days[place].compared = Some(compared);
        }
        Ok(())
    }

    /// A request at least for each day that is still to be counted or read.
    pub(super) fn publish_headway(&self, verification: &Verification, progress: &Progress) {
        let left = verification.days.iter().map(|day| {
            let to_read = day.reading.as_ref().map_or(1, DayReading::requests_left);
            u64::from(day.counted.is_none()) + if day.compared.is_none() { to_read } else { 0 }
        });
        let headway = Headway {
            counters: progress.counters,
            requests_left: left.sum(),
        };
        self.worker.headway.send_replace(Some(headway));
    }

    /// Whether somebody waits for the account, or we are told to stop.
    pub(super) async fn ends(&self, progress: &mut Progress) -> Result<bool, LoadError> {
        if self.held.lost.is_cancelled() {
            return Err(LoadError::LeaseLost);
        }
        if self.stop.is_cancelled() {
            progress.interrupted("told to stop");
            return Ok(true);
        }
        if self.held.lease.is_awaited(&self.worker.pool).await? {
            progress.give_way();
            return Ok(true);
        }
        Ok(false)
    }

    /// Counts a day on both sides: one request where totals may be given, none where they are
    /// known not to be. `None` where the API failed.
    async fn count(&self, day: Window, progress: &mut Progress) -> Result<Option<Counted>, LoadError> {
        let account_id = &self.held.lease.account_id;
        let stored = compare::counts(&self.worker.pool, account_id, day).await?;
        let traits = self.worker.traits.get();
        let may_tell = matches!(traits.num_results, None | Some(NumResults::Total));
        if !may_tell {
            return Ok(Some(Counted { total: None, stored }));
        }
        let started_at = self.worker.clock.now();
        let tally = Tally::default();
        let request = PageRequest {
            window: day,
            offset: 0,
            limit: 1,
            narrowing: &Narrowing::NONE,
            priority: Priority::Backfill,
        };
        let page = self
            .worker
            .api
            .page(&request, &tally)
            .await
            .map_err(ReadError::from);
        let failure = page.as_ref().err().map(WindowFailure::of_reading);
        let page = page.ok();
        let total = page
            .as_ref()
            .and_then(|page| total_of(page, traits.gives_totals()));
        let shown = page.map_or(0, |page| page.records.len() as u64);
        let spent = Spent {
            window: day,
            status: if failure.is_none() {
                Status::Drained
            } else {
                Status::Failed
            },
            counters: Counters {
                distinct_records: total.unwrap_or(shown),
                ..counters(&tally)
            },
            reported_total: total,
            started_at,
            error: failure.as_ref().map(|failure| failure.error.as_str()),
        };
        self.book(&spent, progress).await?;
        if let Some(failure) = failure {
            progress.not_compared(day, failure);
            return Ok(None);
        }
        Ok(Some(Counted { total, stored }))
    }

    /// Takes requests into the books, whatever came of them: they are spent.
    pub(super) async fn book(&self, spent: &Spent<'_>, progress: &mut Progress) -> Result<(), LoadError> {
        let compared = ComparedWindow {
            lease: &self.held.lease,
            run_id: self.run.id,
            window: spent.window,
            status: spent.status,
            counters: spent.counters,
            reported_total: spent.reported_total,
            started_at: spent.started_at,
            error: spent.error,
        };
        record_compared(&self.worker.pool, &compared).await?;
        progress.counters += spent.counters;
        Ok(())
    }
}

/// What counting a day or reading a window of it came to, for the books.
pub(super) struct Spent<'a> {
    pub(super) window: Window,
    pub(super) status: Status,
    pub(super) counters: Counters,
    pub(super) reported_total: Option<u64>,
    pub(super) started_at: DateTime<Utc>,
    pub(super) error: Option<&'a str>,
}

/// How many records a window has by a page of one record at most, where that tells.
fn total_of(page: &Page, gives_totals: bool) -> Option<u64> {
    let shown = page.records.len() as u64;
    match page.reported {
        Some(reported) if reported > shown || gives_totals => Some(reported),
        _ if shown == 0 => Some(0),
        _ => None,
    }
}

fn log_difference(compared: &DayComparison) {
    if !compared.differs() {
        return;
    }
    let day = Window {
        start: compared.from,
        end: compared.to,
    };
    info!(
        %day,
        api = compared.api,
        stored = compared.stored,
        not_stored = compared.not_stored,
        not_returned = compared.not_returned,
        changed = compared.changed,
        "day differs"
    );
}

/// The comparison of a day whose total is our count, whatever the reading; `None` where it has to
/// be looked at.
fn by_total(day: Window, counted: Counted, readings: &[usize]) -> Option<DayComparison> {
    let total = counted.total?;
    let fits = readings.iter().all(|place| counted.stored[*place] == total);
    fits.then(|| DayComparison {
        api: total,
        stored: total,
        ..DayComparison::of(day, Method::Total)
    })
}

/// What all of the readings return with a day although it lies only partly in it.
fn crossing(readings: &[usize]) -> Crossing {
    let none_is = |basis: Basis| {
        readings
            .iter()
            .all(|place| Membership::ALL[*place].basis != basis)
    };
    Crossing {
        into: none_is(Basis::Start),
        out_of: none_is(Basis::End),
    }
}
