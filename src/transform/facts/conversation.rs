//! Several records of one conversation count as one.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{AgentOffer, Facts, InteractionFact};

/// The last record that reached a queue or an agent counts, else the last one, with what only the others know.
pub fn count_once(mut records: Vec<(Uuid, &mut Facts<'_>)>) {
    records.sort_by_key(|(key, facts)| {
        let interaction = &facts.interaction;
        Reverse((
            interaction.destination_count > 0,
            interaction.session_started_at,
            *key,
        ))
    });
    let mut records: Vec<&mut Facts<'_>> = records.into_iter().map(|(_, facts)| facts).collect();
    score_once(
        &mut records,
        |interaction| interaction.csat_score,
        |offer| &mut offer.csat_score,
    );
    score_once(
        &mut records,
        |interaction| interaction.nps_score,
        |offer| &mut offer.nps_score,
    );
    drop_repeated(&mut records);
    let Some((counting, others)) = records.split_first_mut() else {
        return;
    };
    let mut is_worked = counting.interaction.answered_segment_count > 0;
    for other in others {
        let answered = other.offers.iter().filter(|offer| offer.outcome == "answered");
        for offer in answered {
            counting.interaction.add_work(offer, is_worked);
            is_worked = true;
        }
        counting.interaction.take_over(&mut other.interaction);
    }
}

/// A score belongs to the offer of one record: of the first that has it.
fn score_once(
    records: &mut [&mut Facts<'_>],
    has: fn(&InteractionFact<'_>) -> Option<i32>,
    of: for<'a, 'b> fn(&'a mut AgentOffer<'b>) -> &'a mut Option<i32>,
) {
    let scored = records.iter().position(|facts| has(&facts.interaction).is_some());
    for (_, facts) in records.iter_mut().enumerate().filter(|(place, _)| Some(*place) != scored) {
        facts.offers.iter_mut().for_each(|offer| *of(offer) = None);
    }
}

/// The same stay or offer in a later record counts there, with the scores of the repeated one.
fn drop_repeated(records: &mut [&mut Facts<'_>]) {
    let (mut visits, mut offers, mut scores) = (HashSet::new(), HashSet::new(), HashMap::new());
    for facts in records.iter_mut() {
        facts.visits.retain(|visit| {
            visit
                .entered_at
                .is_none_or(|at| visits.insert((visit.queue_key, at)))
        });
        facts.offers.retain(|offer| {
            let Some(at) = offer.assigned_at else { return true };
            let is_first = offers.insert((offer.agent_key, at));
            if !is_first && (offer.csat_score.is_some() || offer.nps_score.is_some()) {
                scores.insert((offer.agent_key, at), (offer.csat_score, offer.nps_score));
            }
            is_first
        });
    }
    for offer in records.iter_mut().flat_map(|facts| &mut facts.offers) {
        let repeated = offer.assigned_at.and_then(|at| scores.remove(&(offer.agent_key, at)));
        let (csat, nps) = repeated.unwrap_or_default();
        offer.csat_score = offer.csat_score.or(csat);
        offer.nps_score = offer.nps_score.or(nps);
    }
}

impl InteractionFact<'_> {
    /// `None` if a part is unknown, so that no sum is too small; no hold and no after-call work are nothing.
    fn add_work(&mut self, offer: &AgentOffer<'_>, is_worked: bool) {
        let known = |total: Option<i64>, more: Option<i64>| match is_worked {
            true => Some(total? + more?),
            false => more,
        };
        let any = |total: Option<i64>, more: Option<i32>| {
            let parts = [total, more.map(i64::from)];
            parts.into_iter().flatten().reduce(|all, one| all + one)
        };
        self.interaction_seconds = known(self.interaction_seconds, offer.interaction_seconds.map(i64::from));
        self.handle_seconds = known(self.handle_seconds, offer.handle_seconds);
        self.hold_seconds = any(self.hold_seconds, offer.hold_seconds);
        self.after_call_work_seconds = any(self.after_call_work_seconds, offer.after_call_work_seconds);
    }

    fn take_over(&mut self, other: &mut Self) {
        other.conversations = 0;
        for seconds in [
            &mut other.queue_wait_seconds,
            &mut other.interaction_seconds,
            &mut other.hold_seconds,
            &mut other.after_call_work_seconds,
            &mut other.handle_seconds,
        ] {
            *seconds = None;
        }
        self.csat_score = self.csat_score.or(other.csat_score.take());
        self.nps_score = self.nps_score.or(other.nps_score.take());
        self.like_dislike_score = self.like_dislike_score.or(other.like_dislike_score.take());
        if self.dispositions.iter().all(Option::is_none) {
            self.dispositions.clone_from(&other.dispositions);
        }
        if self.tags.is_none() {
            self.tags.clone_from(&other.tags);
        }
    }
}
