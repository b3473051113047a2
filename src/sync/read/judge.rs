//! Decides whether a pass shows all records of its window. Pure.

use super::pass::{After, Pass, PassEnd};
use super::profile::{ApiProfile, Range};

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
    let is_shifted = pass.pages.len() > 1 && pass.repeated() > 0 && !is_same;
    let is_counted_twice = is_same && pass.total == Some(pass.shown());
    let is_clean = !pass.has_strays() && (pass.pages.len() == 1 || pass.repeated() == 0);
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
    pass.has_strays() && pass.total != Some(pass.distinct())
}
