//! The fact of an interaction. No single column tells how it ended, so words are searched.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    AgentOffer, FactBasis, Facts, Instant, InteractionFact, Step, agent_key, count, has_unreadable_hold,
    has_unreadable_work, is_answered, label, seconds_between, work_ended_at,
};
use crate::transform::privacy::REASONS;
use crate::transform::{AgentSegment, JsonText, Rows, Session, Tag, TagScope};

pub(super) fn of<'a>(rows: &'a Rows, steps: &[Step<'a>], basis: &FactBasis) -> InteractionFact<'a> {
    let session = &rows.session;
    let started = basis.grouped(session.session_started_at);
    let queues: Vec<&Step<'a>> = steps.iter().filter(|step| step.is_queue).collect();
    let first_queue = queues.first();
    let first_queue_entered_at = first_queue.and_then(|queue| queue.destination.entered_at);
    let answered: Vec<&'a AgentSegment> = rows
        .agent_segments
        .iter()
        .filter(|segment| is_answered(segment))
        .collect();
    let accepted = || answered.iter().filter_map(|segment| segment.accepted_at);
    let is_after_queue = |at: &Instant| first_queue_entered_at.is_some_and(|entered| *at >= entered);
    let work_ended_at = answered.iter().filter_map(|segment| work_ended_at(segment)).max();
    let answered_before_last = steps.iter().rev().skip(1).filter(|step| step.answer.is_some());
    let callback_opted = callback_opted(steps);
    InteractionFact {
        started_quarter_local: started.quarter_local,
        started_on: started.on,
        started_quarter: started.quarter,
        session_started_at: session.session_started_at,
        session_ended_at: session.session_ended_at,
        contact_ended_at: session
            .session_ended_at
            .map(|ended| work_ended_at.map_or(ended, |work| work.max(ended))),
        conversation_id: session.conversation_id.as_deref(),
        channel: label(session.channel.as_deref()),
        direction: label(session.direction.as_deref()),
        outcome: outcome_of(rows, &answered, callback_opted == Some(true)),
        conversations: 1,
        contact_key: session.user_id.as_deref().map(|id| basis.contact_key(id)),
        campaign_name: session.campaign_name.as_deref(),
        last_intent_name: session.last_intent_name.as_deref(),
        skill_names: skill_names(session),
        reason: shown_reason(session),
        dispositions: shown_dispositions(session),
        tags: shown_tags(&rows.tags, basis),
        first_queue_key: first_queue.map(|queue| queue.queue_key),
        first_queue_entered_at,
        first_accepted_at: accepted().min(),
        first_agent_key: answered.first().map(|segment| agent_key(segment)),
        last_agent_key: answered.last().map(|segment| agent_key(segment)),
        destination_count: count(steps.len()),
        queue_visits: count(queues.len()),
        segment_count: count(rows.agent_segments.len()),
        answered_segment_count: count(answered.len()),
        transfers: count(answered_before_last.count()),
        consultations: count(rows.consultations.len()),
        callback_opted,
        queue_wait_seconds: seconds_between(first_queue_entered_at, accepted().filter(is_after_queue).min()),
        interaction_seconds: None,
        hold_seconds: None,
        after_call_work_seconds: None,
        handle_seconds: None,
        csat_score: session.csat_score,
        nps_score: session.nps_score,
        like_dislike_score: session.like_dislike_score,
        next_at: None,
        next_channel: None,
    }
}

fn callback_opted(steps: &[Step<'_>]) -> Option<bool> {
    let said = steps.iter().filter_map(|step| step.destination.callback_opted);
    said.reduce(|any, one| any || one)
}

fn outcome_of(rows: &Rows, answered: &[&AgentSegment], has_opted_for_callback: bool) -> &'static str {
    let session = &rows.session;
    if session.session_ended_at.is_none() {
        "open"
    } else if rows.destinations.is_empty() && session.conversation_id.is_none() {
        if session.final_status.as_deref() == Some("BotResolved") {
            "contained_resolved"
        } else {
            "contained_other"
        }
    } else if rows.destinations.is_empty() {
        "other"
    } else if answered.is_empty() {
        unanswered(session, has_opted_for_callback)
    } else if says_abandoned(session) {
        "abandoned_with_agent"
    } else {
        "answered"
    }
}

fn skill_names(session: &Session) -> Option<String> {
    let skills = session.skills.as_ref()?.value();
    let skills = match &skills {
        Value::Array(skills) => skills.as_slice(),
        one => std::slice::from_ref(one),
    };
    let name = |skill: &'_ Value| {
        let name = skill.get("name").unwrap_or(skill).as_str();
        name.map(str::to_owned)
    };
    let names: BTreeSet<String> = skills.iter().filter_map(name).collect();
    (!names.is_empty()).then(|| Vec::from_iter(names).join(", "))
}

fn lower(text: Option<&str>) -> String {
    text.unwrap_or_default().to_lowercase()
}

fn has_status(session: &Session, word: &str) -> bool {
    let statuses = [&session.smart_status, &session.final_status];
    statuses
        .iter()
        .any(|status| lower(status.as_deref()).contains(word))
}

pub(super) fn says_abandoned(session: &Session) -> bool {
    has_status(session, "abandon")
}

