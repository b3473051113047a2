//! Compares stored days with the API, for `verify`. Totals come first. The API may filter by start, end or
//! overlap, so our counts must fit every possible basis; otherwise the day is compared by identity. A total
//! shows no changes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tracing::{error, info};
use uuid::Uuid;

use crate::extract::{ApiError, Narrowing, Page, PageRequest};
use crate::ledger::gaps;
use crate::ledger::problems::{Problem, ProblemCode};
use crate::ledger::{Counters, LoadError, Status, requests};
use crate::telemetry::instant;
use crate::time::window::Window;
use crate::transform::Interaction;
use crate::warehouse::compare::{self, Basis, Crossing};
use crate::warehouse::left_out;

use super::comparison::{DayComparison, Method};
use super::engine::{Fetch, Fetched, WindowReport, WindowRows, WindowSource, Writer, is_a_second};
use super::plan::{Model, Next, Planned, Queue};
use super::read::{Knowledge, NumResults, ReadError, Verdict};
use super::report::{ELSEWHERE, STRAYS, WindowFailure, read_problem};

/// A basis that fits this many fewer days is excluded: one day may fit by chance.
const DAYS_THAT_RULE_OUT: usize = 3;

pub(super) struct Comparing<'a> {
    source: &'a WindowSource,
    known: &'a mut Knowledge,
    writer: Writer,
    model: Model,
    /// Its tally counts all requests.
    whole: Fetch,
    request: i64,
    booked: Counters,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    day: Window,
    total: Option<u64>,
    stored: [u64; Basis::ALL.len()],
}

#[derive(Debug, Default)]
struct ReturnedDay {
    hashes: BTreeMap<Uuid, Vec<u8>>,
    rejected: HashSet<[u8; 32]>,
    crossing: Crossing,
    problem: Option<String>,
}

impl ReturnedDay {
    fn add(&mut self, day: Window, rows: WindowRows) {
        for interaction in rows.interactions.values() {
            let session = &interaction.rows.session;
            self.crossing.into |= session.session_started_at < day.start;
            self.crossing.out_of |= session.session_started_at < day.end
                && session.session_ended_at.is_none_or(|ended| ended > day.end);
        }
        let hash = |interaction: &Interaction| (interaction.key, interaction.content_hash.to_vec());
        self.hashes.extend(rows.interactions.values().map(hash));
        self.rejected.extend(rows.rejected.into_keys());
    }
}

/// What ends the comparison.
enum Ends {
    Database(LoadError),
    Api(WindowFailure),
}

impl From<LoadError> for Ends {
    fn from(error: LoadError) -> Self {
        Self::Database(error)
    }
}

impl<'a> Comparing<'a> {
    pub(super) fn new(
        (source, known): (&'a WindowSource, &'a mut Knowledge),
        writer: Writer,
        model: Model,
        whole: Fetch,
        request: i64,
    ) -> Self {
        Self {
            source,
            known,
            writer,
            model,
            whole,
            request,
            booked: Counters::default(),
        }
    }

    /// Notes each day at once, so that a failure keeps the others.
    pub(super) async fn all(mut self, days: &[Window], by_identity: bool) -> Result<WindowReport, LoadError> {
        let failure = match self.compare(days, by_identity).await {
            Ok(()) => None,
            Err(Ends::Api(failure)) => Some(failure),
            Err(Ends::Database(error)) => return Err(error),
        };
        Ok(WindowReport {
            counters: self.booked,
            failure,
            ..WindowReport::default()
        })
    }

    async fn compare(&mut self, days: &[Window], by_identity: bool) -> Result<(), Ends> {
        let mut counted = Vec::new();
        for day in days {
            counted.push(if by_identity {
                Counted {
                    day: *day,
                    total: None,
                    stored: [0; Basis::ALL.len()],
                }
            } else {
                self.count(*day).await?
            });
        }
        let possible = possible_bases(&counted);
        for day in &counted {
            let compared = match by_total(day, &possible) {
                Some(equal) => equal,
                None => self.by_identity(day.day, crossing(&possible)).await?,
            };
            log_difference(&compared);
            let found = serde_json::to_value(&compared).unwrap_or_default();
            let (pool, lease) = (&self.writer.account.pool, &self.writer.lease);
            requests::compared(pool, lease, self.request, day.day, &found).await?;
        }
        Ok(())
    }

