//! What a run is for, and what follows from that.

use chrono::{DateTime, TimeDelta, Utc};

use crate::extract::Priority;
use crate::ledger::Purpose;
use crate::ledger::runs::Kind;
use crate::ledger::wanted::Wanted;
use crate::time::window::Window;

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// The daemon's regular look for new interactions: whatever is not covered, up to now.
    Poll,
    /// The same, asked for on the command line.
    Sync,
    /// Reading again what may have changed since.
    Refresh {
        /// How far back.
        lookback: TimeDelta,
        /// What was read at or after this instant is fresh enough.
        since: DateTime<Utc>,
        /// Sessions without an end that started at or after this instant are read again too, also
        /// where they are older than the lookback.
        open_since: Option<DateTime<Utc>>,
        /// What was not read since it could be settled (`sync.late_minutes`) is read too, also where it
        /// is older than the lookback.
        unsettled: bool,
    },
    /// A past range, asked for on the command line.
    Backfill {
        /// The range, which may lie before the account's start.
        range: Window,
        /// Whether what is covered already is read again.
        refetch: bool,
    },
}

impl Job {
    /// As the books name it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Poll => Kind::Poll,
            Self::Sync => Kind::Sync,
            Self::Refresh { .. } => Kind::Refresh,
            Self::Backfill { .. } => Kind::Backfill,
        }
    }

    pub(super) fn purpose(&self) -> Purpose {
        match self {
            Self::Poll | Self::Sync => Purpose::New,
            Self::Refresh { .. } => Purpose::Refresh,
            Self::Backfill { .. } => Purpose::Backfill,
        }
    }

    /// Who goes first where the request budget is short.
    pub(super) fn priority(&self) -> Priority {
        match self {
            Self::Poll | Self::Sync => Priority::Live,
            Self::Refresh { .. } => Priority::Refresh,
            Self::Backfill { .. } => Priority::Backfill,
        }
    }

    /// Whether it lets a live daemon have the account in between.
    pub(super) fn gives_way(&self) -> bool {
        matches!(self, Self::Backfill { .. })
    }

    /// Whether whoever asked for it has to know of gaps that are still open.
    pub(super) fn answers_for_gaps(&self) -> bool {
        matches!(self, Self::Sync | Self::Backfill { .. })
    }

    /// The range that the books show, where it is not simply everything up to now.
    pub(super) fn range(&self, head: DateTime<Utc>) -> Option<Window> {
        match self {
            Self::Poll | Self::Sync => None,
            Self::Refresh { lookback, .. } => Some(Window {
                start: head - *lookback,
                end: head,
            }),
            Self::Backfill { range, .. } => Some(*range),
        }
    }

    /// Since when what was read counts as read; `None` where coverage says that.
    pub(super) fn read_since(
        &self,
        resumed: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        match self {
            Self::Poll | Self::Sync | Self::Backfill { refetch: false, .. } => None,
            Self::Refresh { since, .. } => Some(*since),
            Self::Backfill { refetch: true, .. } => Some(resumed.unwrap_or(now)),
        }
    }

    /// What has to be read, apart from each other.
    pub(super) fn wanted(
        &self,
        head: DateTime<Utc>,
        read_since: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        late: TimeDelta,
    ) -> Vec<Wanted> {
        match (self, self.range(head), read_since) {
            (
                Self::Refresh {
                    open_since,
                    unsettled,
                    ..
                },
                Some(range),
                Some(since),
            ) => {
                vec![Wanted::Reread {
                    range,
                    since,
                    now,
                    open_since: *open_since,
                    late: unsettled.then_some(late),
                }]
            }
            (_, Some(range), Some(since)) => {
                vec![
                    Wanted::Missing { range, resting: true },
                    Wanted::Reread {
                        range,
                        since,
                        now,
                        open_since: None,
                        late: None,
                    },
                ]
            }
            (_, Some(range), None) => vec![Wanted::Missing {
                range,
                resting: false,
            }],
            (_, None, _) => vec![Wanted::New],
        }
    }
}
