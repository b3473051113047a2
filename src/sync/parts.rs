//! A second that holds more records than the API shows: read by direction, channel and queue.
//!
//! It counts as drained only with proof: the distinct records of all parts are as many as the
//! total that the API gave for the whole. Sessions that only a bot handled may match no filter,
//! and an API without totals proves nothing; then the second is a gap.

use std::collections::{BTreeSet, VecDeque};

use tracing::{debug, warn};

use crate::config::{Direction, Filters};
use crate::extract::{ApiError, Narrowing, PageRequest};
use crate::time::window::Window;

use super::drain::{ReadError, Reader, Reading, Slice, Verdict};
use super::pass::Rows;

/// Channels as the vendor's page names them in requests; records may spell theirs otherwise.
const CHANNELS_IN_REQUESTS: [&str; 2] = ["rtm", "voice"];

/// Parts that are read of one second at most, so that it cannot eat up the budget.
const MOST_PARTS: usize = 24;

/// What records can be told apart by, in the order in which it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Direction,
    Channel,
    Queue,
}

const DIMENSIONS: [Dimension; 3] = [Dimension::Direction, Dimension::Channel, Dimension::Queue];

impl Reader<'_> {
    /// Reads an overflowing second in parts, as far as it takes. `whole` is what was seen of it.
    ///
    /// # Errors
    /// What was still wrong with a request after the last try.
    pub(super) async fn read_parts(&self, slice: &Slice, whole: Reading) -> Result<Reading, ReadError> {
        let total = whole.reported_total;
        if let Some(reading) = self.read_first_instant(slice, &whole).await? {
            return Ok(reading);
        }
        let mut union = whole.rows;
        let mut parts_left = MOST_PARTS;
        for dimension in DIMENSIONS {
            if is_proven(&union, total) {
                break;
            }
            self.read_by(dimension, slice, &mut union, &mut parts_left)
                .await?;
        }
        let distinct_records = count(&union);
        let verdict = if is_proven(&union, total) {
            Verdict::Drained
        } else {
            whole.verdict
        };
        if verdict != Verdict::Drained {
            warn!(
                reported_total = total,
                distinct_records, "the parts of a second do not make the whole"
            );
        }
        Ok(Reading {
            verdict,
            rows: union,
            distinct_records,
            reported_total: total,
            strays_in: None,
        })
    }

    /// The second of which only the instant at its end overflows, where the API counts that to
    /// it. Its first instant, asked for alone, is then all of it, and with proof: both instants
    /// together hold as many records as the second. `None` where that is not so.
    async fn read_first_instant(&self, slice: &Slice, whole: &Reading) -> Result<Option<Reading>, ReadError> {
        let Some(total) = whole.reported_total.filter(|_| self.traits.get().gives_totals()) else {
            return Ok(None);
        };
        let instant = |at| Window { start: at, end: at };
        let last = PageRequest {
            window: instant(slice.window.end),
            offset: 0,
            limit: 1,
            narrowing: &slice.narrowing,
            priority: slice.priority,
        };
        let first = Slice {
            window: instant(slice.window.start),
            expected: 0.0,
            ..slice.clone()
        };
        let at_end = match self.api.page(&last, self.tally).await {
            Ok(page) => page.reported,
            // Not every server takes a range without a length.
            Err(ApiError::Unaccepted { .. } | ApiError::Message) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(at_start) = at_end.and_then(|at_end| total.checked_sub(at_end)) else {
            return Ok(None);
        };
        if at_start > self.traits.get().reach() as u64 {
            return Ok(None);
        }
        let reading = self.read(&first).await?;
        let is_proven = reading.verdict == Verdict::Drained && reading.distinct_records == at_start;
        Ok(is_proven.then_some(reading))
    }

    /// Adds what each value of `first` brings, told apart by the further dimensions where one
    /// value alone overflows.
    async fn read_by(
        &self,
        first: Dimension,
        slice: &Slice,
        union: &mut Rows,
        parts_left: &mut usize,
    ) -> Result<(), ReadError> {
        let filters = &self.api.account().filters;
        let mut parts: VecDeque<Narrowing> = narrowed(&Narrowing::default(), first, filters, union).into();
        while let Some(narrowing) = parts.pop_front() {
            if *parts_left == 0 {
                return Ok(());
            }
            *parts_left -= 1;
            let part = Slice {
                narrowing: narrowing.clone(),
                is_probe: false,
                expected: 0.0,
                ..slice.clone()
            };
            let reading = match self.read(&part).await {
                // A value that the API does not know: the others may make the whole all the same.
                Err(ReadError::Api(ApiError::Unaccepted { .. } | ApiError::Message)) => continue,
                reading => reading?,
            };
            debug!(?narrowing, verdict = ?reading.verdict, records = reading.distinct_records, "part read");
            union.extend(reading.rows);
            if reading.verdict != Verdict::Drained
                && let Some(next) = DIMENSIONS
                    .into_iter()
                    .find(|dimension| is_free(*dimension, &narrowing))
            {
                parts.extend(narrowed(&narrowing, next, filters, union));
            }
        }
        Ok(())
    }
}

