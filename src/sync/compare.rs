//! Compares stored days with the API, for `verify`. A total comes first; a day that does not fit by what is
//! known of the basis is compared by identity. A total shows no changes.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracing::{error, info};
use uuid::Uuid;

use crate::extract::{ApiError, Page};
use crate::ledger::problems::Problem;
use crate::ledger::{Counters, LoadError, Status, conflict, requests};
use crate::telemetry::instant;
use crate::time::Window;
use crate::transform::{ContentHash, Ids, Interaction};
use crate::warehouse::compare::{self, Basis};
use crate::warehouse::{days, left_out};

use super::engine::{Fetch, Fetched, WindowReport, WindowRows, WindowSource, Writer, is_a_second};
use super::plan::{Model, Planned, Queue};
use super::read::{Knowledge, NumResults, Reading, Slice, Verdict};
use super::report::WindowFailure;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Total,
    #[default]
    Identity,
}

/// Counts are of interactions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayComparison {
    pub from: DateTime<Utc>,
    /// Exclusive.
    pub to: DateTime<Utc>,
    pub method: Method,
    pub api: u64,
    /// Also what the API does not return.
    pub stored: u64,
    pub not_stored: u64,
    pub not_returned: u64,
    /// Stored in another version, or marked missing.
    pub changed: u64,
    pub rejected: u64,
    pub problem: Option<String>,
}

impl DayComparison {
    pub fn differs(&self) -> bool {
        self.problem.is_some() || self.not_stored + self.not_returned + self.changed > 0
    }

    fn of(day: Window, method: Method) -> Self {
        Self {
            from: day.start,
            to: day.end,
            method,
            ..Self::default()
        }
    }
}

pub(super) struct Comparing<'a> {
    pub(super) source: &'a WindowSource,
    pub(super) known: &'a mut Knowledge,
    pub(super) writer: Writer,
    pub(super) model: Model,
    /// Its tally counts all requests.
    pub(super) whole: Fetch,
    pub(super) request: i64,
    pub(super) booked: Counters,
}

#[derive(Debug, Default)]
struct ReturnedDay {
    hashes: BTreeMap<Uuid, ContentHash>,
    rejected: HashSet<[u8; 32]>,
    ids_of_rejected: Vec<Ids>,
    of_unknown_ids: usize,
    problem: Option<String>,
}

impl ReturnedDay {
    fn add(&mut self, rows: WindowRows) {
        let hash = |interaction: &Interaction| (interaction.key, interaction.content_hash);
        self.hashes.extend(rows.interactions.values().map(hash));
        for (hash, record) in rows.rejected {
            if self.rejected.insert(hash) {
                self.of_unknown_ids += usize::from(record.key.is_none());
                self.ids_of_rejected.extend(record.ids);
            }
        }
    }
}

enum Ends {
    Database(LoadError),
    Api(WindowFailure),
}

impl From<LoadError> for Ends {
    fn from(error: LoadError) -> Self {
        Self::Database(error)
    }
}

