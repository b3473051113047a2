//! The API's clock.

use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::time::Clock;

/// `Date` has whole seconds; answers take time.
const OTHER_CLOCK: TimeDelta = TimeDelta::seconds(5);

/// Lower, against flapping.
const SAME_CLOCK: TimeDelta = TimeDelta::seconds(3);

/// A proxy's wrong clock must not stop loading.
const BELIEVED_FOR: Duration = Duration::from_secs(2 * 60);

/// An impostor must not obtain long-lived tokens.
const FURTHEST_SIGNED: TimeDelta = TimeDelta::seconds(3_600 + OTHER_CLOCK.num_seconds());

#[derive(Debug, Default)]
pub(super) struct ApiClock {
    seen: Option<(TimeDelta, DateTime<Utc>, Instant)>,
    is_other: bool,
    pub(super) is_said: bool,
}

/// RFC 9110, sections 5.6.7 and 6.6.1.
pub(super) fn date(text: &str) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
    (1970..=9999).contains(&date.year()).then_some(date)
}

pub(super) fn is_too_far_to_sign(ahead: TimeDelta) -> bool {
    ahead.abs() > FURTHEST_SIGNED
}

impl ApiClock {
    pub(super) fn see(&mut self, ahead: TimeDelta, now: DateTime<Utc>) {
        self.seen = Some((ahead, now, Instant::now()));
        let limit = if self.is_other { SAME_CLOCK } else { OTHER_CLOCK };
        self.is_other = ahead.abs() > limit;
    }

    pub(super) fn newest(&self) -> Option<TimeDelta> {
        self.seen.map(|(ahead, ..)| ahead)
    }

    pub(super) fn now(&self, clock: &dyn Clock) -> DateTime<Utc> {
        let now = clock.now();
        moved(now, self.ahead(now, clock))
    }

    pub(super) fn now_to_sign(&self, clock: &dyn Clock) -> DateTime<Utc> {
        let now = clock.now();
        let ahead = self.ahead(now, clock);
        moved(now, ahead.filter(|ahead| !is_too_far_to_sign(*ahead)))
    }

    fn ahead(&self, now: DateTime<Utc>, clock: &dyn Clock) -> Option<TimeDelta> {
        let (ahead, at, instant) = self.seen.filter(|_| self.is_other)?;
        let elapsed = clock.elapsed(instant);
        let passed = TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX);
        let has_jumped = (now - at)
            .checked_sub(&passed)
            .is_none_or(|off| off.abs() > OTHER_CLOCK);
        (!has_jumped && elapsed <= BELIEVED_FOR).then_some(ahead)
    }
}

fn moved(now: DateTime<Utc>, ahead: Option<TimeDelta>) -> DateTime<Utc> {
    now.checked_add_signed(ahead.unwrap_or_default()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Still(DateTime<Utc>, Duration);

    impl Clock for Still {
        fn now(&self) -> DateTime<Utc> {
            self.0
        }

        fn elapsed(&self, _: Instant) -> Duration {
            self.1
        }
    }

    #[test]
    fn clocks_that_differ_by_about_the_limit_do_not_flap() {
        let mut skew = ApiClock::default();
        let mut see = |seconds| {
            skew.see(TimeDelta::seconds(seconds), DateTime::UNIX_EPOCH);
            skew.is_other
        };
        assert!(!see(-5));
        assert!(see(-6));
        assert!(see(-5), "an answer that was a second faster");
        assert!(see(-4));
        assert!(!see(-2));
        assert!(!see(5));
    }

    #[test]
    fn an_old_answer_about_the_api_clock_expires() {
        let mut skew = ApiClock::default();
        let then = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        skew.see(-TimeDelta::days(20_000), then);
        let ahead = |minutes: i64| {
            let elapsed = TimeDelta::minutes(minutes);
            let clock = Still(then + elapsed, elapsed.to_std().unwrap());
            skew.ahead(clock.now(), &clock)
        };
        assert_eq!(ahead(2), Some(-TimeDelta::days(20_000)));
        assert_eq!(ahead(3), None);
    }

    #[test]
    fn tokens_follow_the_clock_of_the_api_for_an_hour_at_most() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        for (seconds, followed) in [
            (30, 30),
            (3_600, 3_600),
            (-3_600, -3_600),
            (3_700, 0),
            (-7_200, 0),
        ] {
            let mut clock = ApiClock::default();
            clock.see(TimeDelta::seconds(seconds), now);
            let signed = clock.now_to_sign(&Still(now, Duration::ZERO));
            assert_eq!((signed - now).num_seconds(), followed, "{seconds}");
            let known = clock.now(&Still(now, Duration::ZERO));
            assert_eq!((known - now).num_seconds(), seconds);
        }
    }

    #[test]
    fn a_date_that_no_clock_shows_is_none() {
        assert!(date("Thu, 31 Dec 2099 23:00:00 GMT").is_some());
        for text in [
            "31 Dec 262142 23:59:59 GMT",
            "Mon, 01 Jan 1900 00:00:00 GMT",
            "01 Jan 10000 00:00:00 GMT",
            "soon",
            "",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn no_difference_between_clocks_overflows() {
        for (now, ahead) in [
            (DateTime::<Utc>::MAX_UTC, TimeDelta::days(1)),
            (DateTime::<Utc>::MIN_UTC, TimeDelta::days(-1)),
        ] {
            let mut clock = ApiClock::default();
            clock.see(ahead, now);
            assert_eq!(clock.now(&Still(now, Duration::ZERO)), now);
            clock.see(ahead, DateTime::UNIX_EPOCH);
            assert_eq!(clock.now(&Still(now, Duration::MAX)), now);
        }
    }
}
