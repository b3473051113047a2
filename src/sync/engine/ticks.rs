use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::config::Cron;

#[derive(Debug, Default)]
pub(super) struct Ticks(HashMap<String, DateTime<Utc>>);

impl Ticks {
    /// The last tick, if it was not answered. Several missed ticks count as one.
    pub(super) fn due(&mut self, name: &str, every: &Cron, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let tick = every.last_before(now)?;
        let answered = self.0.get(name).copied();
        // If the clock was set back, answered ticks lie ahead.
        let is_due = answered.is_none_or(|answered| answered < tick || answered > now);
        is_due.then(|| {
            self.0.insert(name.to_owned(), tick);
            tick
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn due(ticks: &mut Ticks, minute: i64) -> Option<i64> {
        let every = Cron::parse("0 */5 * * * *").unwrap();
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1) + TimeDelta::seconds(minute * 60 + 30);
        let tick = ticks.due("poll", &every, now)?;
        Some((tick - DateTime::UNIX_EPOCH - TimeDelta::days(1)).num_minutes())
    }

    #[test]
    fn each_tick_is_answered_once() {
        let mut ticks = Ticks::default();
        let answered: Vec<_> = (0..11).filter_map(|minute| due(&mut ticks, minute)).collect();
        assert_eq!(answered, [0, 5, 10]);
    }

    #[test]
    fn ticks_that_were_slept_through_are_one() {
        let mut ticks = Ticks::default();
        due(&mut ticks, 0);
        assert_eq!(due(&mut ticks, 12 * 60 + 3), Some(12 * 60));
        assert_eq!(due(&mut ticks, 12 * 60 + 4), None);
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_tick() {
        let mut ticks = Ticks::default();
        due(&mut ticks, 60);
        assert_eq!(due(&mut ticks, 0), Some(0));
        assert_eq!(due(&mut ticks, 1), None);
        assert_eq!(due(&mut ticks, 5), Some(5));
    }
}
