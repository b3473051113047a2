//! What the simulated API is to be: its data, and how it behaves.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use smartassist_simulator::{Behaviour, Limits, NumResults, Options, Rhythm, Seed, World};

/// All that a simulator is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Api {
    pub(crate) data: Data,
    /// Whether an answer says how many records its range has.
    pub(crate) totals: bool,
    pub(crate) requests_per_minute: Option<u32>,
    /// How long an answer takes beside the work itself.
    pub(crate) latency: Duration,
}

/// Interactions, and since when they are wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Data {
    pub(crate) from: DateTime<Utc>,
    pub(crate) batches: Vec<Batch>,
}

/// Interactions that began in one stretch of time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) from: DateTime<Utc>,
    /// Exclusive.
    pub(crate) to: DateTime<Utc>,
    pub(crate) count: usize,
    pub(crate) spread: Spread,
}

/// How starts are spread over a batch.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Spread {
    Even,
    /// Busy on weekdays in office hours, quiet at night and at weekends.
    Week,
}

impl Api {
    /// One that says totals, has no limit, and answers at once.
    pub(crate) fn new(data: Data) -> Self {
        Self {
            data,
            totals: true,
            requests_per_minute: None,
            latency: Duration::ZERO,
        }
    }

    /// Such an API, with its data.
    pub(crate) fn world(&self, options: Options) -> World {
        let num_results = if self.totals {
            NumResults::Total
        } else {
            NumResults::Absent
        };
        let mut world = World::new(Options {
            limits: Limits {
                requests_per_minute: self.requests_per_minute,
                ..options.limits
            },
            behaviour: Behaviour {
                num_results,
                latency: self.latency,
                ..options.behaviour
            },
            ..options
        });
        for (number, batch) in (1..).zip(&self.data.batches) {
            world.seed(&batch.seed(number));
        }
        world
    }
}

impl Batch {
    /// Ids derive from the number and the start, so no two batches of a database may have the same of both.
    fn seed(&self, number: u64) -> Seed {
        let rhythm = match self.spread {
            Spread::Even => Rhythm::Flat,
            Spread::Week => Rhythm::Week,
        };
        Seed {
            rhythm,
            ..Seed::new(
                number << 48 | self.from.timestamp().unsigned_abs(),
                self.from,
                self.to,
                self.count,
            )
        }
    }
}
