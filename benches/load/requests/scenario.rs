//! Shapes of data that a first load meets.

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::{Batch, Data, Spread};

/// Nothing begins later than this before now, so that no session is still going on.
const QUIET_HOURS: i64 = 3;

/// Of the bursty data: the day on which it begins, its length in seconds, and how many.
const BURSTS: [(i64, i64, usize); 6] = [
    (3, 120, 800),
    (7, 180, 1_200),
    (12, 240, 1_600),
    (18, 300, 2_000),
    (22, 450, 2_500),
    (27, 600, 3_000),
];

/// A shape of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// A contact centre that hardly anybody calls.
    Sparse,
    /// A contact centre with office hours.
    Typical,
    /// A very large one, day and night.
    Dense,
    /// Quiet, but for minutes in which everybody calls.
    Bursty,
}

/// What a scenario is to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// So many requests at most.
    Requests(u64),
    /// So many requests at most for each that any program needs.
    Ratio(f64),
    /// It is only shown.
    None,
}

impl Scenario {
    pub(crate) const ALL: [Self; 4] = [Self::Sparse, Self::Typical, Self::Dense, Self::Bursty];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sparse => "sparse",
            Self::Typical => "typical",
            Self::Dense => "dense",
            Self::Bursty => "bursty",
        }
    }

    /// From the earliest interaction to now.
    pub(crate) fn days(self) -> i64 {
        match self {
            Self::Sparse => 90,
            Self::Typical => 60,
            Self::Dense => 3,
            Self::Bursty => 30,
        }
    }

    /// The interactions, `scale` times as many as the scenario says.
    pub(crate) fn data(self, now: DateTime<Utc>, scale: f64) -> Data {
        let from = now - TimeDelta::days(self.days());
        let throughout = |count, spread| Batch {
            from,
            to: now - TimeDelta::hours(QUIET_HOURS),
            count: scaled(count, scale),
            spread,
        };
        let batches = match self {
            Self::Sparse => vec![throughout(300, Spread::Even)],
            Self::Typical => vec![throughout(100_000, Spread::Week)],
            Self::Dense => vec![throughout(60_000, Spread::Even)],
            Self::Bursty => {
                let in_bursts: usize = BURSTS.iter().map(|(_, _, count)| count).sum();
                let bursts = BURSTS.iter().map(|(day, seconds, count)| Batch {
                    from: from + TimeDelta::days(*day),
                    to: from + TimeDelta::days(*day) + TimeDelta::seconds(*seconds),
                    count: scaled(*count, scale),
                    spread: Spread::Even,
                });
                let rest = throughout(30_000 - in_bursts, Spread::Week);
                std::iter::once(rest).chain(bursts).collect()
            }
        };
        Data { from, batches }
    }

    pub(crate) fn goal(self, totals: bool) -> Goal {
        match self {
            // A request shows seven days at most, and seven more leave room for feeling the way: whether ranges are kept to,
            // and what follows a page that is longer than all before.
            Self::Sparse => Goal::Requests(u64::try_from(self.days()).unwrap_or(0).div_ceil(7) + 7),
            Self::Typical | Self::Dense if totals => Goal::Ratio(1.10),
            Self::Typical | Self::Dense => Goal::Ratio(1.20),
            Self::Bursty => Goal::None,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of records is small, and the scale is above 0"
)]
fn scaled(count: usize, scale: f64) -> usize {
    ((count as f64 * scale).round() as usize).max(1)
}
