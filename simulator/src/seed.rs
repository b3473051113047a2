//! What data to make: how many sessions, over which time, in which rhythm. The same seed makes the same data.

use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};

use crate::{dice::Dice, generate, interaction::Interaction};

/// A batch of generated sessions, the same for the same values, byte for byte.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The source of all chance; ids derive from it too, so two batches need two numbers.
    pub seed: u64,
    /// The earliest start.
    pub from: DateTime<Utc>,
    /// The latest start, exclusive.
    pub to: DateTime<Utc>,
    /// How many sessions.
    pub count: usize,
    /// How the starts are spread.
    pub rhythm: Rhythm,
    /// The longest session; most are far shorter.
    pub longest_session: Duration,
}

/// How session starts are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Evenly.
    Flat,
    /// Busy on weekdays in office hours (UTC), quiet at night and at weekends.
    Week,
    /// Evenly, except that `count` of them start in the `seconds` from `at` on.
    Burst {
        /// The start of the burst.
        at: DateTime<Utc>,
        /// Its length in seconds; 1 puts all into one second.
        seconds: u32,
        /// How many of the batch belong to it.
        count: usize,
    },
}

impl Seed {
    /// An even spread of sessions of up to an hour.
    #[must_use]
    pub const fn new(seed: u64, from: DateTime<Utc>, to: DateTime<Utc>, count: usize) -> Self {
        Self {
            seed,
            from,
            to,
            count,
            rhythm: Rhythm::Flat,
            longest_session: Duration::from_secs(3600),
        }
    }

    /// The sessions, to be changed before they are inserted.
    pub fn interactions(&self) -> impl Iterator<Item = Interaction> {
        let longest = i64::try_from(self.longest_session.as_secs()).unwrap_or(i64::MAX / 2);
        (0..self.count).map(move |index| {
            let number = u64::try_from(index).unwrap_or(u64::MAX);
            let mut dice = Dice::new(self.seed, number);
            let start = self.start(index, &mut dice);
            generate::interaction(self.seed, number, start, longest, &mut dice)
        })
    }

    fn start(&self, index: usize, dice: &mut Dice) -> DateTime<Utc> {
        let span = (self.to - self.from).num_seconds();
        match self.rhythm {
            Rhythm::Burst { at, seconds, count } if index < count => {
                at + TimeDelta::seconds(dice.between(0, i64::from(seconds).max(1) - 1))
            }
            Rhythm::Flat | Rhythm::Burst { .. } => {
                self.from + TimeDelta::seconds(dice.between(0, span.max(1) - 1))
            }
            Rhythm::Week => loop {
                let at = self.from + TimeDelta::seconds(dice.between(0, span.max(1) - 1));
                if dice.below(100) < busyness(at) {
                    return at;
                }
            },
        }
    }
}

/// How busy a contact centre is, 1 to 100.
fn busyness(at: DateTime<Utc>) -> u64 {
    let by_hour = match at.hour() {
        9..=11 | 13..=16 => 100,
        8 | 12 | 17 => 70,
        7 | 18..=20 => 30,
        _ => 6,
    };
    match at.weekday() {
        Weekday::Sat => by_hour / 3,
        Weekday::Sun => by_hour / 5,
        _ => by_hour,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use chrono::TimeZone;

    use super::*;

    fn monday() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2025, 9, 1, 0, 0, 0).unwrap()
    }

    #[test]
    fn a_burst_puts_its_share_into_its_seconds() {
        let at = monday() + TimeDelta::hours(30);
        let rhythm = Rhythm::Burst {
            at,
            seconds: 1,
            count: 40,
        };
        let seed = Seed {
            rhythm,
            ..Seed::new(1, monday(), monday() + TimeDelta::days(7), 50)
        };
        assert_eq!(seed.interactions().filter(|it| it.start == at).count(), 40);
    }

    #[test]
    fn some_customers_come_back_as_who_they_are() {
        let seed = Seed::new(1, monday(), monday() + TimeDelta::days(7), 1000);
        let mut phones: HashMap<String, Vec<Option<String>>> = HashMap::new();
        for it in seed.interactions() {
            let customer = it.conversation.and_then(|conversation| conversation.customer);
            let phone = customer.map(|customer| customer.phone);
            phones.entry(it.user_id).or_default().push(phone);
        }
        let returned = phones.values().filter(|sessions| sessions.len() > 1).count();
        assert!((50..250).contains(&returned), "{returned}");
        for sessions in phones.values() {
            let distinct: HashSet<&String> = sessions.iter().flatten().collect();
            assert!(distinct.len() <= 1, "{distinct:?}");
        }
    }

    #[test]
    fn the_week_is_busiest_on_weekdays_in_office_hours() {
        let seed = Seed {
            rhythm: Rhythm::Week,
            ..Seed::new(1, monday(), monday() + TimeDelta::days(7), 2000)
        };
        let starts: Vec<_> = seed.interactions().map(|it| it.start).collect();
        let weekend = starts
            .iter()
            .filter(|at| matches!(at.weekday(), Weekday::Sat | Weekday::Sun))
            .count();
        let office = starts.iter().filter(|at| (8..18).contains(&at.hour())).count();
        assert!(weekend < 300, "{weekend}");
        assert!(office > 1400, "{office}");
    }

    #[test]
    fn starts_and_lengths_stay_inside_what_was_asked() {
        let (from, to) = (monday(), monday() + TimeDelta::days(2));
        let seed = Seed {
            longest_session: Duration::from_secs(600),
            ..Seed::new(5, from, to, 1000)
        };
        for it in seed.interactions() {
            assert!(it.start >= from && it.start < to);
            let length = it.end.unwrap() - it.start;
            assert!(
                length >= TimeDelta::zero() && length <= TimeDelta::seconds(600),
                "{length}"
            );
        }
    }
}