/// For sessions that ended, waited in a queue and were not answered.
pub(super) fn unanswered(session: &Session, has_opted_for_callback: bool) -> &'static str {
    let event = lower(session.disconnecting_event.as_deref());
    let is_ended_by = |words: [&str; 2]| words.iter().any(|word| event.starts_with(word));
    let reason = lower(session.reason.as_deref());
    let reasons = ["drop-off", "drop off", "drop_off", "dropoff", "no agents"];
    if session.is_voicemail == Some(true) {
        "voicemail"
    } else if has_opted_for_callback {
        "callback_open"
    } else if says_abandoned(session) || is_ended_by(["user", "customer"]) {
        "abandoned"
    } else if has_status(session, "terminat")
        || reasons.iter().any(|word| reason.contains(word))
        || is_ended_by(["system", "bot"])
    {
        "terminated"
    } else {
        "other"
    }
}

const WITHHELD: &str = "(withheld)";

/// Whatever separates them.
const DIGITS_OF_A_PHONE: usize = 7;

fn shown_reason(session: &Session) -> Option<&str> {
    let reason = session.reason.as_deref()?;
    let mut dispositions = session.dispositions.iter().flatten();
    if REASONS.contains(&reason) {
        Some(reason)
    } else if dispositions.any(|disposition| disposition == reason) {
        Some(unless_personal(reason))
    } else {
        Some(WITHHELD)
    }
}

fn shown_dispositions(session: &Session) -> Vec<Option<&str>> {
    let given = session.dispositions.iter();
    given.map(|one| one.as_deref().map(unless_personal)).collect()
}

/// Last values, and one for all that are not shown.
fn shown_tags(tags: &[Tag], basis: &FactBasis) -> Option<JsonText> {
    let mut shown = Map::new();
    for tag in tags.iter().filter(|tag| tag.tag_scope == TagScope::Session) {
        let (Some(name), Some(value)) = (&tag.name, &tag.value) else {
            continue;
        };
        let (name, value) = if basis.shown_tags.contains(name) {
            (name.as_str(), unless_personal(value))
        } else {
            (WITHHELD, WITHHELD)
        };
        shown.insert(name.to_owned(), Value::from(value));
    }
    (!shown.is_empty()).then(|| Value::Object(shown).into())
}

fn unless_personal(text: &str) -> &str {
    if looks_personal(text) { WITHHELD } else { text }
}

/// Like an e-mail address or a phone number.
fn looks_personal(text: &str) -> bool {
    let mut digits = 0;
    text.chars().any(|c| {
        if c.is_numeric() {
            digits += 1;
        } else if c.is_alphanumeric() || c == '_' {
            digits = 0;
        }
        c == '@' || digits >= DIGITS_OF_A_PHONE
    })
}

/// The last that reached a queue or an agent counts, else the last, with what only others know.
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
        for offer in answered_of(&other.offers) {
            counting.interaction.add_work(offer, is_worked);
            is_worked = true;
        }
        counting.interaction.take_over(&mut other.interaction);
    }
}

/// The first record with a score gives it.
fn score_once(
    records: &mut [&mut Facts<'_>],
    has: fn(&InteractionFact<'_>) -> Option<i32>,
    of: for<'a, 'b> fn(&'a mut AgentOffer<'b>) -> &'a mut Option<i32>,
) {
    let scored = records.iter().position(|facts| has(&facts.interaction).is_some());
    for (_, facts) in records
        .iter_mut()
        .enumerate()
        .filter(|(place, _)| Some(*place) != scored)
    {
        facts.offers.iter_mut().for_each(|offer| *of(offer) = None);
    }
}

/// What repeats in a later record counts there.
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
        let repeated = offer
            .assigned_at
            .and_then(|at| scores.remove(&(offer.agent_key, at)));
        let (csat, nps) = repeated.unwrap_or_default();
        offer.csat_score = offer.csat_score.or(csat);
        offer.nps_score = offer.nps_score.or(nps);
    }
}

fn answered_of<'a, 'b>(offers: &'b [AgentOffer<'a>]) -> impl Iterator<Item = &'b AgentOffer<'a>> {
    offers.iter().filter(|offer| offer.outcome == "answered")
}

impl InteractionFact<'_> {
    pub(super) fn sum_work(&mut self, segments: &[AgentSegment], offers: &[AgentOffer<'_>]) {
        for (nth, offer) in answered_of(offers).enumerate() {
            self.add_work(offer, nth > 0);
        }
        let mut answered = segments.iter().filter(|segment| is_answered(segment));
        if answered.clone().any(has_unreadable_hold) {
            self.hold_seconds = None;
        }
        if answered.any(has_unreadable_work) {
            self.after_call_work_seconds = None;
        }
    }

    /// No sum is too small.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_look_personal() {
        for text in ["a@b", "+49 30 5550199", "call 030-555 01.99 now", "(0)12 34567"] {
            assert!(looks_personal(text), "{text}");
        }
        for text in [
            "",
            "Billing",
            "123456",
            "A12 B345 C678",
            "2026_11_30",
            "12 34 x 567",
        ] {
            assert!(!looks_personal(text), "{text}");
        }
    }
}
