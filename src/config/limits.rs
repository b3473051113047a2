use std::time::Duration;

use serde::{Serialize, Serializer};

use super::section::settings;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetSpan {
    Minute,
    Hour,
}

impl BudgetSpan {
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    pub const LONGEST: Self = Self::Hour;

    pub const fn length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3_600),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }

    pub fn time_for(self, requests: u64, limit: u32) -> Duration {
        let nanoseconds = self.length().as_nanos() * u128::from(requests) / u128::from(limit.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

impl Serialize for BudgetSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.length().as_secs().serialize(serializer)
    }
}

settings! {
    #[derive(Copy, PartialEq, Eq)]
    RequestLimits {
        /// 0: unlimited.
        per_minute: u32 = integer("requests_per_minute", 0..=100_000);
        /// 0: unlimited.
        per_hour: u32 = integer("requests_per_hour", 0..=1_000_000);
        /// Never 0; each may hold a page in memory.
        max_in_flight: usize = number("max_in_flight", 0..=64, in_flight);
    }
}

/// 0 asks for as many as can be set.
fn in_flight(requests: usize) -> usize {
    if requests == 0 { 64 } else { requests }
}

impl RequestLimits {
    /// 0: unlimited.
    pub fn requests_in(&self, span: BudgetSpan) -> u32 {
        match span {
            BudgetSpan::Minute => self.per_minute,
            BudgetSpan::Hour => self.per_hour,
        }
    }

    pub fn spans(self) -> impl Iterator<Item = (BudgetSpan, u32)> {
        let spans = BudgetSpan::ALL.map(|span| (span, self.requests_in(span)));
        spans.into_iter().filter(|(_, requests)| *requests > 0)
    }

    pub fn time_for(self, requests: u64) -> Duration {
        self.spans()
            .map(|(span, limit)| span.time_for(requests, limit))
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
impl RequestLimits {
    pub(crate) fn of(per_minute: u32, per_hour: u32) -> Self {
        Self {
            per_minute,
            per_hour,
            max_in_flight: 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_take_as_long_as_the_narrowest_limit_needs_for_them() {
        let milliseconds = |limits: RequestLimits, requests| limits.time_for(requests).as_millis();
        assert_eq!(milliseconds(RequestLimits::of(0, 0), 1_000), 0);
        assert_eq!(milliseconds(RequestLimits::of(60, 0), 10), 10_000);
        assert_eq!(milliseconds(RequestLimits::of(60, 600), 10), 60_000);
        assert_eq!(milliseconds(RequestLimits::of(7, 0), 1), 8_571);
        assert_eq!(
            RequestLimits::of(1, 1).time_for(u64::MAX),
            Duration::from_nanos(u64::MAX)
        );
    }
}
