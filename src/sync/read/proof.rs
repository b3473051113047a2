//! What proved a window complete: withdrawn if the API contradicts it.

use super::judge::Judgement;
use super::pass::{After, Pass, PassEnd};

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
