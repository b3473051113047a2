//! What a run is asked to do.

use chrono::{DateTime, TimeDelta, Utc};

use crate::load::runs::Kind;

/// A job for an account's worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Brings the account up to now, as the daemon does regularly.
    Poll,
    /// One pass to now, asked for on the command line.
    Sync,
    /// Reads again what was loaded before, since it may have changed.
    Refresh {
        /// How far back it reads.
        lookback: TimeDelta,
        /// When it became due: what was read after that need not be read again for it.
        since: DateTime<Utc>,
        /// Sessions without an end that began after this are read again as well, however far back
        /// that is; `None`: they get no more attention than others.
        open_since: Option<DateTime<Utc>>,
    },
}

impl Job {
    /// What the books call it.
    pub fn kind(&self) -> Kind {
        match self {
            // Nothing is read twice yet: a refresh does what a poll does.
            Self::Poll | Self::Refresh { .. } => Kind::Poll,
            Self::Sync => Kind::Sync,
        }
    }
}
