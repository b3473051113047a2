//! Compares a day by interactions. A dense day outlasts a poll's wait, so a partial reading is kept.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use uuid::Uuid;

use crate::extract::{ApiError, Priority, Tally};
use crate::ledger::gaps;
use crate::ledger::problems::{Problem, ProblemCode};
use crate::ledger::{Counters, LoadError, Status};
use crate::telemetry::{chain, instant};
use crate::time::window::Window;
use crate::transform::Interaction;
use crate::warehouse::compare::{self, Crossing};
use crate::warehouse::left_out;

use super::comparison::{DayComparison, Method};
use super::drain::{ReadError, Reading, Verdict};
use super::failure::{ELSEWHERE, STRAYS, read_problem};
use super::headway::Headway;
use super::plan::{Next, Planned, Planner};
use super::report::Progress;
use super::verify::{Comparing, Spent, Verification};
use super::window::{Fetch, Source, is_a_second};

#[derive(Debug)]
pub(super) struct DayReading {
    planner: Planner,
    returned: Returned,
}

impl DayReading {
    fn of(planner: Planner) -> Self {
        Self {
            planner,
            returned: Returned::default(),
        }
    }

    pub(super) fn requests_left(&self) -> u64 {
        let (records, windows) = self.planner.expected_left();
        Headway::new(Counters::default(), records, windows).requests_left
    }

    fn take_in(&mut self, mut planner: Planner, planned: Planned, day: Window, reading: Reading) {
        let starts = reading.rows.starts();
        match reading.verdict {
            Verdict::Drained => planner.drained(planned.window, &starts),
            Verdict::Elsewhere | Verdict::Strays => {
                self.returned.problem = Some(unreadable(planned.window, reading.verdict).text);
            }
            _ if is_a_second(planned.window) => {
                self.returned.problem = Some(unreadable(planned.window, reading.verdict).text);
            }
            Verdict::Overflow => {
                planner.overflowed(planned, reading.reported_total, &starts);
            }
            Verdict::Drift => planner.drifted(planned.window),
        }
        self.planner = planner;
        self.returned.add(day, reading);
    }
}

#[derive(Debug, Default)]
struct Returned {
    hashes: BTreeMap<Uuid, [u8; 32]>,
    rejected: HashSet<[u8; 32]>,
    crossing: Crossing,
    problem: Option<String>,
}

impl Returned {
    fn add(&mut self, day: Window, reading: Reading) {
        for interaction in reading.rows.interactions.values() {
            let session = &interaction.rows.session;
            self.crossing.into |= session.session_started_at < day.start;
            self.crossing.out_of |= session.session_started_at < day.end
                && session.session_ended_at.is_none_or(|ended| ended > day.end);
        }
        let hash = |interaction: &Interaction| (interaction.key, interaction.content_hash);
        self.hashes.extend(reading.rows.interactions.values().map(hash));
        self.rejected.extend(reading.rows.rejected.into_keys());
    }
}

