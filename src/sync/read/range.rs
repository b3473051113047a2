//! Whether records lie in the requested window, and by which time. The API may filter by start, end or
//! overlap; all records may be shifted by one time zone.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::debug;

use crate::extract::{ApiError, PAGE_SIZE};
use crate::telemetry::chain;
use crate::time::Window;
use crate::transform::RawRecord;
use crate::warehouse::compare::Basis;

use super::decide::Judgement;
use super::pass::Pass;
use super::profile::{Lesson, Range};
use super::reader::WindowReader;
use super::{Pages, Slice};

const ROUNDING: TimeDelta = TimeDelta::seconds(1);

/// Agents' work may end after the session.
const WORK_AFTER_THE_END: TimeDelta = TimeDelta::hours(1);

const QUARTER: TimeDelta = TimeDelta::minutes(15);
const FURTHEST_ZONE: i32 = 14 * 4;

/// One in these may lie outside, and a single one always.
const ODD_ONE_IN: usize = 10;

const TELLING_WINDOW: TimeDelta = TimeDelta::hours(1);

/// Some servers refuse a range of one second.
const STRETCHES: [TimeDelta; 3] = [TimeDelta::seconds(1), TimeDelta::minutes(1), TELLING_WINDOW];

type Span = (DateTime<Utc>, Option<DateTime<Utc>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) records: usize,
    pub(super) outside: usize,
    /// Only counted if they lie inside without a shift.
    started_before: u32,
    ended_after: u32,
}

impl Places {
    pub(super) fn of<'a>(window: Window, records: impl IntoIterator<Item = &'a RawRecord>) -> Self {
        let span = |record: &RawRecord| Some((record.started_at?, record.ended_at));
        let spans: Vec<Span> = records.into_iter().filter_map(span).collect();
        let outside = |shift, after_the_end| {
            let is_outside = |span: &&Span| !lies_in(window, **span, shift, after_the_end);
            spans.iter().filter(is_outside).count()
        };
        let mut places = Self {
            records: spans.len(),
            outside: outside(TimeDelta::zero(), WORK_AFTER_THE_END),
            ..Self::default()
        };
        if places.outside == 0 {
            for (start, end) in spans {
                places.started_before += u32::from(start < window.start - ROUNDING);
                places.ended_after += u32::from(end.is_some_and(|end| end > window.end + ROUNDING));
            }
            return places;
        }
        for quarters in 1..=FURTHEST_ZONE {
            let shift = QUARTER * quarters;
            for shift in [shift, -shift] {
                places.outside = places.outside.min(outside(shift, TimeDelta::zero()));
            }
        }
        places
    }

    pub(super) fn are_elsewhere(self) -> bool {
        self.outside > 1 && self.outside * ODD_ONE_IN > self.records
    }
}

fn lies_in(window: Window, (start, end): Span, shift: TimeDelta, after_the_end: TimeDelta) -> bool {
    let moved = |instant: DateTime<Utc>| instant.checked_add_signed(shift);
    let begins = moved(start).is_some_and(|start| start <= window.end + ROUNDING);
    let end = end.map(|end| end.max(start)).and_then(moved);
    begins && end.is_none_or(|end| end + after_the_end >= window.start - ROUNDING)
}

/// Sessions across the edges of windows: an API that filters by start returns those that reach out, one by
/// end those that reach in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Edges {
    into: u32,
    out_of: u32,
}

impl Edges {
    /// Fewer may be odd, and up to a quarter as many as the others.
    const ENOUGH: u32 = 3;
    const TIMES: u32 = 4;
    const REMEMBERED: u32 = 40;

    pub(super) fn of(basis: Option<Basis>) -> Self {
        let known = |is_seen| if is_seen { Self::REMEMBERED / 2 } else { 0 };
        Self {
            into: known(matches!(basis, Some(Basis::End | Basis::Overlap))),
            out_of: known(matches!(basis, Some(Basis::Start | Basis::Overlap))),
        }
    }

    pub(super) fn see(&mut self, places: Places) {
        self.into += places.started_before;
        self.out_of += places.ended_after;
        while self.into.max(self.out_of) > Self::REMEMBERED {
            self.into /= 2;
            self.out_of /= 2;
        }
    }

    pub(super) fn basis(self) -> Option<Basis> {
        let Self { into, out_of } = self;
        let (fewer, more) = (into.min(out_of), into.max(out_of));
        match () {
            () if more < Self::ENOUGH => None,
            () if fewer * Self::TIMES < more && into < out_of => Some(Basis::Start),
            () if fewer * Self::TIMES < more => Some(Basis::End),
            () if fewer >= Self::ENOUGH => Some(Basis::Overlap),
            () => None,
        }
    }
}