    async fn count(&mut self, day: Window) -> Result<Counted, Ends> {
        let account = &self.writer.account;
        let stored = compare::counts(&account.pool, account.account_id(), day).await?;
        let gives_totals = self.known.profile.gives_totals();
        if !matches!(self.known.profile.num_results, None | Some(NumResults::Total)) {
            return Ok(Counted {
                day,
                total: None,
                stored,
            });
        }
        let request = PageRequest {
            window: day,
            offset: 0,
            limit: 1,
            narrowing: &Narrowing::NONE,
            priority: self.source.priority,
        };
        let fetch = self.part(Planned::whole(day));
        let page = account.api.page(&request, &fetch.tally).await;
        let total = page.as_ref().ok().and_then(|page| total_of(page, gives_totals));
        let shown = page.as_ref().map_or(0, |page| page.records.len() as u64);
        let failure = page.err().map(|error| WindowFailure::of_reading(&error.into()));
        let status = if failure.is_some() {
            Status::Failed
        } else {
            Status::Compared
        };
        let problem = failure.as_ref().map(|failure| &failure.problem);
        self.record(&fetch, status, total.unwrap_or(shown), (total, problem))
            .await?;
        match failure {
            None => Ok(Counted { day, total, stored }),
            Some(failure) => Err(not_compared(day, failure)),
        }
    }

    async fn by_identity(&mut self, day: Window, known: Crossing) -> Result<DayComparison, Ends> {
        let returned = self.read_day(day).await?;
        let account = &self.writer.account;
        let keys: Vec<Uuid> = returned.hashes.keys().copied().collect();
        let versions = compare::versions(&account.pool, &keys).await?;
        let crossing = Crossing {
            into: known.into || returned.crossing.into,
            out_of: known.out_of || returned.crossing.out_of,
        };
        let must_return = compare::must_return(&account.pool, account.account_id(), day, crossing).await?;
        let mut comparison = DayComparison {
            api: returned.hashes.len() as u64,
            rejected: returned.rejected.len() as u64,
            ..DayComparison::of(day, Method::Identity)
        };
        for (key, hash) in &returned.hashes {
            match versions.get(key) {
                None => comparison.not_stored += 1,
                Some(version) if version.content_hash != *hash || version.is_missing => {
                    comparison.changed += 1;
                }
                Some(_) => {}
            }
        }
        comparison.stored = comparison.api - comparison.not_stored;
        // Unread records would look deleted.
        if returned.problem.is_none() && returned.rejected.is_empty() {
            let gone = must_return
                .iter()
                .filter(|key| !returned.hashes.contains_key(*key));
            comparison.not_returned = gone.count() as u64;
        }
        comparison.problem = returned.problem;
        Ok(comparison)
    }

    async fn read_day(&mut self, day: Window) -> Result<ReturnedDay, Ends> {
        let mut queue = Queue::of(&[day], &[], &self.model);
        let mut returned = ReturnedDay::default();
        while returned.problem.is_none() {
            let Next::Read(planned) = queue.next(&self.model, 0) else {
                break;
            };
            match self.read_window(planned).await? {
                Ok(mut fetched) => {
                    let account = &self.writer.account;
                    let limits = account.limits_of_storing(self.writer.kept_from);
                    left_out::take_out(&account.pool, &limits, &mut fetched.rows.interactions).await?;
                    self.take_in(&mut queue, planned, &fetched, &mut returned.problem);
                    returned.add(day, fetched.rows);
                }
                Err(error @ (ReadError::Withheld { .. } | ReadError::Api(ApiError::TooLarge { .. }))) => {
                    returned.problem = Some(read_problem(&error).text);
                }
                Err(error) => return Err(not_compared(day, WindowFailure::of_reading(&error))),
            }
        }
        Ok(returned)
    }

    fn take_in(
        &mut self,
        queue: &mut Queue,
        planned: Planned,
        Fetched { reading, rows, .. }: &Fetched,
        problem: &mut Option<String>,
    ) {
        let starts = rows.starts();
        match reading.verdict {
            Verdict::Drained => self.model.drained(planned.window, &starts),
            verdict if is_at_end(planned.window, verdict) => {
                *problem = Some(unreadable(planned.window, verdict).text);
            }
            Verdict::Overflow => queue.overflowed(&mut self.model, planned, reading.reported_total, &starts),
            _ => queue.drifted(planned.window),
        }
    }

