//! Detects an unconfigured hourly limit: refusals although the minute has room.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::BudgetSpan;

use super::{Budget, BudgetState};
use crate::extract::body::LONGEST_PAUSE;

/// Fewer refusals may be chance.
const IN_A_ROW: u32 = 3;

const FIRST_PAUSE: Duration = Duration::from_secs(60);

const DOCUMENTED_A_MINUTE: usize = 60;

#[derive(Debug, Default)]
pub(super) struct Refusals {
    in_a_row: u32,
    newest: Option<Instant>,
    of_hour: bool,
}

impl Budget {
    pub(in crate::extract) fn let_in(&self) {
        let mut state = self.state();
        state.refusals.in_a_row = 0;
    }

    /// Simultaneous refusals count once.
    pub(in crate::extract) fn turned_away(&self, sent: Instant) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.state();
        let is_another = state.refusals.newest.is_none_or(|newest| newest <= sent);
        if is_another {
            state.refusals.in_a_row += 1;
            state.refusals.newest = Some(now);
        }
        let doublings = state.refusals.in_a_row.checked_sub(IN_A_ROW)?;
        if !is_another || !state.has_a_free_minute(now) {
            return None;
        }
        state.refusals.of_hour = true;
        let hour = BudgetSpan::Hour.length();
        let mut ages = state
            .ended
            .iter()
            .map(|ended| now.saturating_duration_since(*ended));
        let until_free = ages.find_map(|age| hour.checked_sub(age)).unwrap_or(hour);
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings));
        Some(doubled.min(LONGEST_PAUSE).min(until_free))
    }

    /// Since the last call.
    pub fn was_hour_used_up(&self) -> bool {
        std::mem::take(&mut self.state().refusals.of_hour)
    }
}

impl BudgetState {
    fn has_a_free_minute(&self, now: Instant) -> bool {
        let minute = BudgetSpan::Minute.length();
        let limit = match self.limits.per_minute {
            0 => DOCUMENTED_A_MINUTE,
            limit => limit as usize,
        };
        let recent = self
            .ended
            .iter()
            .rev()
            .take_while(|ended| **ended + minute > now)
            .count();
        (self.in_flight + recent) * 2 <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RequestLimits;

    async fn refused(budget: &Budget) -> Option<Duration> {
        let place = budget.admit(crate::extract::Priority::Head).await;
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(100)).await;
        drop(place);
        budget.turned_away(sent)
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_although_the_minute_is_free_are_taken_for_the_hours() {
        let budget = Budget::new(RequestLimits::of(60, 0));
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let pause = refused(&budget).await;
            pauses.push(pause.map(|pause| pause.as_secs().div_ceil(60)));
            tokio::time::advance(pause.unwrap_or(Duration::from_secs(2))).await;
        }
        assert_eq!(
            pauses,
            [
                None,
                None,
                Some(1),
                Some(2),
                Some(4),
                Some(8),
                Some(15),
                Some(15),
                Some(15)
            ]
        );
        assert!(budget.was_hour_used_up());
        assert!(!budget.was_hour_used_up());
        budget.let_in();
        assert_eq!(refused(&budget).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_ends_once_the_oldest_request_is_an_hour_old() {
        let budget = Budget::new(RequestLimits::of(60, 0));
        drop(budget.admit(crate::extract::Priority::Head).await);
        tokio::time::advance(Duration::from_secs(3_570)).await;
        refused(&budget).await;
        refused(&budget).await;
        let pause = refused(&budget).await.unwrap();
        assert!(pause <= Duration::from_secs(30), "{pause:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_a_minute_that_is_used_up_say_nothing_of_the_hour() {
        let budget = Budget::new(RequestLimits::of(60, 0));
        budget.spent_before([(40, Duration::from_secs(20))]);
        for _ in 0..5 {
            assert_eq!(refused(&budget).await, None);
        }
        assert!(!budget.was_hour_used_up());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_are_turned_away_together_count_once() {
        let budget = Budget::new(RequestLimits::of(60, 0));
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(100)).await;
        for _ in 0..6 {
            assert_eq!(budget.turned_away(sent), None);
        }
    }
}
