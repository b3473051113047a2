//! Reads an overflowing second by direction, channel and queue. Only a reached total drains it: bot-only
//! sessions may match no filter.

use std::collections::{BTreeSet, HashMap, VecDeque};

use tracing::{debug, warn};
use uuid::Uuid;

use crate::config::{Direction, Filters};
use crate::extract::ApiError;
use crate::time::Window;
use crate::transform::RawRecord;

use super::decide::Proof;
use super::reader::WindowReader;
use super::{Pages, Reading, Slice, TEXT_IN_HAND, Verdict};

/// As the vendor's page spells them.
const CHANNELS_IN_REQUESTS: [&str; 2] = ["rtm", "voice"];

const MOST_PARTS: usize = 24;

type Union = HashMap<Uuid, RawRecord>;

/// Parts of a part; empty if it is already narrowed so.
type Dimension = fn(&Filters, &Union) -> Vec<Filters>;

const DIMENSIONS: [Dimension; 3] = [by_direction, by_channel, by_queue];

impl<P: Pages> WindowReader<'_, P> {
    pub(super) async fn read_parts(
        &mut self,
        slice: &Slice,
        filters: &Filters,
        whole: Reading,
    ) -> Result<Reading, ApiError> {
        if let Some(reading) = self.read_first_instant(slice, &whole).await? {
            return Ok(reading);
        }
        let total = whole.reported_total;
        let is_proven = |union: &Union| total == Some(union.len() as u64);
        let mut union = Union::new();
        extend(&mut union, whole.records);
        let mut parts_left = MOST_PARTS;
        for by in DIMENSIONS {
            let mut parts = VecDeque::from(by(filters, &union));
            while let Some(part) = parts.pop_front() {
                if parts_left == 0 || is_proven(&union) || bytes(&union) > TEXT_IN_HAND {
                    break;
                }
                parts_left -= 1;
                let narrowed = Slice {
                    filters: Some(part.clone()),
                    ..slice.part(slice.window)
                };
                let reading = match self.read(&narrowed).await {
                    Err(error) if error.is_not_served() => continue,
                    reading => reading?,
                };
                let (direction, channels, queues) = (part.direction, &part.channels, &part.queues);
                debug!(?direction, ?channels, ?queues, verdict = ?reading.verdict, records = reading.distinct_records, "part read");
                extend(&mut union, reading.records);
                if reading.verdict != Verdict::Drained {
                    let mut further = DIMENSIONS.iter().map(|by| by(&part, &union));
                    parts.extend(further.find(|parts| !parts.is_empty()).unwrap_or_default());
                }
            }
        }
        let (distinct_records, is_proven) = (union.len() as u64, is_proven(&union));
        if !is_proven {
            warn!(
                reported_total = total,
                distinct_records, "the parts of a second do not make the whole"
            );
        }
        Ok(Reading {
            verdict: if is_proven {
                Verdict::Drained
            } else {
                whole.verdict
            },
            proof: is_proven.then_some(Proof::Parts),
            distinct_records,
            records: union.into_values().collect(),
            ..whole
        })
    }

    /// If the API includes ends, the last instant may overflow alone. Both instants must then hold the total.
    async fn read_first_instant(
        &mut self,
        slice: &Slice,
        whole: &Reading,
    ) -> Result<Option<Reading>, ApiError> {
        let Some(total) = whole.reported_total.filter(|_| self.known.profile.gives_totals()) else {
            return Ok(None);
        };
        let instant = |at| slice.part(Window::new(at, at));
        let at_end = match self.first_page(&instant(slice.window.end), 1).await {
            Ok(page) => page.reported,
            // Some servers refuse an empty range.
            Err(error) if error.is_not_served() => return Ok(None),
            Err(error) => return Err(error),
        };
        let at_start = at_end.and_then(|at_end| total.checked_sub(at_end));
        let Some(at_start) = at_start.filter(|at_start| *at_start <= self.known.profile.reach() as u64)
        else {
            return Ok(None);
        };
        let reading = self.read(&instant(slice.window.start)).await?;
        let is_proven = reading.verdict == Verdict::Drained && reading.distinct_records == at_start;
        Ok(is_proven.then_some(reading))
    }
}

fn extend(union: &mut Union, records: Vec<RawRecord>) {
    union.extend(records.into_iter().map(|record| (record.identity, record)));
}

fn bytes(union: &Union) -> usize {
    union.values().map(|record| record.sent.text().len()).sum()
}

fn by_direction(part: &Filters, _: &Union) -> Vec<Filters> {
    if !matches!(part.direction, None | Some(Direction::Both)) {
        return Vec::new();
    }
    let narrowed = |direction| Filters {
        direction: Some(direction),
        ..part.clone()
    };
    [Direction::Inbound, Direction::Outbound].map(narrowed).into()
}

fn by_channel(part: &Filters, seen: &Union) -> Vec<Filters> {
    if matches!(part.channels.as_deref(), Some([_])) {
        return Vec::new();
    }
    let seen = || channels(seen.values().filter_map(|record| record.channel_and_queues().0));
    let narrowed = |channel| Filters {
        channels: Some(vec![channel]),
        ..part.clone()
    };
    let channels = once_each(part.channels.clone().unwrap_or_else(seen));
    channels.map(narrowed).collect()
}

fn by_queue(part: &Filters, seen: &Union) -> Vec<Filters> {
    if matches!(part.queues.as_deref(), Some([_])) {
        return Vec::new();
    }
    let seen = || seen.values().flat_map(|record| record.channel_and_queues().1);
    let narrowed = |queue| Filters {
        queues: Some(vec![queue]),
        ..part.clone()
    };
    let queues = once_each(part.queues.clone().unwrap_or_else(|| seen().collect()));
    queues.map(narrowed).collect()
}

fn channels(seen: impl IntoIterator<Item = String>) -> Vec<String> {
    let documented = CHANNELS_IN_REQUESTS.map(str::to_owned);
    documented.into_iter().chain(seen).collect()
}

fn once_each(values: Vec<String>) -> impl Iterator<Item = String> {
    let mut spellings = BTreeSet::new();
    values
        .into_iter()
        .filter(move |value| spellings.insert(value.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_requested_in_its_documented_spelling() {
        let seen = ["Voice", "RTM", "email", "Email"].map(str::to_owned);
        let values: Vec<String> = once_each(channels(seen)).collect();
        assert_eq!(values, ["rtm", "voice", "email"]);
    }
}
