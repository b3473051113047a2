//! What a run is for.

use chrono::{DateTime, TimeDelta, Utc};

use crate::extract::Priority;
use crate::ledger::Purpose;
use crate::ledger::runs::Kind;
use crate::ledger::wanted::Wanted;
use crate::time::window::Window;

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Everything uncovered, regularly.
    Poll,
    /// Everything uncovered, on command.
    Sync,
    /// What may have changed.
    Refresh {
        /// Its name in the configuration.
        policy: String,
        /// How far back.
        lookback: TimeDelta,
        /// Readings from here on are fresh.
        since: DateTime<Utc>,
        /// Also older open sessions, if started since.
        open_since: Option<DateTime<Utc>>,
        /// Also what was last read before it settled (`sync.late_minutes`).
        unsettled: bool,
    },
    /// A past range, on command.
    Backfill {
        /// May precede the account's start.
        range: Window,
        /// Whether covered parts are read again.
        refetch: bool,
    },
}

impl Job {
    /// Its ledger name.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Poll => Kind::Poll,
            Self::Sync => Kind::Sync,
            Self::Refresh { .. } => Kind::Refresh,
            Self::Backfill { .. } => Kind::Backfill,
        }
    }

    pub(super) fn policy(&self) -> Option<&str> {
        match self {
            Self::Refresh { policy, .. } => Some(policy),
            _ => None,
        }
    }

    pub(super) fn purpose(&self) -> Purpose {
        match self {
            Self::Poll | Self::Sync => Purpose::New,
            Self::Refresh { .. } => Purpose::Refresh,
            Self::Backfill { .. } => Purpose::Backfill,
        }
    }

    pub(super) fn priority(&self) -> Priority {
        match self {
            Self::Poll | Self::Sync => Priority::Live,
            Self::Refresh { .. } => Priority::Refresh,
            Self::Backfill { .. } => Priority::Backfill,
        }
    }

    /// Yields to a live daemon.
    pub(super) fn gives_way(&self) -> bool {
        matches!(self, Self::Backfill { .. })
    }

    pub(super) fn answers_for_gaps(&self) -> bool {
        matches!(self, Self::Sync | Self::Backfill { .. })
    }

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