impl<P: Pages> WindowReader<'_, P> {
    /// Tested with a short range once per run, as records may lie in a long one by chance.
    pub(super) async fn keeps_range(
        &mut self,
        slice: &Slice,
        pass: &Pass,
        drained: Judgement,
    ) -> Result<Judgement, ApiError> {
        let is_long = slice.window.end - slice.window.start > TELLING_WINDOW;
        let is_telling = !is_long && pass.places.outside == 0;
        let is_known = self.known.profile.range == Some(Range::Kept);
        if is_known || is_telling || pass.shown() == 0 || slice.filters.is_some() {
            return Ok(drained);
        }
        let Window { start, end } = slice.window;
        let at_start = STRETCHES.map(|length| Window::new(start, start + length));
        let at_end = STRETCHES.map(|length| Window::new(end - length, end));
        let mut is_kept = self.is_kept_in(slice, at_start).await?;
        if is_kept == Some(false) && pass.places.outside == 1 {
            // The odd record may lie in this very second.
            is_kept = self.is_kept_in(slice, at_end).await?;
        }
        if is_kept == Some(true) {
            self.known.learn(Lesson::RangeKept);
        }
        Ok(match is_kept {
            Some(true) => drained,
            Some(false) => Judgement::Elsewhere,
            None => Judgement::Inconsistent,
        })
    }

    async fn is_kept_in(&self, slice: &Slice, stretches: [Window; 3]) -> Result<Option<bool>, ApiError> {
        let mut failure = None;
        for stretch in stretches {
            match self.first_page(&slice.part(stretch), PAGE_SIZE).await {
                Ok(page) => return Ok(Some(Places::of(stretch, &page.records).outside == 0)),
                Err(error) if error.is_not_served() || matches!(error, ApiError::ServerFault { .. }) => {
                    debug!(stretch = %stretch, error = %chain(&error), "a short range is not answered, asking for a longer one");
                    failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match failure {
            Some(error @ ApiError::ServerFault { .. }) => Err(error),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::{Origin, RecordText};

    fn window() -> Window {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        Window::new(at("2026-01-10T12:00:00Z"), at("2026-01-10T12:05:00Z"))
    }

    fn record((start, end): &(&str, &str)) -> RawRecord {
        let end = if end.is_empty() {
            String::new()
        } else {
            format!("2026-01-10T{end}")
        };
        let text = format!(
            r#"{{"sessionId":"s","sessionStartTime":"2026-01-10T{start}","sessionEndTime":"{end}"}}"#
        );
        let origin = Origin {
            account_id: "a",
            time_zone_offset: 0,
        };
        RawRecord::of(RecordText::of(text), origin).unwrap()
    }

    fn places(records: &[(&str, &str)]) -> Places {
        let records: Vec<_> = records.iter().map(record).collect();
        Places::of(window(), &records)
    }

    #[test]
    fn a_record_lies_in_a_window_that_any_moment_of_it_lies_in() {
        for (start, end) in [
            ("12:00:00", "12:01:00"),
            ("12:04:59", "13:00:00"),
            ("11:00:00", "12:00:00"),
            ("11:00:00", "14:00:00"),
            ("10:00:00", "11:30:00"),
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
        assert_eq!((places(&records).records, places(&records).outside), (20, 1));
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

    #[test]
    fn the_basis_is_told_by_the_edges_and_withdrawn_by_them() {
        let into = places(&[("11:50:00", "12:01:00"), ("12:01:00", "12:02:00")]);
        let out_of = places(&[("12:04:00", "12:06:00"), ("12:04:30", "")]);
        let basis = |edges: Edges| edges.basis();
        let mut edges = Edges::default();
        edges.see(out_of);
        edges.see(out_of);
        assert_eq!(basis(edges), None, "two may be odd");
        (0..20).for_each(|_| edges.see(out_of));
        edges.see(into);
        assert_eq!(basis(edges), Some(Basis::Start), "one of many is odd");
        (0..20).for_each(|_| {
            edges.see(out_of);
            edges.see(into);
        });
        assert_eq!(basis(edges), Some(Basis::Overlap));
        (0..200).for_each(|_| edges.see(into));
        assert_eq!(basis(edges), Some(Basis::End));
        for known in [Basis::Start, Basis::End, Basis::Overlap] {
            assert_eq!(basis(Edges::of(Some(known))), Some(known));
        }
    }
}