fn is_proven(union: &Rows, total: Option<u64>) -> bool {
    total == Some(count(union))
}

fn count(rows: &Rows) -> u64 {
    (rows.interactions.len() + rows.rejected.len()) as u64
}

fn is_free(dimension: Dimension, narrowing: &Narrowing) -> bool {
    match dimension {
        Dimension::Direction => narrowing.direction.is_none(),
        Dimension::Channel => narrowing.channel.is_none(),
        Dimension::Queue => narrowing.queue.is_none(),
    }
}

/// `narrowing` with each value of a dimension that the account's filters leave open and that was
/// seen so far.
fn narrowed(narrowing: &Narrowing, dimension: Dimension, filters: &Filters, seen: &Rows) -> Vec<Narrowing> {
    let rows = || seen.interactions.values().map(|row| &row.rows);
    match dimension {
        Dimension::Direction => match filters.direction {
            None | Some(Direction::Both) => [Direction::Inbound, Direction::Outbound]
                .map(|direction| Narrowing {
                    direction: Some(direction),
                    ..narrowing.clone()
                })
                .into(),
            Some(_) => Vec::new(),
        },
        Dimension::Channel => values(filters.channels.as_ref(), || {
            channels(rows().filter_map(|rows| rows.session.channel.clone()))
        })
        .map(|channel| Narrowing {
            channel: Some(channel),
            ..narrowing.clone()
        })
        .collect(),
        Dimension::Queue => values(filters.queues.as_ref(), || {
            let queues = rows().flat_map(|rows| &rows.destinations);
            queues
                .filter_map(|destination| destination.queue_id.clone())
                .collect()
        })
        .map(|queue| Narrowing {
            queue: Some(queue),
            ..narrowing.clone()
        })
        .collect(),
    }
}

/// The documented spelling of each channel first: of several only the first is asked for.
fn channels(seen: impl IntoIterator<Item = String>) -> Vec<String> {
    let documented = CHANNELS_IN_REQUESTS.map(str::to_owned);
    documented.into_iter().chain(seen).collect()
}

/// What the account asks for, or else what was seen; each once, whatever its case, as it is spelled first.
fn values(
    configured: Option<&Vec<String>>,
    seen: impl FnOnce() -> Vec<String>,
) -> impl Iterator<Item = String> {
    let values = configured.map_or_else(seen, Clone::clone);
    let mut spellings = BTreeSet::new();
    values
        .into_iter()
        .filter(move |value| spellings.insert(value.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_spellings_of_a_channel_the_documented_one_is_asked_for() {
        let seen = ["Voice", "RTM", "email", "Email"].map(str::to_owned);
        let values: Vec<String> = values(None, || channels(seen)).collect();
        assert_eq!(values, ["rtm", "voice", "email"]);
    }
}
