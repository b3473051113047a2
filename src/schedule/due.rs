//! Which refresh tier runs next; index 0 has the smallest lookback.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// Doubles per failure.
const FIRST_REST: Duration = Duration::from_secs(60);

const LONGEST_REST: Duration = Duration::from_secs(15 * 60);

#[derive(Debug)]
pub(super) struct Due {
    tiers: Vec<State>,
    /// Another worker held the lease.
    taken: bool,
}

#[derive(Debug)]
struct State {
    since: Option<DateTime<Utc>>,
    failures: u32,
    rests_until: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Run(usize, DateTime<Utc>),
    Rest(Instant),
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Failed,
    /// Retry after this.
    Taken(Duration),
    Stopped,
}

impl Due {
    pub(super) fn since(tiers: impl IntoIterator<Item = Option<DateTime<Utc>>>) -> Self {
        let states = tiers.into_iter().map(|since| State {
            since,
            failures: 0,
            rests_until: None,
        });
        Self {
            tiers: states.collect(),
            taken: false,
        }
    }

    /// Returns the instant of an overdue tier. A due tier keeps its instant, else a slow tier
    /// restarts forever.
    pub(super) fn rang(
        &mut self,
        tier: usize,
        at: DateTime<Utc>,
        ring: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        for state in &mut self.tiers {
            state.rests_until = None;
        }
        let state = &mut self.tiers[tier];
        if state.failures > 0 {
            // A failing part must not block rereading the rest.
            state.since = Some(at);
            return None;
        }
        let overdue = state.since.filter(|since| *since < ring && !self.taken);
        state.since.get_or_insert(at);
        overdue
    }

    pub(super) fn next(&self, now: Instant) -> Next {
        let mut wake = None;
        for (tier, state) in self.tiers.iter().enumerate() {
            match (state.since, state.rests_until.filter(|until| *until > now)) {
                (Some(since), None) => return Next::Run(tier, since),
                (Some(_), Some(until)) => wake = Some(wake.map_or(until, |wake: Instant| wake.min(until))),
                (None, _) => {}
            }
        }
        wake.map_or(Next::Nothing, Next::Rest)
    }

