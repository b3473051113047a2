//! Reports a drive's progress.

use std::time::Duration;

use tracing::debug;

use crate::ledger::runs;
use crate::telemetry::chain;

use super::super::headway::Headway;
use super::super::report::Progress;
use super::Drive;

const PATIENCE_OF_NOTING: Duration = Duration::from_secs(2);

impl Drive<'_> {
    /// The next window reports a database failure.
    pub(super) async fn note_progress(&self, progress: &Progress) {
        let left = self.headway(progress).requests_left;
        let noted = runs::note_progress(
            &self.books.worker.pool,
            self.books.run_id,
            &progress.counters,
            left,
        );
        match tokio::time::timeout(PATIENCE_OF_NOTING, noted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(error = %chain(&error), "could not note how far the run is"),
            Err(_) => debug!("could not note how far the run is in time"),
        }
    }

    pub(super) fn publish_headway(&self, progress: &Progress) {
        let headway = self.headway(progress);
        self.books.worker.headway.send_replace(Some(headway));
    }

    fn headway(&self, progress: &Progress) -> Headway {
        let reading: f64 = self
            .in_flight
            .values()
            .map(|fetch| self.planner.density.expected(fetch.planned.window).records)
            .sum();
        let (records, windows) = self.planner.expected_left();
        Headway::new(
            progress.counters,
            records + reading,
            windows + self.in_flight.len(),
        )
    }
}
