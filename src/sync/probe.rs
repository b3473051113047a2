//! Probes an API with few requests, no writes and no lease.

use std::cmp::Reverse;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};

use crate::extract::{
    ApiClient, ApiError, LAST_OFFSET, Narrowing, PAGE_SIZE, Page, PageRequest, Priority, Tally,
};
use crate::time::window::Window;
use crate::transform::privacy::Policy;

use super::drain::{Reader, Slice};
use super::pages::size_of;
use super::pass::Pass;
use super::time_zone::{TimeZoneCheck, TimeZoneVerdict};
use super::traits::{ApiTraits, NumResults, OffsetUnit, SharedTraits};

const RECORDS_WANTED: u64 = 900;

const REACH: u64 = ((LAST_OFFSET + 1) * PAGE_SIZE) as u64;

/// The result of a one-record request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The window.
    pub window: Window,
    /// Whether it holds records.
    pub has_records: bool,
    /// `numResults`, if greater than the page.
    pub total: Option<u64>,
}

/// What a few pages showed.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Observed behaviour.
    pub traits: ApiTraits,
    /// Whether our reading of time stamps is right.
    pub time_zone: TimeZoneVerdict,
    /// Distinct interactions.
    pub records: u64,
    /// Whether pages overlap, not shifted by one.
    pub rows_move: bool,
}

/// Requests one record of the last 24 hours.
///
/// # Errors
/// The last try failed.
pub async fn reach(api: &ApiClient, until: DateTime<Utc>, tally: &Tally) -> Result<Reached, ApiError> {
    let start = until - TimeDelta::days(1);
    one_record(api, Window { start, end: until }, tally).await
}

/// Requests one record of the longest allowed window: seven days and dates (vendor).
///
/// # Errors
/// [`ApiError::Unaccepted`] if too long, or the last try failed.
pub async fn reach_week(api: &ApiClient, until: DateTime<Utc>, tally: &Tally) -> Result<Reached, ApiError> {
    let offset = TimeDelta::minutes(api.account().time_zone_offset.into());
    let first_date = (until - offset).date_naive() - Days::new(6);
    let start = first_date.and_time(NaiveTime::MIN).and_utc() + offset;
    one_record(api, Window { start, end: until }, tally).await
}

async fn one_record(api: &ApiClient, window: Window, tally: &Tally) -> Result<Reached, ApiError> {
    let request = PageRequest {
        window,
        offset: 0,
        limit: 1,
        narrowing: &Narrowing::NONE,
        priority: Priority::Head,
    };
    let page = api.page(&request, tally).await?;
    Ok(Reached {
        window,
        has_records: !page.records.is_empty(),
        total: page
            .reported
            .filter(|reported| *reported > page.records.len() as u64),
    })
}

/// A window likely to have several pages.
pub fn worth_probing(ledger: &[(Window, u64)], reached: &[Reached]) -> Option<Window> {
    let several_pages = PAGE_SIZE as u64 + 1;
    let known = ledger
        .iter()
        .filter(|(_, records)| (several_pages..=REACH).contains(records))
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
        reached
            .iter()
            .map(|reached| reached.window)
            .max_by_key(Window::seconds)
    };
    known.or_else(counted).or_else(longest)
}

fn newest_part(reached: &Reached) -> Window {
    let total = reached.total.unwrap_or(1).max(RECORDS_WANTED);
    let seconds = u64::try_from(reached.window.seconds()).unwrap_or(0);
    let seconds = (seconds * RECORDS_WANTED / total).max(1);
    let length = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    Window {
        start: reached.window.end - length,
        end: reached.window.end,
    }
}

/// Reads the first, second and last page: at most four requests.
///
/// # Errors
/// A request failed.
pub async fn probe(api: &ApiClient, window: Window, tally: &Tally) -> Result<Probe, ApiError> {
    let traits = SharedTraits::default();
    // Here one refusal is an answer.
    traits.learn(|traits| traits.vain_pages_in_a_row = 1);
    let mut time_zone = TimeZoneCheck::default();
    // Nothing is stored or shown.
    let policy = Policy::default();
    let reader = Reader {
        api,
        traits: &traits,
        policy: &policy,
        tally,
    };
    let slice = Slice {
        window,
        narrowing: Narrowing::NONE,
        priority: Priority::Head,
        is_probe: false,
        expected: 0.0,
    };
    let first = reader.page(&slice, 0, PAGE_SIZE).await?;
    traits.learn(|traits| traits.see_first(&first));
    let mut pass = Pass::of(&first);
    pass.full_page = PAGE_SIZE;
    reader.add(&mut pass, &first);
    let rows_move = !first.records.is_empty() && look_further(&reader, &slice, &first, &mut pass).await?;
    time_zone.see(pass.rows.interactions.values());
    Ok(Probe {
        traits: traits.get(),
        time_zone: time_zone.verdict(),
        records: pass.distinct(),
        rows_move,
    })
}

async fn look_further(
    reader: &Reader<'_>,
    slice: &Slice,
    first: &Page,
    pass: &mut Pass,
) -> Result<bool, ApiError> {
    let size = size_of(first);
    let Some(second) = reader.second(slice, first).await? else {
        // A page that is not full may be the last.
        if size < PAGE_SIZE {
            reader.traits.learn(|traits| traits.refused_page = None);
        }
        return Ok(false);
    };
    reader.add(pass, &second);
    let total = reader.traits.get().total(first);
    if second.records.is_empty() {
        if total.is_some() {
            reader.traits.learn(|traits| traits.see_refused(1));
        }
        return Ok(false);
    }
    let rows_move = pass.distinct() < pass.records;
    reader.traits.learn(|traits| {
        traits.deepest_page = 1;
        if second.records.len() >= size {
            traits.page_size = Some(size).filter(|size| *size < PAGE_SIZE);
        }
        if !rows_move {
            traits.offset_unit.get_or_insert(OffsetUnit::Pages);
        }
        if first.reported == Some(first.records.len() as u64) {
            traits.num_results = Some(NumResults::Page);
        }
    });
    let pages = total.and_then(|total| usize::try_from(total).ok());
    let last = pages
        .map_or(LAST_OFFSET, |total| (total - 1) / size)
        .min(LAST_OFFSET);
    if last > 1 && second.records.len() >= size {
        match reader.further(slice, last, size).await? {
            Some(page) if !page.records.is_empty() => {
                reader.traits.learn(|traits| traits.deepest_page = last);
                reader.add(pass, &page);
            }
            Some(_) if total.is_some() => reader.traits.learn(|traits| traits.see_refused(last)),
            Some(_) | None => {}
        }
    }
    Ok(rows_move)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: i64, to: i64) -> Window {
        let hour = |hours| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        Window {
            start: hour(from),
            end: hour(to),
        }
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
