//! Where an invented conversation went: queues that answered or did not, and direct transfers.

use chrono::{DateTime, TimeDelta, Utc};

use super::vocabulary as words;
use crate::{
    destination::{AgentSegment, Callback, Consultation, Destination, QueueEntry, Snooze},
    dice::Dice,
    interaction::{Interaction, Text},
};

/// One to three destinations. Steps may end after the session does, as the API's do.
pub(crate) fn destinations(it: &Interaction, dice: &mut Dice) -> Vec<Destination> {
    let end = it.end.unwrap_or(it.start + TimeDelta::minutes(5));
    let mut at = later(it.start, 2, 25, dice).min(end);
    let mut all = Vec::new();
    for _ in 0..*dice.pick(&[1, 1, 1, 1, 2, 3]) {
        let transfer = !all.is_empty() && dice.chance(60);
        let destination = if transfer || dice.chance(8) {
            Destination::Agent(answered(at, end, dice))
        } else {
            Destination::Queue(queue_entry(at, end, dice))
        };
        all.push(destination);
        at = later(at, 5, 60, dice).min(end);
    }
    all
}

/// Whether anyone spoke to the customer.
pub(crate) fn is_answered(destination: &Destination) -> bool {
    match destination {
        Destination::Queue(queue) => queue.responding.is_some(),
        Destination::Agent(agent) => agent.accepted.is_some(),
    }
}

fn queue_entry(entered: DateTime<Utc>, end: DateTime<Utc>, dice: &mut Dice) -> QueueEntry {
    let &(id, name) = dice.pick(words::QUEUES);
    // Responding and not, as the API combines them: one, the other, both, neither.
    let (responding, silent) = *dice.pick(&[
        (true, 0),
        (true, 0),
        (true, 0),
        (true, 1),
        (true, 2),
        (false, 1),
        (false, 0),
    ]);
    let mut at = entered;
    let mut non_responding = Vec::new();
    for _ in 0..silent {
        at = later(at, 3, 12, dice).min(end);
        non_responding.push(unanswered(at, dice));
        at = later(at, 5, 30, dice).min(end);
    }
    QueueEntry {
        queue_id: Text::Borrowed(id),
        queue_name: Text::Borrowed(if dice.chance(90) { name } else { "" }),
        entered,
        callback: dice.chance(15).then(|| callback(entered, dice)),
        responding: responding.then(|| Box::new(answered(at, end, dice))),
        non_responding,
    }
}

fn callback(entered: DateTime<Utc>, dice: &mut Dice) -> Callback {
    let opted = entered + TimeDelta::milliseconds(dice.between(1_000, 60_000));
    let accepted = dice
        .chance(80)
        .then(|| opted + TimeDelta::milliseconds(dice.between(5_000, 300_000)));
    Callback { opted, accepted }
}

fn unanswered(assigned: DateTime<Utc>, dice: &mut Dice) -> AgentSegment {
    AgentSegment {
        agent: words::agent(dice),
        notes: notes(dice),
        assigned,
        accepted: None,
        first_response: None,
        ended: None,
        after_call_work_seconds: None,
        non_response_event: Text::Borrowed(if dice.chance(80) {
            *dice.pick(words::NON_RESPONSES)
        } else {
            ""
        }),
        consultations: Vec::new(),
        joined_users: Vec::new(),
        snoozes: Vec::new(),
        chose_translate: None,
    }
}

fn answered(from: DateTime<Utc>, end: DateTime<Utc>, dice: &mut Dice) -> AgentSegment {
    let assigned = later(from, 1, 15, dice).min(end);
    let accepted = later(assigned, 1, 20, dice).min(end);
    // The agent's end is often a few seconds after the session's.
    let ended = if dice.chance(40) {
        later(end, 1, 8, dice)
    } else {
        end
    };
    let middle = accepted + (ended - accepted) / 2;
    let middle = middle - TimeDelta::nanoseconds(i64::from(middle.timestamp_subsec_nanos()));
    AgentSegment {
        accepted: Some(accepted),
        first_response: dice.chance(75).then(|| later(accepted, 0, 10, dice).min(ended)),
        ended: Some(ended),
        after_call_work_seconds: dice
            .chance(80)
            .then(|| u32::try_from(dice.between(0, 180)).unwrap_or(0)),
        non_response_event: Text::Borrowed(""),
        consultations: if dice.chance(20) {
            vec![consultation(middle, ended, dice)]
        } else {
            Vec::new()
        },
        joined_users: if dice.chance(5) {
            vec![words::agent(dice).name]
        } else {
            Vec::new()
        },
        snoozes: if dice.chance(6) {
            vec![Snooze {
                from: middle,
                to: ended,
            }]
        } else {
            Vec::new()
        },
        chose_translate: dice.chance(10).then(|| dice.chance(50)),
        ..unanswered(assigned, dice)
    }
}

fn consultation(from: DateTime<Utc>, end: DateTime<Utc>, dice: &mut Dice) -> Consultation {
    let name = if dice.chance(40) {
        Text::Owned(words::phone(dice))
    } else {
        words::agent(dice).name
    };
    let accepted = dice.chance(80).then(|| later(from, 2, 10, dice).min(end));
    Consultation {
        name,
        assigned: from,
        accepted,
        ended: accepted.map(|accepted| later(accepted, 5, 60, dice).min(end)),
        merged: dice.chance(40).then(|| dice.chance(50)),
    }
}

fn notes(dice: &mut Dice) -> Vec<Text> {
    let count = *dice.pick(&[0, 1, 1, 1, 2]);
    (0..count).map(|_| words::fixed(dice, words::NOTES)).collect()
}

fn later(at: DateTime<Utc>, low: i64, high: i64, dice: &mut Dice) -> DateTime<Utc> {
    at + TimeDelta::seconds(dice.between(low, high))
}
