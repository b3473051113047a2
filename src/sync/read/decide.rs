//! Which page is next, whether a pass shows all records, and what proves it. Pure.

use std::ops;

use crate::extract::LAST_OFFSET;

use super::Slice;
use super::pass::{After, Pass, PassEnd};
use super::profile::{ApiProfile, OffsetUnit, Range};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NextPage {
    Pages(ops::Range<usize>),
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
    let (pages, reach, length) = (pass.lengths.len(), profile.pages(), pass.first().records);
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
    } else if pass.lengths.len() < profile.pages() {
        NextPage::Perhaps(pass.lengths.len())
    } else if slice.may_be_split() {
        NextPage::End(PassEnd::OutOfReach)
    } else {
        NextPage::End(PassEnd::Proven)
    }
}

fn past_the_end(profile: &ApiProfile, pass: &Pass, after: After) -> PassEnd {
    // Some servers answer with an empty page for pages that they never serve.
    let is_served = pass.lengths.len() <= profile.deepest_page || profile.page_size.is_some();
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
    let (pages, length) = (pass.lengths.len(), pass.newest().records);
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
    pass.lengths.len() == 1 && pass.unit == OffsetUnit::Records
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Drained,
    /// Drained, but the reported number is no total.
    NoTotal,
    Overflow,
    /// Overflow: the page after the last is not served.
    Unserved,
    Doubtful,
    Again,
    /// Read again without the total, which was exceeded twice.
    FalseTotal,
    Inconsistent,
    Elsewhere,
    Strays,
    Withheld,
}

impl Judgement {
    pub(super) fn is_drained(self) -> bool {
        matches!(self, Self::Drained | Self::NoTotal)
    }
}

pub(super) fn judge(profile: &ApiProfile, pass: &Pass, before: Option<&Pass>) -> Judgement {
    let is_same = before.is_some_and(|before| pass.total == before.total && pass.shows_the_same_as(before));
    // A record that comes twice displaces another, unless it comes twice in each pass.
    let is_shifted = pass.lengths.len() > 1 && pass.repeated() > 0 && !is_same;
    let is_counted_twice = is_same && pass.total == Some(pass.shown());
    let is_clean = pass.strays == 0 && (pass.lengths.len() == 1 || pass.repeated() == 0);
    match pass.end {
        _ if pass.places.are_elsewhere() => {
            let is_habit = profile.range == Some(Range::Ignored) || before.is_some();
            if is_habit {
                Judgement::Elsewhere
            } else {
                Judgement::Again
            }
        }
        PassEnd::OutOfReach => Judgement::Overflow,
        PassEnd::Proven if !is_shifted && !may_hide_records(pass) => Judgement::Drained,
        PassEnd::BelowTotal if is_counted_twice && !may_hide_records(pass) => Judgement::Drained,
        PassEnd::NotServed if is_clean => Judgement::Doubtful,
        _ if may_hide_records(pass) && before.is_some_and(may_hide_records) => Judgement::Strays,
        PassEnd::BelowTotal if pass.shown() == 0 && is_clean => Judgement::Withheld,
        // An empty page after a full one may mean that it is not served.
        PassEnd::BelowTotal
            if is_same && is_clean && pass.ends_full() && pass.after != Some(After::LastRows) =>
        {
            Judgement::Unserved
        }
        PassEnd::BelowTotal if is_same && is_clean => no_total(profile),
        PassEnd::AboveTotal if before.is_some_and(|before| before.end == PassEnd::AboveTotal) => {
            Judgement::FalseTotal
        }
        _ => Judgement::Again,
    }
}

/// The reported number exceeds what can be read. If totals were right so far, records are withheld.
pub(super) fn no_total(profile: &ApiProfile) -> Judgement {
    if profile.totals_add_up {
        Judgement::Inconsistent
    } else {
        Judgement::NoTotal
    }
}

fn may_hide_records(pass: &Pass) -> bool {
    pass.strays > 0 && pass.total != Some(pass.distinct())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sync) enum Proof {
    /// As many distinct records as reported.
    Total,
    /// Shorter than a full page.
    ShortPage,
    TotalAndShortPage,
    /// An empty page follows.
    EmptyPage,
    /// All parts together reach the total.
    Parts,
}

impl Proof {
    pub(in crate::sync) fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::ShortPage => "short_page",
            Self::TotalAndShortPage => "total_and_short_page",
            Self::EmptyPage => "empty_page",
            Self::Parts => "parts",
        }
    }

    /// `None` unless drained.
    pub(super) fn of(pass: &Pass, judgement: Judgement) -> Option<Self> {
        let is_total = pass.total == Some(pass.distinct());
        let is_at_end = pass.after.is_some_and(|after| after != After::NotServed);
        judgement.is_drained().then_some(match pass.end {
            _ if pass.shown() == 0 => Self::EmptyPage,
            PassEnd::NotServed => Self::Parts,
            _ if is_total && pass.ends_full() && !is_at_end => Self::Total,
            _ if pass.ends_full() => Self::EmptyPage,
            _ if is_total => Self::TotalAndShortPage,
            _ => Self::ShortPage,
        })
    }
}
