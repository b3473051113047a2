use std::time::Duration;

use tokio::time::Instant;

use crate::config::RequestLimits;
use crate::ledger::problems::Problem;
use crate::ledger::runs::Outcome;

use super::engine::{REQUESTS_OF_A_WINDOW, WINDOWS_IN_FLIGHT};
use super::report::RunReport;

/// `sync.stall_seconds`, or longer if the budget delays the first window.
pub fn stalled_after(stall: Duration, limits: RequestLimits) -> Duration {
    stall.max(first_window_after(limits))
}

/// A used-up budget pauses for a whole span, and windows in flight all end late.
pub(super) fn first_window_after(limits: RequestLimits) -> Duration {
    let requests_before = (WINDOWS_IN_FLIGHT as u64 + 1) * REQUESTS_OF_A_WINDOW;
    limits
        .spans()
        .map(|(span, limit)| span.length() + span.time_for(requests_before, limit))
        .max()
        .unwrap_or_default()
}

#[derive(Debug, Clone, Default)]
pub struct Health {
    working_since: Option<Instant>,
    problem: Option<Problem>,
}

impl Health {
    pub(super) fn begin(&mut self) {
        self.working_since = self.working_since.or(Some(Instant::now()));
    }

    pub(super) fn progress(&mut self) {
        self.working_since = self.working_since.map(|_| Instant::now());
    }

    /// A failed poll leaves work. So does a lost lease, until another worker has it.
    pub(super) fn ended(&mut self, report: &RunReport) {
        match report.outcome {
            Outcome::Failed => self.problem.clone_from(&report.problem),
            Outcome::Interrupted => {}
            Outcome::Succeeded | Outcome::Skipped => *self = Self::default(),
        }
    }

    /// Zero without work.
    pub fn idle_for(&self) -> Duration {
        self.working_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Of the newest uninterrupted poll.
    pub fn problem(&self) -> Option<Problem> {
        self.problem.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ended(outcome: Outcome) -> RunReport {
        RunReport {
            outcome,
            ..RunReport::skipped()
        }
    }

    async fn pass(seconds: u32) {
        tokio::time::advance(SECOND * seconds).await;
    }

    #[test]
    fn a_budget_that_was_used_up_at_once_is_given_its_whole_span() {
        let minutes = |per_minute, per_hour| {
            let limits = RequestLimits::of(per_minute, per_hour);
            stalled_after(SECOND, limits).as_secs() / 60
        };
        assert_eq!(minutes(0, 0), 0);
        assert_eq!(minutes(60, 0), 1);
        assert_eq!(minutes(60, 600), 64);
        assert_eq!(minutes(1, 0), 45);
        let unlimited = RequestLimits::of(0, 0);
        assert_eq!(stalled_after(SECOND * 1_200, unlimited), SECOND * 1_200);
    }

    #[tokio::test(start_paused = true)]
    async fn failing_again_and_again_is_one_stall() {
        let mut health = Health::default();
        for _ in 0..3 {
            health.begin();
            pass(10).await;
            let problem = Problem::failed("api_transport", "broke", "");
            health.ended(&RunReport::crashed(problem));
            pass(10).await;
        }
        assert_eq!(health.idle_for(), SECOND * 60);
        assert!(health.problem().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_restarts_with_progress_and_ends_with_the_run() {
        let mut health = Health::default();
        health.begin();
        pass(10).await;
        health.progress();
        pass(3).await;
        assert_eq!(health.idle_for(), SECOND * 3);
        health.ended(&ended(Outcome::Succeeded));
        pass(100).await;
        assert_eq!((health.idle_for(), health.problem()), (Duration::ZERO, None));
        health.progress();
        assert_eq!(health.idle_for(), Duration::ZERO, "a refresh is no poll");
    }

    #[tokio::test(start_paused = true)]
    async fn losing_the_lease_repeatedly_counts_as_one_stall() {
        let mut health = Health::default();
        for _ in 0..3 {
            health.begin();
            pass(10).await;
            health.ended(&ended(Outcome::Interrupted));
        }
        assert_eq!(health.idle_for(), SECOND * 30);
        health.begin();
        health.ended(&ended(Outcome::Skipped));
        assert_eq!(health.idle_for(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stands_by_does_not_stall() {
        let mut health = Health::default();
        for _ in 0..3 {
            health.begin();
            health.ended(&ended(Outcome::Skipped));
            pass(1_000).await;
        }
        assert_eq!(health.idle_for(), Duration::ZERO);
    }
}
