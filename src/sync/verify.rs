//! Compares stored data with the API by day. Totals come first: the API may filter by start, end or overlap,
//! so our counts must fit every open reading. Otherwise a day is compared by identity. A total shows no
//! changes.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::extract::{Narrowing, Page, PageRequest, Priority, Tally};
use crate::ledger::problems::Problem;
use crate::ledger::runs::{self, Kind, NewRun, OpenRun};
use crate::ledger::{ComparedWindow, Counters, LoadError, Status, record_compared};
use crate::telemetry;
use crate::time::window::Window;
use crate::warehouse::compare::{self, Basis, Crossing, Membership};
use crate::warehouse::left_out;

use super::comparison::{DayComparison, Method};
use super::drain::ReadError;
use super::failure::read_problem;
use super::headway::Headway;
use super::identity::DayReading;
use super::lease::Held;
use super::plan::head;
use super::report::{Progress, RunReport};
use super::run::{AccountWorker, DEFAULT_START};
use super::traits::NumResults;
use super::window::counters;

/// Readings that fit this many fewer days are excluded.
const DAYS_THAT_RULE_OUT: usize = 3;

/// A resumable verification.
#[derive(Debug)]
pub struct Verification {
    range: Window,
    is_cut: bool,
    by_identity: bool,
    pub(super) days: Vec<Day>,
}

#[derive(Debug)]
pub(super) struct Day {
    pub(super) window: Window,
    counted: Option<Counted>,
    /// A dense day outlasts a poll's wait.
    pub(super) reading: Option<DayReading>,
    compared: Option<DayComparison>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    total: Option<u64>,
    stored: [u64; Membership::ALL.len()],
}

impl Verification {
    /// Splits the range into UTC days.
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

    /// The range, cut to what is loaded.
    pub fn range(&self) -> Window {
        self.range
    }

    /// Later data would differ. If nothing is loaded, everything does.
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

    /// Compares every day by identity.
    pub fn demand_identity(&mut self) {
        self.by_identity = true;
    }

    /// Days left.
    pub fn left(&self) -> usize {
        self.days.iter().filter(|day| day.compared.is_none()).count()
    }

    /// Oldest first.
    pub fn compared(&self) -> impl Iterator<Item = &DayComparison> {
        self.days.iter().filter_map(|day| day.compared.as_ref())
    }

    /// Forgets days that differ.
    pub fn compare_again(&mut self) {
        for day in &mut self.days {
            if day.compared.take_if(|compared| compared.differs()).is_some() {
                day.counted = None;
            }
        }
    }

    /// One day may fit by chance, so several days exclude a reading.
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
    /// Compares what is left; it yields, to be called again.
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
            policy: None,
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
        let problem = page.as_ref().err().map(read_problem);
        let page = page.ok();
        let total = page
            .as_ref()
            .and_then(|page| total_of(page, traits.gives_totals()));
        let shown = page.map_or(0, |page| page.records.len() as u64);
        let spent = Spent {
            window: day,
            status: if problem.is_none() {
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
            problem: problem.as_ref(),
        };
        self.book(&spent, progress).await?;
        if let Some(problem) = problem {
            progress.not_compared(day, problem);
            return Ok(None);
        }
        Ok(Some(Counted { total, stored }))
    }

    pub(super) async fn book(&self, spent: &Spent<'_>, progress: &mut Progress) -> Result<(), LoadError> {
        let compared = ComparedWindow {
            lease: &self.held.lease,
            run_id: self.run.id,
            window: spent.window,
            status: spent.status,
            counters: spent.counters,
            reported_total: spent.reported_total,
            started_at: spent.started_at,
            problem: spent.problem,
        };
        record_compared(&self.worker.pool, &compared).await?;
        progress.counters += spent.counters;
        Ok(())
    }
}

pub(super) struct Spent<'a> {
    pub(super) window: Window,
    pub(super) status: Status,
    pub(super) counters: Counters,
    pub(super) reported_total: Option<u64>,
    pub(super) started_at: DateTime<Utc>,
    pub(super) problem: Option<&'a Problem>,
}

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

fn by_total(day: Window, counted: Counted, readings: &[usize]) -> Option<DayComparison> {
    let total = counted.total?;
    let fits = readings.iter().all(|place| counted.stored[*place] == total);
    fits.then(|| DayComparison {
        api: total,
        stored: total,
        ..DayComparison::of(day, Method::Total)
    })
}

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
