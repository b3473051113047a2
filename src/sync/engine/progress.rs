use tracing::debug;

use crate::ledger::runs;
use crate::telemetry::chain;

use super::super::headway::Headway;

use super::source::{OpenRun, Run, Source, Work};
use super::{Engine, Flight, NOTE_EVERY};

impl Engine {
    pub(super) fn note_progress(&self) {
        for source in &self.sources {
            let Run::Open(run) = &source.run else { continue };
            let (pool, run_id, counters) = (self.account.pool.clone(), run.id, run.progress.counters);
            let left = self.headway_of(source, run).requests_left;
            tokio::spawn(async move {
                let noted = runs::note_progress(&pool, run_id, &counters, left);
                match tokio::time::timeout(NOTE_EVERY, noted).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => debug!(error = %chain(&error), "could not note how far the run is"),
                    Err(_) => debug!("could not note how far the run is in time"),
                }
            });
        }
    }

    pub(super) fn publish_headway(&self) {
        let runs = self.sources.iter().filter_map(|source| match &source.run {
            Run::Open(run) => Some(self.headway_of(source, run)),
            _ => None,
        });
        let headway = runs.reduce(|mut all, of_run| {
            all.counters += of_run.counters;
            all.requests_left += of_run.requests_left;
            all
        });
        self.account.headway.send_replace(headway);
    }

    pub(super) fn headway_of(&self, source: &Source, run: &OpenRun) -> Headway {
        let flights = || {
            let of_source = |flight: &&Flight| flight.source == source.id();
            self.in_flight.values().filter(of_source)
        };
        match &source.work {
            Work::Windows(queue) => {
                let reading: f64 = flights().map(|flight| flight.fetch.planned.expected).sum();
                let (records, windows) = queue.expected_left(&self.model.density);
                Headway::new(
                    run.progress.counters,
                    records + reading,
                    windows + flights().count(),
                )
            }
            Work::Days(_) => {
                let mut counters = run.progress.counters;
                flights().for_each(|flight| counters += flight.fetch.counters());
                Headway::new(counters, 0.0, flights().count())
            }
        }
    }
}
