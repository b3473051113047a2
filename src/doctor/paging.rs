//! Reports paging behaviour that is undocumented.

use crate::extract::{ApiError, LAST_OFFSET, PAGE_SIZE};
use crate::sync::{ApiTraits, NumResults, OffsetUnit, Probe, Reached};
use crate::telemetry::chain;

use super::finding::Finding;

const UNKNOWN: &str = "unknown yet, there is too little data: found out while loading";
const NOW: &str = "seen now";
const BOOKS: &str = "learned by earlier runs";

pub(super) fn longest_window(week: &Result<Reached, ApiError>, books: &ApiTraits) -> Finding {
    const CHECK: &str = "longest window";
    match (week, books.longest_window_seconds) {
        (Ok(_), None) => Finding::ok(CHECK, format!("7 days are accepted, as documented ({NOW})")),
        (Ok(_), Some(seconds)) => Finding::warning(
            CHECK,
            format!(
                "7 days are accepted ({NOW}), but earlier runs were refused and ask for {} hours at most",
                seconds / 3_600
            ),
        )
        .means("more requests than needed where there are few interactions; nothing is lost"),
        (Err(ApiError::Unaccepted { .. }), learned) => Finding::warning(
            CHECK,
            learned.map_or_else(
                || format!("7 days are refused ({NOW}): they are too many, or begin before what is served"),
                |seconds| {
                    format!(
                        "7 days are refused ({NOW}); runs ask for {} hours at most ({BOOKS})",
                        seconds / 3_600
                    )
                },
            ),
        )
        .means(
            "runs find out by themselves what is accepted; more requests where there are few interactions",
        ),
        (Err(error), _) => {
            Finding::warning(CHECK, format!("unknown yet: {}", chain(error))).remedy(error.remedy())
        }
    }
}

pub(super) fn findings(probe: &Probe, books: &ApiTraits) -> Vec<Finding> {
    let now = &probe.traits;
    let mut findings = vec![
        totals(now, books),
        offset_unit(now, books),
        page_size(now, books),
        pages(now, books),
    ];
    if probe.rows_move {
        findings.push(
            Finding::warning("paging", format!("two pages of one window share interactions ({NOW})"))
                .means(
                    "rows move while they are read: windows are read again until they add up, shorter ones if they never do",
                )
                .remedy("nothing, if interactions were just beginning; else ask the vendor for a stable order"),
        );
    }
    findings
}

fn known<T: PartialEq + Copy>(now: Option<T>, books: Option<T>) -> Option<(T, String)> {
    match (now, books) {
        (Some(now), Some(before)) if now != before => Some((
            now,
            format!("{NOW}; earlier runs learned otherwise, the next one sees it anew"),
        )),
        (Some(now), _) => Some((now, NOW.to_owned())),
        (None, Some(books)) => Some((books, BOOKS.to_owned())),
        (None, None) => None,
    }
}

fn totals(now: &ApiTraits, books: &ApiTraits) -> Finding {
    const CHECK: &str = "totals";
    const WITHOUT: &str = "a window is complete once its last page has room left; one that holds too much is only known \
                           after all of its pages, so loading takes more requests";
    // Detecting `Other` takes whole windows.
    let now = now
        .num_results
        .filter(|_| books.num_results != Some(NumResults::Other));
    match known(now, books.num_results) {
        None => Finding::ok(CHECK, UNKNOWN),
        Some((NumResults::Total, from)) => Finding::ok(
            CHECK,
            format!("numResults is the number of all records of a window ({from})"),
        )
        .means("the first page tells whether a window holds too much, and the total proves that nothing is missing"),
        Some((NumResults::Page, from)) => {
            Finding::ok(CHECK, format!("numResults only counts the page ({from})")).means(WITHOUT)
        }
        Some((NumResults::Absent, from)) => {
            Finding::ok(CHECK, format!("there is no numResults ({from})")).means(WITHOUT)
        }
        Some((NumResults::Other, from)) => Finding::warning(
            CHECK,
            format!("numResults is more than can be had of a window ({from})"),
        )
        .means(WITHOUT)
        .remedy("ask the vendor what numResults counts: perhaps records that the app may not see"),
    }
}

fn offset_unit(now: &ApiTraits, books: &ApiTraits) -> Finding {
    const CHECK: &str = "offset";
    match known(now.offset_unit, books.offset_unit) {
        None => Finding::ok(CHECK, UNKNOWN),
        Some((OffsetUnit::Pages, from)) => {
            Finding::ok(CHECK, format!("offset counts pages, as documented ({from})"))
        }
        Some((OffsetUnit::Records, from)) => {
            Finding::warning(CHECK, format!("offset counts records, not pages ({from})")).means(
                "pages are asked for accordingly; if the API also keeps its documented limit of 10 for the offset, \
                 only one page of a window is served and loading takes more requests",
            )
        }
    }
}

fn page_size(now: &ApiTraits, books: &ApiTraits) -> Finding {
    const CHECK: &str = "page size";
    match known(now.page_size, books.page_size) {
        None => Finding::ok(CHECK, format!("{PAGE_SIZE} records, as far as is known")),
        Some((size, from)) => Finding::warning(
            CHECK,
            format!("a page has {size} records at most, of {PAGE_SIZE} that are asked for ({from})"),
        )
        .means("windows are cut accordingly, so loading takes more requests; nothing is lost"),
    }
}

fn pages(now: &ApiTraits, books: &ApiTraits) -> Finding {
    const CHECK: &str = "pages served";
    let all = LAST_OFFSET + 1;
    let (refused, from) = match (now.refused_page, books.refused_page) {
        (Some(refused), _) => (Some(refused), NOW),
        (None, refused) => (refused, BOOKS),
    };
    if let Some(refused) = refused {
        return Finding::warning(
            CHECK,
            format!(
                "page {} of a window is not served, of {all} documented ({from})",
                refused + 1
            ),
        )
        .means(format!(
            "windows are cut to hold {} records at most, so loading takes more requests; nothing is lost",
            refused.max(1) * now.page_size.or(books.page_size).unwrap_or(PAGE_SIZE)
        ));
    }
    let (deepest, from) = if now.deepest_page >= books.deepest_page {
        (now.deepest_page, NOW)
    } else {
        (books.deepest_page, BOOKS)
    };
    match deepest {
        0 => Finding::ok(CHECK, UNKNOWN),
        deepest => Finding::ok(CHECK, format!("{} of {all} at least ({from})", deepest + 1)),
    }
}
