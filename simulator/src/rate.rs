//! The request budget of an account: at most so many in any sliding window.

use std::{collections::VecDeque, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::{
    http_date::http_date,
    options::{Limits, RetryAfter},
};

const PER_MINUTE: &str =
    "You've exceeded the per-minute rate limit. Please wait for sometime before retrying.";
const PER_HOUR: &str = "Rate limit for this API has been reached. Please try again later";

/// The requests let in lately. Refused ones do not count.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter {
    admitted: VecDeque<Instant>,
}

/// Why a request was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limited {
    pub(crate) message: &'static str,
    /// How long until one more is let in.
    pub(crate) wait: Duration,
}

impl RateLimiter {
    /// Lets a request in, or says why not. The monotonic clock is used: a shifted wall clock changes no budget.
    pub(crate) fn admit(&mut self, limits: &Limits, now: Instant) -> Result<(), Limited> {
        let hour = limits.minute * 60;
        while self
            .admitted
            .front()
            .is_some_and(|at| now.duration_since(*at) >= hour)
        {
            self.admitted.pop_front();
        }
        let budgets = [
            (limits.requests_per_minute, limits.minute, PER_MINUTE),
            (limits.requests_per_hour, hour, PER_HOUR),
        ];
        for (budget, window, message) in budgets {
            if let Some(wait) = budget.and_then(|budget| self.wait(budget, window, now)) {
                return Err(Limited { message, wait });
            }
        }
        if limits.requests_per_minute.is_some() || limits.requests_per_hour.is_some() {
            self.admitted.push_back(now);
        }
        Ok(())
    }

    /// How long until the window has room, or `None` if it has.
    fn wait(&self, budget: u32, window: Duration, now: Instant) -> Option<Duration> {
        let budget = usize::try_from(budget).unwrap_or(usize::MAX);
        if budget == 0 {
            return Some(window);
        }
        let oldest_that_counts = self.admitted.len().checked_sub(budget)?;
        let age = now.duration_since(*self.admitted.get(oldest_that_counts)?);
        window.checked_sub(age).filter(|wait| !wait.is_zero())
    }
}

/// The `Retry-After` header for a wait.
pub(crate) fn retry_after(style: &RetryAfter, wait: Duration, now: DateTime<Utc>) -> Option<String> {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match style {
        RetryAfter::Absent => None,
        RetryAfter::Seconds => Some(seconds.to_string()),
        RetryAfter::HttpDate => Some(http_date(
            now + TimeDelta::seconds(i64::try_from(seconds).unwrap_or(0)),
        )),
        RetryAfter::Exactly(text) => Some(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn limits(minute: Option<u32>, hour: Option<u32>) -> Limits {
        Limits {
            requests_per_minute: minute,
            requests_per_hour: hour,
            ..Limits::default()
        }
    }

    #[test]
    fn the_window_slides() {
        let (limits, start) = (limits(Some(2), None), Instant::now());
        let mut limiter = RateLimiter::default();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(limiter.admit(&limits, at(0)).is_ok());
        assert!(limiter.admit(&limits, at(50)).is_ok());
        let limited = limiter.admit(&limits, at(59)).unwrap_err();
        assert_eq!(
            limited,
            Limited {
                message: PER_MINUTE,
                wait: Duration::from_secs(1)
            }
        );
        assert!(limiter.admit(&limits, at(60)).is_ok());
        assert!(limiter.admit(&limits, at(109)).is_err());
        assert!(limiter.admit(&limits, at(110)).is_ok());
    }

    #[test]
    fn the_hour_has_its_own_budget() {
        let (limits, start) = (limits(Some(60), Some(3)), Instant::now());
        let mut limiter = RateLimiter::default();
        let at = |minutes: u64| start + Duration::from_secs(minutes * 60);
        assert!((0..3).all(|minute| limiter.admit(&limits, at(minute * 10)).is_ok()));
        assert_eq!(limiter.admit(&limits, at(59)).unwrap_err().message, PER_HOUR);
        assert!(limiter.admit(&limits, at(60)).is_ok());
    }

    #[test]
    fn the_header_has_each_of_its_forms() {
        let now = Utc.with_ymd_and_hms(1994, 11, 6, 8, 49, 35).unwrap();
        let header = |style| retry_after(&style, Duration::from_millis(1500), now);
        assert_eq!(header(RetryAfter::Absent), None);
        assert_eq!(header(RetryAfter::Seconds).unwrap(), "2");
        assert_eq!(
            header(RetryAfter::HttpDate).unwrap(),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(header(RetryAfter::Exactly("-1".to_owned())).unwrap(), "-1");
    }
}
