//! Life in a running simulator: sessions keep starting, go on for a while, end, and are changed afterwards.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta};
use tokio_util::sync::CancellationToken;

use crate::{
    dice::Dice,
    generate,
    interaction::Text,
    server::{Shared, lock},
    shapes,
    world::World,
};

/// The seed of arriving sessions, apart from any that a test would choose.
const SEED: u64 = 0x00a1_21ba_15ee_d000;

/// Arriving sessions last at most this many seconds, so that their end can be watched.
const LONGEST: i64 = 300;

const TICK: Duration = Duration::from_millis(500);

impl World {
    /// Adds sessions that started so long ago, and gives their ids. Those that are still going on end by themselves.
    pub fn arrive(&mut self, count: usize, ago: TimeDelta) -> Vec<String> {
        let start = (self.now() - ago).trunc_subsecs(0);
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            self.arrived += 1;
            let mut dice = Dice::new(SEED, self.arrived);
            let interaction = generate::interaction(SEED, self.arrived, start, LONGEST, &mut dice);
            ids.push(interaction.session_id.clone());
            if let Some(conversation) = interaction
                .conversation
                .as_deref()
                .filter(|_| self.behaviour.vendor_shapes && shapes::has_shadow(&interaction))
            {
                let shadow = generate::shadow(&interaction, conversation);
                self.insert(shadow);
            }
            self.insert(interaction);
        }
        ids
    }

    /// Changes up to `count` sessions of the last hour that have ended: a disposition, or a survey.
    fn look_back(&mut self, count: usize, dice: &mut Dice) {
        let now = self.now();
        for _ in 0..count {
            let at = now - TimeDelta::seconds(dice.between(60, 3600));
            let Some(id) = self.started_after(at) else {
                continue;
            };
            if dice.chance(50) {
                self.set_disposition(&id, "Follow Up", "Added after the call.");
            } else {
                let feedback = Text::Borrowed("Answered later");
                self.set_survey(
                    &id,
                    crate::interaction::Survey {
                        feedback,
                        ..generate::survey(dice)
                    },
                );
            }
        }
    }

    fn started_after(&self, at: DateTime<chrono::Utc>) -> Option<String> {
        let now = self.now();
        let slots = self.store.started(at.timestamp_millis(), now.timestamp_millis());
        let records = slots.filter_map(|slot| match self.store.record(slot) {
            Some(crate::store::Record::Typed(interaction)) => Some(interaction),
            _ => None,
        });
        let mut ended =
            records.filter(|it| it.conversation.is_some() && it.end.is_some_and(|end| end <= now));
        ended.next().map(|it| it.session_id.clone())
    }
}

/// Adds sessions at this rate until stopped; about one ended session is changed for every four that arrive.
pub(crate) async fn run(shared: Shared, per_minute: f64, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    let mut dice = Dice::new(SEED, 0);
    let (mut due, mut late) = (0.0_f64, 0.0_f64);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        due += per_minute * TICK.as_secs_f64() / 60.0;
        let mut arriving = 0;
        while due >= 1.0 {
            due -= 1.0;
            late += 0.25;
            arriving += 1;
        }
        let mut changing = 0;
        while late >= 1.0 {
            late -= 1.0;
            changing += 1;
        }
        let mut world = lock(&shared);
        world.arrive(arriving, TimeDelta::zero());
        world.look_back(changing, &mut dice);
    }
}
