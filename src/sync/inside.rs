//! Whether records lie in the requested window. The API may filter by start, end or overlap, so any moment
//! counts; all records may be shifted by one time zone.

use chrono::{DateTime, TimeDelta, Utc};

use crate::time::window::Window;
use crate::transform::Interaction;

const ROUNDING: TimeDelta = TimeDelta::seconds(1);

const QUARTER: TimeDelta = TimeDelta::minutes(15);
const FURTHEST_ZONE: i32 = 14 * 4;

/// One in this many may lie outside, and a single one always.
const ODD_ONE_IN: usize = 10;

type Span = (DateTime<Utc>, DateTime<Utc>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) records: usize,
    pub(super) outside: usize,
}

impl Places {
    pub(super) fn of<'a>(window: Window, records: impl Iterator<Item = &'a Interaction>) -> Self {
        let spans: Vec<Span> = records.map(span).collect();
        let outside = |shift: TimeDelta| {
            spans
                .iter()
                .filter(|span| !lies_in(window, **span, shift))
                .count()
        };
        let mut places = Self {
            records: spans.len(),
            outside: outside(TimeDelta::zero()),
        };
        for quarters in 1..=FURTHEST_ZONE {
            if places.outside == 0 {
                break;
            }
            let shift = QUARTER * quarters;
            places.outside = places.outside.min(outside(shift)).min(outside(-shift));
        }
        places
    }

    pub(super) fn are_elsewhere(self) -> bool {
        self.outside > 1 && self.outside * ODD_ONE_IN > self.records
    }
}

/// Agents' work may end after the session.
fn span(record: &Interaction) -> Span {
    let session = &record.rows.session;
    let start = session.session_started_at;
    let Some(end) = session.session_ended_at else {
        return (start, DateTime::<Utc>::MAX_UTC);
    };
    let segments = record.rows.agent_segments.iter();
    let ends = segments.flat_map(|segment| [segment.interaction_ended_at, segment.after_call_work_ended_at]);
    (start, ends.flatten().fold(end.max(start), DateTime::max))
}

fn lies_in(window: Window, (start, end): Span, shift: TimeDelta) -> bool {
    let moved = |instant: DateTime<Utc>| instant.checked_add_signed(shift);
    let begins = moved(start).is_some_and(|start| start <= window.end + ROUNDING);
    begins && moved(end).is_none_or(|end| end >= window.start - ROUNDING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::privacy::Policy;
    use crate::transform::{Origin, RawRecord, transform};

    fn window() -> Window {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        Window {
            start: at("2026-01-10T12:00:00Z"),
            end: at("2026-01-10T12:05:00Z"),
        }
    }

    fn record(start: &str, end: &str) -> Interaction {
        let text = format!(
            r#"{{"sessionId":"s","sessionStartTime":"2026-01-10T{start}","sessionEndTime":"{}"}}"#,
            if end.is_empty() {
                String::new()
            } else {
                format!("2026-01-10T{end}")
            }
        );
        transform(
            &RawRecord::of(text),
            Origin {
                account_id: "a",
                time_zone_offset: 0,
            },
            &Policy::default(),
        )
        .unwrap()
    }

    fn places(records: &[(&str, &str)]) -> Places {
        let records: Vec<_> = records.iter().map(|(start, end)| record(start, end)).collect();
        Places::of(window(), records.iter())
    }

    #[test]
    fn a_record_lies_in_a_window_that_any_moment_of_it_lies_in() {
        for (start, end) in [
            ("12:00:00", "12:01:00"),
            ("12:04:59", "13:00:00"),
            ("11:00:00", "12:00:00"),
            ("11:00:00", "14:00:00"),
            ("09:00:00", ""),
            ("12:05:00", "12:05:00"),
            ("12:05:00.400", "12:06:00"),
        ] {
            assert_eq!(places(&[(start, end)]).outside, 0, "{start} to {end}");
        }
    }

    #[test]
    fn records_that_are_all_off_by_the_same_zone_lie_in_it() {
        let in_india = [
            ("17:30:10", "17:31:00"),
            ("17:32:00", "17:40:00"),
            ("17:34:59", "17:35:00"),
        ];
        assert!(!places(&in_india).are_elsewhere());
        let west = [("04:01:00", "04:02:00"), ("04:04:00", "04:04:30")];
        assert!(!places(&west).are_elsewhere());
        let of_two_zones = [
            ("17:30:10", "17:30:20"),
            ("17:32:10", "17:32:20"),
            ("04:04:00", "04:04:30"),
            ("04:01:00", "04:01:30"),
        ];
        assert!(places(&of_two_zones).are_elsewhere());
        let off_by_minutes = [
            ("12:07:00", "12:07:30"),
            ("12:16:00", "12:16:10"),
            ("12:24:00", "12:24:10"),
        ];
        assert!(places(&off_by_minutes).are_elsewhere());
    }

    #[test]
    fn one_of_many_may_be_odd() {
        let mut records = vec![("12:01:00", "12:02:00"); 19];
        records.push(("20:00:00", "20:01:00"));
        assert_eq!(
            places(&records),
            Places {
                records: 20,
                outside: 1
            }
        );
        assert!(!places(&records).are_elsewhere());
        records.extend([("20:00:00", "20:01:00"); 2]);
        assert!(places(&records).are_elsewhere());
        assert!(!places(&[]).are_elsewhere());
    }

    #[test]
    fn one_of_a_few_may_be_odd_and_two_may_not() {
        let odd = ("02:07:00", "02:07:10");
        let alone = places(&[odd]);
        assert_eq!((alone.outside, alone.are_elsewhere()), (1, false));
        assert!(!places(&[("12:01:00", "12:02:00"), odd, ("12:03:00", "12:03:30")]).are_elsewhere());
        assert!(
            places(&[
                ("12:01:00", "12:02:00"),
                odd,
                ("12:03:00", "12:03:30"),
                ("03:07:00", "03:07:10")
            ])
            .are_elsewhere()
        );
    }
}
