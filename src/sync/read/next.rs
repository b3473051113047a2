//! Chooses the next pages. Pure.

use std::ops::Range;

use crate::extract::LAST_OFFSET;

use super::Slice;
use super::pass::{After, Pass, PassEnd};
use super::profile::{ApiProfile, OffsetUnit};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NextPage {
    Pages(Range<usize>),
    /// May lie past the end.
    Perhaps(usize),
    End(PassEnd),
}

pub(super) fn next(profile: &ApiProfile, slice: &Slice, pass: &Pass) -> NextPage {
    match (pass.after, pass.total) {
        _ if pass.is_too_large() => NextPage::End(PassEnd::OutOfReach),
        // The following page exists, but is not served.
        (Some(_), _) if pass.is_followed => NextPage::End(PassEnd::OutOfReach),
        (after, Some(total)) if pass.distinct() < total => below_total(profile, slice, pass, after, total),
        (_, Some(total)) if pass.distinct() > total => NextPage::End(PassEnd::AboveTotal),
        (after, Some(_)) => at_total(profile, slice, pass, after),
        (Some(after), None) => NextPage::End(past_the_end(profile, pass, after)),
        (None, None) => without_total(profile, slice, pass),
    }
}

fn below_total(
    profile: &ApiProfile,
    slice: &Slice,
    pass: &Pass,
    after: Option<After>,
    total: u64,
) -> NextPage {
    let (pages, reach, length) = (pass.pages.len(), profile.pages(), pass.first().records);
    let begins_full = length >= pass.full_page;
    if let Some(after) = after {
        return NextPage::End(match after {
            After::NotServed if begins_full => PassEnd::OutOfReach,
            After::NotServed => PassEnd::NotServed,
            After::Empty if !begins_full && is_second_by_records(pass) => PassEnd::NotServed,
            _ => PassEnd::BelowTotal,
        });
    }
    let wanted = usize::try_from(total)
        .unwrap_or(usize::MAX)
        .div_ceil(length.max(1));
    // A window that can be split is not read in part.
    let is_hopeless = wanted > reach && (slice.may_be_split() || reach == 1);
    match pages {
        _ if !begins_full && pages <= LAST_OFFSET => NextPage::Pages(pages..pages + 1),
        _ if is_hopeless || pages >= reach => NextPage::End(PassEnd::OutOfReach),
        // The second page shows what `offset` counts.
        1 => NextPage::Pages(1..2),
        _ => NextPage::Pages(pages..wanted.min(reach).max(pages + 1)),
    }
}

/// The total may be a page size or a cap, so a full page is followed by one more request.
fn at_total(profile: &ApiProfile, slice: &Slice, pass: &Pass, after: Option<After>) -> NextPage {
    if after.is_some() || !pass.ends_full() {
        NextPage::End(PassEnd::Proven)
    } else if pass.pages.len() < profile.pages() {
        NextPage::Perhaps(pass.pages.len())
    } else if slice.may_be_split() {
        NextPage::End(PassEnd::OutOfReach)
    } else {
        NextPage::End(PassEnd::Proven)
    }
}

fn past_the_end(profile: &ApiProfile, pass: &Pass, after: After) -> PassEnd {
    // Some servers answer with an empty page for pages that they never serve.
    let is_served = pass.pages.len() <= profile.deepest_page || profile.page_size.is_some();
    match after {
        After::LastRows => PassEnd::Proven,
        After::Empty if pass.ends_full() && is_served => PassEnd::Proven,
        _ if pass.ends_full() => PassEnd::OutOfReach,
        After::NotServed if profile.may_be_full(pass) => PassEnd::NotServed,
        After::Empty if is_second_by_records(pass) => PassEnd::NotServed,
        _ => PassEnd::Proven,
    }
}

fn without_total(profile: &ApiProfile, slice: &Slice, pass: &Pass) -> NextPage {
    let (pages, length) = (pass.pages.len(), pass.newest().records);
    let is_too_short = pages == 1 && slice.expects_more_than(length);
    if length == 0 || !(profile.may_be_full(pass) || is_too_short) {
        return NextPage::End(PassEnd::Proven);
    }
    let is_enough = pages == 1 && slice.is_probe;
    match pass.ends_full() {
        true if is_enough || pages >= profile.pages() => NextPage::End(PassEnd::OutOfReach),
        true => NextPage::Pages(pages..pages + 1),
        false if pages > LAST_OFFSET => NextPage::End(PassEnd::OutOfReach),
        false => NextPage::Perhaps(pages),
    }
}

/// Counted in records, the second page may lie past the last offset.
fn is_second_by_records(pass: &Pass) -> bool {
    pass.pages.len() == 1 && pass.unit == OffsetUnit::Records
}
