//! Probes an API with few requests, no writes and no lease.

use std::cmp::Reverse;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};

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
    let start = until - TimeDelta::days(1);
    one_record(api, Window::new(start, until), tally).await
}

/// Requests one record of the longest window the vendor allows: seven days and dates.
///
/// # Errors
/// [`ApiError::Unaccepted`] if too long, or the last try failed.
pub async fn reach_week(api: &ApiClient, until: DateTime<Utc>, tally: &Tally) -> Result<Reached, ApiError> {
    let offset = TimeDelta::minutes(api.account().time_zone_offset.into());
    let first_date = (until - offset).date_naive() - Days::new(6);
    let start = first_date.and_time(NaiveTime::MIN).and_utc() + offset;
    one_record(api, Window::new(start, until), tally).await
}

async fn one_record(api: &ApiClient, window: Window, tally: &Tally) -> Result<Reached, ApiError> {
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
pub fn worth_probing(ledger: &[(Window, u64)], reached: &[Reached]) -> Option<Window> {
    let several_pages = PAGE_SIZE as u64 + 1;
    let known = ledger
        .iter()
        .filter(|(_, records)| (several_pages..=REACHABLE_RECORDS as u64).contains(records))
        .map(|(window, _)| *window)
        .max_by_key(|window| window.end);
    let counted = || {
        reached
            .iter()
            .filter(|reached| reached.total.is_some_and(|total| total >= several_pages))
            .max_by_key(|reached| {
                let records = reached.total.map(|total| total.min(RECORDS_WANTED));
                (records, Reverse(reached.window.seconds()))
            })
            .map(newest_part)
    };
    let longest = || {
        let windows = reached.iter().map(|reached| reached.window);
        windows.max_by_key(Window::seconds)
    };
    known.or_else(counted).or_else(longest)
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
        let day = reached(window(144, 168), None);
        let week = reached(window(0, 168), Some(9_000));
        let ledger = [
            (window(0, 10), 500),
            (window(10, 20), 800),
            (window(20, 30), 100),
            (window(30, 40), 1_101),
        ];
        assert_eq!(worth_probing(&ledger, &[day, week]), Some(window(10, 20)));
        let counted = worth_probing(&[], &[day, week]).unwrap();
        assert_eq!((counted.seconds(), counted.end), (60_480, week.window.end));
        let few = reached(week.window, Some(100));
        assert_eq!(worth_probing(&[], &[day, few]), Some(week.window));
        let some = reached(week.window, Some(101));
        assert_eq!(worth_probing(&[], &[day, some]), Some(week.window));
        assert_eq!(worth_probing(&[], &[]), None);
    }
}