    pub(super) fn finished(&mut self, tier: usize, ended: Ended, now: Instant) {
        self.taken = matches!(ended, Ended::Taken(_));
        let state = &mut self.tiers[tier];
        match ended {
            Ended::Done => {
                (state.since, state.failures) = (None, 0);
            }
            Ended::Failed => {
                let doubled = FIRST_REST.saturating_mul(2_u32.saturating_pow(state.failures));
                state.failures = state.failures.saturating_add(1);
                state.rests_until = Some(now + doubled.min(LONGEST_REST));
            }
            // Other tiers would be refused too.
            Ended::Taken(lease) => {
                for state in &mut self.tiers {
                    state.rests_until = Some(now + lease);
                }
            }
            Ended::Stopped => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn minute(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn due(minutes: [Option<i64>; 3]) -> Due {
        Due::since(minutes.map(|minutes| minutes.map(minute)))
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_to_be_done_where_no_tier_is_due() {
        assert_eq!(due([None, None, None]).next(Instant::now()), Next::Nothing);
        assert_eq!(Due::since([]).next(Instant::now()), Next::Nothing);
    }

    #[test]
    fn the_smallest_lookback_goes_first_whatever_is_due_longer() {
        let mut due = due([None, Some(5), Some(1)]);
        let now = Instant::now();
        assert_eq!(due.next(now), Next::Run(1, minute(5)));
        assert_eq!(due.rang(0, minute(9), minute(9)), None);
        assert_eq!(due.next(now), Next::Run(0, minute(9)));
        due.finished(0, Ended::Done, now);
        due.finished(1, Ended::Done, now);
        assert_eq!(due.next(now), Next::Run(2, minute(1)));
    }

    #[test]
    fn a_tier_that_rings_while_it_is_due_keeps_its_older_instant_and_says_so() {
        let mut due = due([Some(5), None, None]);
        assert_eq!(due.rang(0, minute(20), minute(20)), Some(minute(5)));
        assert_eq!(due.next(Instant::now()), Next::Run(0, minute(5)));
        due.finished(0, Ended::Done, Instant::now());
        assert_eq!(due.next(Instant::now()), Next::Nothing);
        assert_eq!(due.rang(0, minute(35), minute(35)), None);
        assert_eq!(due.next(Instant::now()), Next::Run(0, minute(35)));
    }

    #[test]
    fn a_ring_that_is_heard_twice_is_one_ring() {
        let mut due = due([Some(5), None, None]);
        assert_eq!(
            due.rang(0, minute(6), minute(5)),
            None,
            "the start took it for done"
        );
        assert_eq!(due.rang(1, minute(21), minute(20)), None);
        assert_eq!(
            due.rang(1, minute(22), minute(20)),
            None,
            "the watchdog was first"
        );
        due.finished(0, Ended::Done, Instant::now());
        assert_eq!(due.next(Instant::now()), Next::Run(1, minute(21)));
    }

    #[test]
    fn a_tier_that_was_stopped_goes_on_where_it_was_at_once() {
        let mut due = due([None, Some(5), None]);
        due.finished(1, Ended::Stopped, Instant::now());
        assert_eq!(due.next(Instant::now()), Next::Run(1, minute(5)));
    }

    #[test]
    fn a_tier_that_failed_rests_ever_longer_while_others_have_their_turn() {
        let mut due = due([Some(5), Some(1), None]);
        let now = Instant::now();
        due.finished(0, Ended::Failed, now);
        assert_eq!(due.next(now), Next::Run(1, minute(1)));
        due.finished(1, Ended::Done, now);
        for minutes in [1, 2, 4, 8, 15, 15] {
            let rests = Duration::from_secs(60 * minutes);
            if minutes > 1 {
                due.finished(0, Ended::Failed, now);
            }
            assert_eq!(due.next(now), Next::Rest(now + rests));
            assert_eq!(due.next(now + rests), Next::Run(0, minute(5)));
        }
        due.finished(0, Ended::Done, now);
        due.rang(0, minute(20), minute(20));
        due.finished(0, Ended::Failed, now);
        assert_eq!(due.next(now), Next::Rest(now + FIRST_REST), "success begins anew");
    }

    #[test]
    fn of_several_that_rest_the_first_to_wake_is_waited_for() {
        let mut due = due([Some(5), Some(1), None]);
        let now = Instant::now();
        due.finished(1, Ended::Failed, now);
        due.finished(0, Ended::Failed, now + SECOND);
        assert_eq!(due.next(now + SECOND), Next::Rest(now + FIRST_REST));
    }

    #[test]
    fn any_ring_ends_every_rest() {
        let mut due = due([Some(5), Some(1), None]);
        let now = Instant::now();
        due.finished(0, Ended::Failed, now);
        due.finished(1, Ended::Failed, now);
        due.rang(2, minute(6), minute(6));
        assert_eq!(due.next(now), Next::Run(0, minute(5)));
    }

    #[test]
    fn an_account_that_another_worker_has_is_left_alone_by_all_tiers() {
        let mut due = due([Some(5), Some(1), None]);
        let now = Instant::now();
        due.finished(0, Ended::Taken(30 * SECOND), now);
        assert_eq!(due.next(now), Next::Rest(now + 30 * SECOND));
        assert_eq!(due.next(now + 30 * SECOND), Next::Run(0, minute(5)));
        let complaint = due.rang(0, minute(20), minute(20));
        assert_eq!(complaint, None, "the other one is at it");
        due.finished(0, Ended::Stopped, now);
        assert_eq!(due.rang(0, minute(35), minute(35)), Some(minute(5)));
    }
}
