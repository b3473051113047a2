//! Probes an API with few requests, no writes and no lease.

use chrono::{DateTime, TimeDelta, Utc};

use crate::extract::{ApiClient, ApiError, LAST_OFFSET, PAGE_SIZE, Priority, REACHABLE_RECORDS, Tally};
use crate::sync::time_zone::{TimeZoneCheck, TimeZoneVerdict};
use crate::time::Window;
use crate::transform::privacy::Policy;
use crate::transform::transform;

use super::decide::Judgement;
use super::pass::{After, Pass};
use super::profile::{ApiProfile, Knowledge};
use super::reader::WindowReader;
use super::{ApiPages, Slice, origin};

const RECORDS_WANTED: u64 = 900;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub window: Window,
    pub has_records: bool,
    /// `numResults`, if greater than the page.
    pub total: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct Probe {
    pub profile: ApiProfile,
    pub time_zone: TimeZoneVerdict,
    /// Distinct.
    pub records: u64,
    /// Pages overlap, and not by a shift of one row.
    pub rows_move: bool,
}

/// Requests one record of the last 24 hours.
///
/// # Errors
/// The last try failed.
pub async fn reach(api: &ApiClient, until: DateTime<Utc>, tally: &Tally) -> Result<Reached, ApiError> {
    let window = Window::new(until - TimeDelta::days(1), until);
    let slice = Slice::of(window, Priority::Head);
    let page = api.page(&slice.request(0, 1), tally).await?;
    let shown = page.records.len() as u64;
    Ok(Reached {
        window,
        has_records: shown > 0,
        total: page.reported.filter(|reported| *reported > shown),
    })
}

/// A window likely to have several pages.
pub fn worth_probing(ledger: &[(Window, u64)], day: &Reached) -> Window {
    let several_pages = PAGE_SIZE as u64 + 1;
    let known = ledger
        .iter()
        .filter(|(_, records)| (several_pages..=REACHABLE_RECORDS as u64).contains(records))
        .map(|(window, _)| *window)
        .max_by_key(|window| window.end);
    known.unwrap_or_else(|| newest_part(day))
}

fn newest_part(reached: &Reached) -> Window {
    let total = reached.total.unwrap_or(1).max(RECORDS_WANTED);
    let seconds = u64::try_from(reached.window.seconds()).unwrap_or(0);
    let seconds = (seconds * RECORDS_WANTED / total).max(1);
    let length = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    Window::new(reached.window.end - length, reached.window.end)
}

/// First, second and last page: at most four requests.
///
/// # Errors
/// A request failed.
pub async fn probe(api: &ApiClient, window: Window, tally: &Tally) -> Result<Probe, ApiError> {
    let reader = WindowReader {
        pages: &ApiPages { api, tally },
        known: &mut Knowledge::default(),
    };
    let slice = Slice::of(window, Priority::Head);
    let take = async |pass: &mut Pass, page: usize| -> Result<(), ApiError> {
        let offset = pass.unit.offset(page, pass.limit);
        pass.take(reader.further(&slice, offset, pass.limit, false).await?);
        Ok(())
    };
    let mut profile = ApiProfile::default();
    let mut pass = Pass::of(reader.first_page(&slice, PAGE_SIZE).await?, &profile);
    if pass.shown() > 0 {
        take(&mut pass, 1).await?;
        if pass.is_followed {
            // The offset counts records.
            take(&mut pass, 1).await?;
        }
    }
    let rows_move = pass.lengths.len() > 1 && pass.repeated() > 0;
    profile.learn_pass(&pass, judgement(&pass, rows_move));
    if let Some(last) = last_page(&pass) {
        take(&mut pass, last).await?;
        match pass.after {
            None => profile.deepest_page = last,
            Some(After::NotServed) => profile.refused_page = Some(last),
            Some(_) if pass.total.is_some() => profile.refused_page = Some(last),
            Some(_) => {}
        }
    }
    Ok(Probe {
        time_zone: time_zone(api, &pass),
        records: pass.distinct(),
        rows_move,
        profile,
    })
}

fn judgement(pass: &Pass, rows_move: bool) -> Judgement {
    match pass.after {
        None if !rows_move => Judgement::Drained,
        Some(After::NotServed | After::Empty) if pass.is_followed => Judgement::Unserved,
        // Without a total, a page that is not full may be the last.
        Some(After::NotServed) if pass.ends_full() => Judgement::Unserved,
        Some(After::Empty) if pass.total.is_some() => Judgement::Unserved,
        _ => Judgement::Again,
    }
}

fn last_page(pass: &Pass) -> Option<usize> {
    let is_full = pass.lengths.get(1)?.records >= pass.limit;
    let total = pass.total.and_then(|total| usize::try_from(total).ok());
    let last = total.map_or(LAST_OFFSET, |total| (total - 1) / pass.limit);
    Some(last.min(LAST_OFFSET)).filter(|last| is_full && *last > 1)
}

fn time_zone(api: &ApiClient, pass: &Pass) -> TimeZoneVerdict {
    let origin = origin(api.account());
    // The result is neither stored nor shown.
    let policy = Policy::default();
    let records = pass.pages.iter().flat_map(|page| &page.records);
    let transformed = records.filter_map(|record| transform(&record.sent, origin, &policy).ok());
    let mut check = TimeZoneCheck::default();
    check.see(transformed.collect::<Vec<_>>().iter());
    check.verdict()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: i64, to: i64) -> Window {
        let hour = |hours| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        Window::new(hour(from), hour(to))
    }

    fn reached(window: Window, total: Option<u64>) -> Reached {
        Reached {
            window,
            has_records: true,
            total,
        }
    }

    #[test]
    fn the_newest_stretch_with_several_pages_is_looked_at() {
        let day = |total| reached(window(144, 168), total);
        let ledger = [
            (window(0, 10), 500),
            (window(10, 20), 800),
            (window(20, 30), 100),
            (window(30, 40), 1_101),
        ];
        assert_eq!(worth_probing(&ledger, &day(None)), window(10, 20));
        let part = worth_probing(&[], &day(Some(9_000)));
        assert_eq!((part.seconds(), part.end), (8_640, day(None).window.end));
        for total in [None, Some(100), Some(900)] {
            assert_eq!(worth_probing(&[], &day(total)), day(total).window);
        }
    }
}