impl Comparing<'_> {
    /// `known` sessions are always returned. `None` if interrupted, or if the API failed temporarily.
    pub(super) async fn by_identity(
        &self,
        verification: &mut Verification,
        place: usize,
        known: Crossing,
        progress: &mut Progress,
    ) -> Result<Option<DayComparison>, LoadError> {
        if !self.read_day(verification, place, progress).await? {
            return Ok(None);
        }
        let day = &mut verification.days[place];
        let returned = day
            .reading
            .take()
            .map(|reading| reading.returned)
            .unwrap_or_default();
        self.compare_with(day.window, returned, known).await.map(Some)
    }

    async fn compare_with(
        &self,
        day: Window,
        returned: Returned,
        known: Crossing,
    ) -> Result<DayComparison, LoadError> {
        let (pool, account_id) = (&self.worker.pool, &self.held.lease.account_id);
        let keys: Vec<Uuid> = returned.hashes.keys().copied().collect();
        let versions = compare::versions(pool, &keys).await?;
        let crossing = Crossing {
            into: known.into || returned.crossing.into,
            out_of: known.out_of || returned.crossing.out_of,
        };
        let must_return = compare::must_return(pool, account_id, day, crossing).await?;
        let mut comparison = DayComparison {
            api: returned.hashes.len() as u64,
            rejected: returned.rejected.len() as u64,
            ..DayComparison::of(day, Method::Identity)
        };
        for (key, hash) in &returned.hashes {
            match versions.get(key) {
                None => comparison.not_stored += 1,
                Some(version) if version.content_hash != hash || version.is_missing => {
                    comparison.changed += 1;
                }
                Some(_) => {}
            }
        }
        comparison.stored = comparison.api - comparison.not_stored;
        // Unread records would count as gone.
        if returned.problem.is_none() && returned.rejected.is_empty() {
            let gone = must_return
                .iter()
                .filter(|key| !returned.hashes.contains_key(*key));
            comparison.not_returned = gone.count() as u64;
        }
        comparison.problem = returned.problem;
        Ok(comparison)
    }

    async fn read_day(
        &self,
        verification: &mut Verification,
        place: usize,
        progress: &mut Progress,
    ) -> Result<bool, LoadError> {
        let day = verification.days[place].window;
        loop {
            self.publish_headway(verification, progress);
            let reading = verification.days[place].reading.get_or_insert_with(|| {
                DayReading::of(Planner::new(
                    &[day],
                    &[],
                    self.worker.density(),
                    self.worker.limits(),
                ))
            });
            if reading.returned.problem.is_some() {
                return Ok(true);
            }
            // A copy: a failed window stays planned.
            let mut planner = reading.planner.clone();
            planner.limit(self.worker.limits());
            let Next::Read(planned) = planner.next(0) else {
                return Ok(true);
            };
            if self.ends(progress).await? {
                return Ok(false);
            }
            match self.read_window(planned, progress).await? {
                Ok(mut read) => {
                    let limits = self.worker.limits_of_storing();
                    left_out::take_out(&self.worker.pool, &limits, &mut read.rows.interactions).await?;
                    reading.take_in(planner, planned, day, read);
                }
                Err(error @ (ReadError::Withheld { .. } | ReadError::Api(ApiError::TooLarge { .. }))) => {
                    reading.returned.problem = Some(chain(&error).to_string());
                }
                Err(error) => {
                    progress.not_compared(day, read_problem(&error));
                    return Ok(false);
                }
            }
        }
    }

    async fn read_window(
        &self,
        planned: Planned,
        progress: &mut Progress,
    ) -> Result<Result<Reading, ReadError>, LoadError> {
        let fetch = Fetch {
            planned,
            started_at: self.worker.clock.now(),
            began: Instant::now(),
            tally: Tally::default().into(),
        };
        let read = Source::of(self.worker, Priority::Backfill).read(&fetch).await;
        let (status, problem) = match &read {
            Ok(reading) if reading.verdict == Verdict::Drained => (Status::Drained, None),
            Ok(reading)
                if is_a_second(planned.window)
                    || matches!(reading.verdict, Verdict::Elsewhere | Verdict::Strays) =>
            {
                (Status::Gap, Some(unreadable(planned.window, reading.verdict)))
            }
            Ok(_) => (Status::Split, None),
            Err(error) => (Status::Failed, Some(read_problem(error))),
        };
        let reading = read.as_ref().ok();
        let spent = Spent {
            window: planned.window,
            status,
            counters: Counters {
                distinct_records: reading.map_or(0, |reading| reading.distinct_records),
                ..fetch.counters()
            },
            reported_total: reading.and_then(|reading| reading.reported_total),
            started_at: fetch.started_at,
            problem: problem.as_ref(),
        };
        self.book(&spent, progress).await?;
        Ok(read)
    }
}

/// The rest of the day is not read: such seconds cost dozens of requests each.
fn unreadable(second: Window, verdict: Verdict) -> Problem {
    let at = instant(second.start);
    match verdict {
        Verdict::Elsewhere => ProblemCode::RecordsOutsideWindow.saying(ELSEWHERE),
        Verdict::Strays => ProblemCode::ElementsWithoutId.saying(STRAYS),
        Verdict::Drift => gaps::problem(format!(
            "records of the second at {at} shift each time that it is read"
        )),
        Verdict::Drained | Verdict::Overflow => gaps::problem(format!(
            "the second at {at} holds more records than the API shows"
        )),
    }
}
