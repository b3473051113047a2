use crate::ledger::LoadError;
use crate::ledger::problems::Problem;

use super::close::Closing;
use super::source::{Run, Work};
use super::{Engine, Why, joined};

impl Engine {
    pub(super) async fn wind_up(&mut self, worked: &Result<Why, LoadError>) -> Result<(), LoadError> {
        while let Some(read) = self.reads.try_join_next_with_id() {
            self.was_read(read);
        }
        // They would send requests while others are written.
        self.reads.shutdown().await;
        // A COMMIT in flight finishes, here and below.
        while self.looks.join_next().await.is_some() {}
        let mut ended = Ok(());
        if worked.is_ok() {
            ended = self.write_rest().await;
        } else {
            while self.writes.join_next().await.is_some() {}
        }
        while let Some(opened) = self.opens.join_next().await {
            let _ = self.was_opened(joined(opened));
        }
        self.read.clear();
        self.deferred.clear();
        self.in_flight.clear();
        let closings: Vec<Closing> = (0..self.sources.len())
            .filter_map(|place| self.stop_run(place, worked))
            .collect();
        for closing in closings {
            let closed = closing.run().await;
            let result = self.was_closed(closed);
            ended = ended.and(result);
        }
        for source in &mut self.sources {
            source.in_flight = 0;
            source.give_up_rest();
        }
        self.is_look_due = true;
        ended
    }

    pub(super) async fn write_rest(&mut self) -> Result<(), LoadError> {
        loop {
            self.begin_write();
            let Some(written) = self.writes.join_next().await else {
                break;
            };
            self.was_written(joined(written))?;
        }
        for flight in std::mem::take(&mut self.in_flight).into_values() {
            let place = self.place(flight.source);
            let compares = place.is_some_and(|place| matches!(self.sources[place].work, Work::Days(_)));
            // A comparison records its windows itself.
            if compares || flight.fetch.tally.requests() == 0 {
                continue;
            }
            let Some(writer) = place.and_then(|place| self.writer(place, flight.fetch.planned.window)) else {
                continue;
            };
            let why = Problem::warning("run_ended", "not read: the run ended before", "");
            let report = writer.leave_unread(&flight.fetch, &why).await?;
            if let Some(Run::Open(run)) = place.map(|place| &mut self.sources[place].run) {
                run.progress.add(report);
            }
        }
        Ok(())
    }
}
