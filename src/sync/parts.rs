//! Reads an overflowing second by direction, channel and queue. It is drained only if the total is reached:
//! bot-only sessions may match no filter.

use std::collections::{BTreeSet, VecDeque};

use tracing::{debug, warn};

use crate::config::{Direction, Filters};
use crate::extract::{ApiError, Narrowing, PageRequest};
use crate::time::window::Window;

use super::drain::{ReadError, Reader, Reading, Slice, Verdict};
use super::pass::Rows;

/// As the vendor's page spells them.
const CHANNELS_IN_REQUESTS: [&str; 2] = ["rtm", "voice"];

const MOST_PARTS: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Direction,
    Channel,
    Queue,
}

const DIMENSIONS: [Dimension; 3] = [Dimension::Direction, Dimension::Channel, Dimension::Queue];

impl Reader<'_> {
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

    /// If ends are inclusive, the last instant may overflow alone. Both instants must then hold the total.
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
            // Some servers refuse an empty range.
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

/// `values` keeps the first spelling.
fn channels(seen: impl IntoIterator<Item = String>) -> Vec<String> {
    let documented = CHANNELS_IN_REQUESTS.map(str::to_owned);
    documented.into_iter().chain(seen).collect()
}

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
