use std::collections::VecDeque;
use std::time::Duration;

use crate::config::RequestLimits;

/// Older pace says little.
const REMEMBERED: Duration = Duration::from_secs(3 * 60);

#[derive(Debug)]
pub(crate) struct Pace {
    seconds_each: f64,
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    pub(crate) fn new(limits: RequestLimits) -> Self {
        Self {
            seconds_each: limits.time_for(1).as_secs_f64(),
            seen: VecDeque::new(),
        }
    }

    pub(crate) fn see(&mut self, at: Duration, requests: u64) {
        self.seen.push_back((at, requests));
        while self.seen.front().is_some_and(|(seen, _)| *seen + REMEMBERED < at) {
            self.seen.pop_front();
        }
    }

    pub(crate) fn eta(&self, left: u64) -> Option<Duration> {
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let (from, to) = (self.seen.front()?, self.seen.back()?);
        eta(
            to.0 - from.0,
            to.1.saturating_sub(from.1),
            left,
            self.seconds_each,
        )
    }
}

pub(crate) fn at_average(
    elapsed: Duration,
    made: u64,
    left: u64,
    limits: Option<RequestLimits>,
) -> Option<Duration> {
    let by_budget = limits.map_or(0.0, |limits| limits.time_for(1).as_secs_f64());
    eta(elapsed, made, left, by_budget)
}

/// No faster than the budget allows.
#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate needs no more than 52 bits"
)]
fn eta(took: Duration, made: u64, left: u64, by_budget: f64) -> Option<Duration> {
    let by_pace = (made > 0).then(|| took.as_secs_f64() / made as f64);
    let each = by_pace.or_else(|| (by_budget > 0.0).then_some(by_budget))?;
    Duration::try_from_secs_f64(each.max(by_budget) * left as f64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_rest_takes_as_long_as_the_last_minutes_say() {
        let mut pace = Pace::new(RequestLimits::of(0, 0));
        assert_eq!(pace.eta(10), None);
        pace.see(seconds(0), 0);
        assert_eq!(pace.eta(10), None);
        pace.see(seconds(10), 20);
        assert_eq!(pace.eta(10), Some(seconds(5)));
        pace.see(seconds(300), 30);
        pace.see(seconds(310), 40);
        assert_eq!(pace.eta(10), Some(seconds(10)), "the fast beginning is forgotten");
        assert_eq!(pace.eta(0), Some(seconds(0)));
    }

    #[test]
    fn the_estimate_follows_the_pace_so_far_within_the_budget() {
        assert_eq!(
            at_average(seconds(10), 20, 10, Some(RequestLimits::of(0, 0))),
            Some(seconds(5))
        );
        assert_eq!(
            at_average(seconds(10), 20, 10, Some(RequestLimits::of(60, 0))),
            Some(seconds(10))
        );
        assert_eq!(at_average(seconds(10), 0, 10, None), None);
        assert_eq!(
            at_average(seconds(10), 0, 10, Some(RequestLimits::of(0, 3_600))),
            Some(seconds(10))
        );
    }

    #[test]
    fn nothing_goes_faster_than_the_budget() {
        let mut pace = Pace::new(RequestLimits::of(60, 1_800));
        pace.see(seconds(0), 0);
        assert_eq!(pace.eta(30), Some(seconds(60)));
        pace.see(seconds(1), 20);
        assert_eq!(pace.eta(30), Some(seconds(60)));
        pace.see(seconds(100), 20);
        assert_eq!(pace.eta(30), Some(seconds(150)));
    }
}
