//! Comparing a day interaction by interaction: it is read whole, and nothing of it is stored.

use std::collections::{BTreeMap, HashSet};

use crate::extract::{ApiError, Tally};
use crate::load::compare::{self, Crossing};
use crate::load::{Counters, LoadError};
use crate::observe::chain;
use crate::transform::Interaction;
use crate::window::Window;

use super::drain::{ReadError, Reading, Verdict};
use super::plan::{Next, Planner, Seen};
use super::report::Progress;
use super::verify::{Comparing, DayComparison, Method};
use super::window::{Fetch, Source, WindowFailure, is_a_second};

/// What the API returned of a day.
#[derive(Debug, Default)]
struct Returned {
    /// What each interaction says, by id.
    hashes: BTreeMap<String, [u8; 32]>,
    /// By what they say: windows share their boundary second.
    rejected: HashSet<[u8; 32]>,
    /// Which sessions came that lie only partly in the day.
    crossing: Crossing,
    problem: Option<String>,
}

impl Returned {
    fn add(&mut self, day: Window, reading: Reading) {
        for interaction in reading.rows.interactions.values() {
            let session = &interaction.rows.session;
            self.crossing.into |= session.session_started_at < day.start;
            // At the very end is in the day, where that is inclusive.
            self.crossing.out_of |= session.session_started_at < day.end
                && session.session_ended_at.is_none_or(|ended| ended > day.end);
        }
        let hash = |interaction: &Interaction| (interaction.id().to_owned(), interaction.content_hash);
        self.hashes.extend(reading.rows.interactions.values().map(hash));
        self.rejected.extend(reading.rows.rejected.into_keys());
    }
}

impl Comparing<'_> {
    /// Reads a day and compares it. `known` are the sessions that cross its bounds and are
    /// returned with it; what is returned shows more. `None` where the API failed in a way that
    /// may pass.
    pub(super) async fn by_identity(
        &self,
        day: Window,
        known: Crossing,
        progress: &mut Progress,
    ) -> Result<Option<DayComparison>, LoadError> {
        let Some(returned) = self.read_day(day, progress).await? else {
            return Ok(None);
        };
        let (pool, account_id) = (&self.worker.pool, &self.held.lease.account_id);
        let ids: Vec<&str> = returned.hashes.keys().map(String::as_str).collect();
        let versions = compare::versions(pool, account_id, &ids).await?;
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
        for (id, hash) in &returned.hashes {
            match versions.get(id) {
                None => comparison.not_stored += 1,
                Some(version) if version.content_hash != hash || version.is_missing => {
                    comparison.changed += 1;
                }
                Some(_) => {}
            }
        }
        comparison.stored = comparison.api - comparison.not_stored;
        // What could not be reached may well be there.
        if returned.problem.is_none() && returned.rejected.is_empty() {
            let gone = must_return.iter().filter(|id| !returned.hashes.contains_key(*id));
            comparison.not_returned = gone.count() as u64;
        }
        comparison.problem = returned.problem;
        Ok(Some(comparison))
    }

    async fn read_day(&self, day: Window, progress: &mut Progress) -> Result<Option<Returned>, LoadError> {
        let mut planner = Planner::new(&[day], self.worker.density(), self.worker.limits());
        let source = Source::of(self.worker, crate::extract::Priority::Backfill);
        let mut returned = Returned::default();
        while let Next::Read(planned) = planner.next(0) {
            if self.ends(progress).await? {
                return Ok(None);
            }
            let fetch = Fetch {
                planned,
                started_at: self.worker.clock.now(),
                tally: Tally::default().into(),
            };
            let result = source.read(&fetch).await;
            let total = result.as_ref().ok().and_then(|reading| reading.reported_total);
            let counters = Counters {
                distinct_records: result.as_ref().map_or(0, |reading| reading.distinct_records),
                ..fetch.counters()
            };
            self.book(planned.window, counters, total, fetch.started_at)
                .await?;
            progress.counters += counters;
            let reading = match result {
                Ok(reading) => reading,
                // The day's own fault: others may be read all the same.
                Err(error @ (ReadError::Withheld { .. } | ReadError::Api(ApiError::TooLarge { .. }))) => {
                    returned.problem = Some(chain(&error).to_string());
                    return Ok(Some(returned));
                }
                Err(error) => {
                    progress.failed(WindowFailure::of_reading(&error));
                    return Ok(None);
                }
            };
            let starts = reading.rows.starts();
            match reading.verdict {
                Verdict::Drained => planner.drained(planned.window, &starts),
                _ if is_a_second(planned.window) => {
                    returned.problem = Some("a second holds more records than the API shows".to_owned());
                }
                Verdict::Overflow => {
                    planner.overflowed(planned, reading.reported_total, Seen::Sample(&starts));
                }
                Verdict::Drift => planner.drifted(planned.window),
            }
            returned.add(day, reading);
        }
        Ok(Some(returned))
    }
}