impl Comparing<'_> {
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
        for day in days {
            let account = &self.writer.account;
            let recount = || days::recount(&account.pool, account.account_id(), *day);
            account.tell_recounted(conflict::retry(account.name(), recount).await?);
            let by_total = if by_identity {
                None
            } else {
                self.by_total(*day).await?
            };
            let compared = match by_total {
                Some(equal) => equal,
                None => self.by_identity(*day).await?,
            };
            log_difference(&compared);
            let found = serde_json::to_value(&compared).unwrap_or_default();
            let (pool, lease) = (&self.writer.account.pool, &self.writer.lease);
            if requests::compared(pool, lease, self.request, *day, &found).await? {
                break;
            }
        }
        Ok(())
    }

    /// `None`: the API gives no total, or another one.
    async fn by_total(&mut self, day: Window) -> Result<Option<DayComparison>, Ends> {
        if !matches!(self.known.profile.num_results, None | Some(NumResults::Total)) {
            return Ok(None);
        }
        let account = &self.writer.account;
        let stored = compare::counts(&account.pool, account.account_id(), day).await?;
        let gives_totals = self.known.profile.gives_totals();
        let slice = Slice::of(day, self.source.priority);
        let fetch = self.part(Planned::whole(day));
        let page = account.api.page(&slice.request(0, 1), &fetch.tally).await;
        let total = page.as_ref().ok().and_then(|page| total_of(page, gives_totals));
        let shown = page.as_ref().map_or(0, |page| page.records.len() as u64);
        let failure = page.err().map(|error| WindowFailure::of_reading(&error));
        let problem = failure.as_ref().map(|failure| &failure.problem);
        let status = status(failure.is_some());
        self.record(&fetch, status, total.unwrap_or(shown), (total, problem))
            .await?;
        if let Some(failure) = failure {
            return Err(not_compared(day, failure));
        }
        let fits = |total: &u64| match self.known.profile.basis {
            Some(Basis::Start) => stored[0] == *total,
            Some(Basis::End) => stored[1] == *total,
            Some(Basis::Overlap) => stored[2] == *total,
            None => stored == [*total; 3],
        };
        Ok(total.filter(fits).map(|total| DayComparison {
            api: total,
            stored: total,
            ..DayComparison::of(day, Method::Total)
        }))
    }

    async fn by_identity(&mut self, day: Window) -> Result<DayComparison, Ends> {
        let began_at = self.writer.account.clock.now();
        let returned = self.read_day(day).await?;
        let account = &self.writer.account;
        let keys: Vec<Uuid> = returned.hashes.keys().copied().collect();
        let versions = compare::versions(&account.pool, &keys).await?;
        let mut comparison = DayComparison {
            api: returned.hashes.len() as u64,
            rejected: returned.rejected.len() as u64,
            ..DayComparison::of(day, Method::Identity)
        };
        for (key, hash) in &returned.hashes {
            match versions.get(key) {
                None => comparison.not_stored += 1,
                // A newer one was stored meanwhile.
                Some(version) if version.last_changed_at > began_at => {}
                Some(version) if version.content_hash != *hash || version.is_missing => {
                    comparison.changed += 1;
                }
                Some(_) => {}
            }
        }
        comparison.stored = comparison.api - comparison.not_stored;
        // Unread records would look deleted.
        if returned.problem.is_none() {
            let (pool, asked) = (&account.pool, (day, self.known.profile.basis));
            let rejected = &returned.ids_of_rejected;
            let absent = compare::count_absent(pool, account.account_id(), asked, &keys, rejected).await?;
            // Each may be one of them.
            comparison.not_returned = absent.saturating_sub(returned.of_unknown_ids) as u64;
            comparison.stored += comparison.not_returned;
        }
        comparison.problem = returned.problem;
        Ok(comparison)
    }

    async fn read_day(&mut self, day: Window) -> Result<ReturnedDay, Ends> {
        let mut queue = Queue::of(&[day], &[], &self.model);
        let mut returned = ReturnedDay::default();
        while returned.problem.is_none()
            && let Some(planned) = queue.next(&self.model, 0)
        {
            let fetch = self.part(planned);
            let read = self.source.read(&fetch, self.known).await;
            let problem = match &read {
                Ok(fetched) => why_not_compared(planned.window, &fetched.reading),
                Err(error) => Some(Problem::from(error)),
            };
            let reading = read.as_ref().ok().map(|fetched| &fetched.reading);
            let records = reading.map_or(0, |reading| reading.distinct_records);
            let total = reading.and_then(|reading| reading.reported_total);
            self.record(&fetch, status(read.is_err()), records, (total, problem.as_ref()))
                .await?;
            match read {
                Ok(mut fetched) => {
                    let account = &self.writer.account;
                    let limits = account.limits_of_storing(self.writer.kept_from);
                    left_out::take_out(&account.pool, &limits, &mut fetched.rows.interactions).await?;
                    if problem.is_none() {
                        self.go_on(&mut queue, planned, &fetched);
                    }
                    returned.add(fetched.rows);
                }
                Err(ApiError::Withheld { .. } | ApiError::TooLarge { .. }) => {}
                Err(error) => return Err(not_compared(day, WindowFailure::of_reading(&error))),
            }
            returned.problem = problem.map(|problem| problem.text);
        }
        Ok(returned)
    }

    fn go_on(&mut self, queue: &mut Queue, planned: Planned, Fetched { reading, rows, .. }: &Fetched) {
        let starts = rows.starts();
        match reading.verdict {
            Verdict::Drained => self.model.drained(planned.window, &starts),
            Verdict::Overflow => queue.overflowed(&mut self.model, planned, reading.reported_total, &starts),
            _ => queue.drifted(planned.window),
        }
    }

    fn part(&self, planned: Planned) -> Fetch {
        let mut fetch = Fetch::begin(planned, self.writer.account.clock.now());
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
        let cost = fetch.tally.cost();
        self.whole.tally.note(|all| *all += cost);
        self.writer
            .record_unstored(fetch, (status, counters), reported_total, problem)
            .await
    }
}

fn not_compared(day: Window, failure: WindowFailure) -> Ends {
    let problem = &failure.problem;
    error!(%day, error = problem.text, remedy = problem.remedy, "a day could not be compared");
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

/// The rest of the day is skipped: such seconds cost dozens of requests each.
fn why_not_compared(window: Window, reading: &Reading) -> Option<Problem> {
    let goes_on = match reading.verdict {
        Verdict::Drained => true,
        Verdict::Elsewhere | Verdict::Strays => false,
        Verdict::Inconsistent | Verdict::Overflow => !is_a_second(window),
    };
    (!goes_on).then(|| {
        let problem = WindowFailure::gap(reading).problem;
        let text = format!("at {}: {}", instant(window.start), problem.text);
        Problem { text, ..problem }
    })
}

fn status(has_failed: bool) -> Status {
    if has_failed {
        Status::Failed
    } else {
        Status::Compared
    }
}

fn log_difference(compared: &DayComparison) {
    if !compared.differs() {
        return;
    }
    let day = Window::new(compared.from, compared.to);
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