    async fn read_window(&mut self, planned: Planned) -> Result<Result<Fetched, ReadError>, LoadError> {
        let fetch = self.part(planned);
        let read = self.source.read(&fetch, self.known).await;
        let status = if read.is_ok() {
            Status::Compared
        } else {
            Status::Failed
        };
        let problem = match &read {
            Ok(Fetched { reading, .. }) if is_at_end(planned.window, reading.verdict) => {
                Some(unreadable(planned.window, reading.verdict))
            }
            Ok(_) => None,
            Err(error) => Some(read_problem(error)),
        };
        let reading = read.as_ref().ok().map(|fetched| &fetched.reading);
        let records = reading.map_or(0, |reading| reading.distinct_records);
        let total = reading.and_then(|reading| reading.reported_total);
        self.record(&fetch, status, records, (total, problem.as_ref()))
            .await?;
        Ok(read)
    }

    fn part(&self, planned: Planned) -> Fetch {
        let pulse = Arc::clone(self.whole.tally.pulse());
        let mut fetch = Fetch::begin(planned, self.writer.account.clock.now(), pulse);
        fetch.began_at = self.whole.began_at;
        fetch
    }

    async fn record(
        &mut self,
        fetch: &Fetch,
        status: Status,
        distinct_records: u64,
        (reported_total, problem): (Option<u64>, Option<&Problem>),
    ) -> Result<(), LoadError> {
        let counters = Counters {
            distinct_records,
            ..fetch.counters()
        };
        self.booked += counters;
        self.whole.tally.add(&fetch.tally);
        self.writer
            .record_unstored(fetch, (status, counters), reported_total, problem)
            .await
    }
}

fn not_compared(day: Window, failure: WindowFailure) -> Ends {
    let Problem {
        text: error, remedy, ..
    } = &failure.problem;
    error!(%day, error, remedy, "a day could not be compared");
    Ends::Api(failure)
}

fn total_of(page: &Page, gives_totals: bool) -> Option<u64> {
    let shown = page.records.len() as u64;
    match page.reported {
        Some(reported) if reported > shown || gives_totals => Some(reported),
        _ if shown == 0 => Some(0),
        _ => None,
    }
}

/// Those that fit about as many days as the best one.
fn possible_bases(counted: &[Counted]) -> Vec<usize> {
    let fits = |place: usize| {
        let fitting = counted.iter().filter(|day| day.total == Some(day.stored[place]));
        fitting.count()
    };
    let fitting: [usize; Basis::ALL.len()] = std::array::from_fn(fits);
    let best = fitting.iter().max().copied().unwrap_or(0);
    (0..fitting.len())
        .filter(|place| fitting[*place] + DAYS_THAT_RULE_OUT > best)
        .collect()
}

fn by_total(counted: &Counted, possible: &[usize]) -> Option<DayComparison> {
    let total = counted.total?;
    let fits = possible.iter().all(|place| counted.stored[*place] == total);
    fits.then(|| DayComparison {
        api: total,
        stored: total,
        ..DayComparison::of(counted.day, Method::Total)
    })
}

fn crossing(possible: &[usize]) -> Crossing {
    let is_excluded = |basis: Basis| possible.iter().all(|place| Basis::ALL[*place] != basis);
    Crossing {
        into: is_excluded(Basis::Start),
        out_of: is_excluded(Basis::End),
    }
}

fn is_at_end(window: Window, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Drained => false,
        Verdict::Elsewhere | Verdict::Strays => true,
        Verdict::Overflow | Verdict::Inconsistent => is_a_second(window),
    }
}

/// The rest of the day is skipped: such seconds cost dozens of requests each.
fn unreadable(second: Window, verdict: Verdict) -> Problem {
    let at = instant(second.start);
    match verdict {
        Verdict::Elsewhere => ProblemCode::RecordsOutsideWindow.saying(ELSEWHERE),
        Verdict::Strays => ProblemCode::ElementsWithoutId.saying(STRAYS),
        Verdict::Inconsistent => gaps::problem(format!(
            "records of the second at {at} shift each time that it is read"
        )),
        Verdict::Drained | Verdict::Overflow => gaps::problem(format!(
            "the second at {at} holds more records than the API shows"
        )),
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
