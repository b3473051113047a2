//! What records of other versions of the API hold beside what the vendor's sample response shows; some records of each shape.

use chrono::TimeDelta;

use crate::{
    destination::{AgentSegment, Destination},
    dice::hash,
    generate,
    interaction::{Conversation, Interaction},
    json::{Array, Object},
    render::View,
};

/// One of so many records has a shape.
fn has(it: &Interaction, shape: &str, one_of: u64) -> bool {
    it.spelling.pick(shape, one_of) == 1
}

/// Whether the agent's assistant left a session beside this conversation.
pub(crate) fn has_shadow(it: &Interaction) -> bool {
    has(it, "shadow", 20)
}

/// Whether a session is told without its start and its end.
pub(crate) fn has_no_times(it: &Interaction) -> bool {
    has(it, "no-times", 50)
}

/// The channel: as documented, in lower case, or with a blank at its end.
pub(crate) fn channel(it: &Interaction) -> String {
    let label = it.channel.label();
    match it.spelling.pick("channel-spelling", 8) {
        1 => label.to_lowercase(),
        2 => format!("{label} "),
        _ => label.to_owned(),
    }
}

/// A reason that names a queue and an agent, in place of the usual one.
pub(crate) fn reason(it: &Interaction) -> Option<String> {
    let conversation = it
        .conversation
        .as_deref()
        .filter(|_| has(it, "reason-names-agent", 12))?;
    conversation
        .destinations
        .iter()
        .find_map(|destination| match destination {
            Destination::Queue(queue) => {
                let agent = queue.responding.as_deref()?;
                Some(format!("{}:{}", queue.queue_name, agent.agent.name))
            }
            Destination::Agent(_) => None,
        })
}

/// `customData` of the metaInfo.
pub(crate) fn custom_data(o: &mut Object<'_>, it: &Interaction, conversation: &Conversation) {
    if !has(it, "custom-data", 15) {
        return;
    }
    let agent = conversation
        .destinations
        .iter()
        .find_map(|destination| match destination {
            Destination::Queue(queue) => queue.responding.as_deref(),
            Destination::Agent(agent) => Some(agent),
        });
    o.object("customData", |c| {
        c.boolean("isAgentAssistOnly", false);
        if let Some(agent) = agent {
            c.text("agentId", &agent.agent.id);
        }
        c.text("experience", "CHAT");
    });
}

/// Tones of the dialog.
pub(crate) fn dialog_tone(tones: &mut Array<'_>, it: &Interaction) {
    if has(it, "dialog-tone", 6) {
        tones.object(|t| {
            t.text("tone_name", "sad");
            t.value("level", &serde_json::json!(2.5));
            t.number("count", 2);
            t.number("totalLevel", 5);
        });
    }
}

/// How long the customer was on hold, of so many seconds; not every agent is told it.
pub(crate) fn held_seconds(agent: &AgentSegment, spoken: i64) -> Option<i64> {
    let chance = hash(&agent.agent.id) ^ agent.assigned.timestamp().unsigned_abs();
    (!chance.is_multiple_of(3)).then(|| spoken / i64::try_from(2 + chance % 5).unwrap_or(2))
}

/// The id and address of a consulted agent, where it is no phone number.
pub(crate) fn consulted_agent(o: &mut Object<'_>, name: &str) {
    if let Some(agent) = generate::agent_named(name) {
        o.text("agentId", &agent.id);
        o.text("email", &agent.email);
    }
}

/// Who joined, as objects.
pub(crate) fn joined_users(o: &mut Object<'_>, segment: &AgentSegment, view: &View) {
    let joined = segment.accepted.map(|accepted| accepted + TimeDelta::seconds(5));
    o.array("JoinedUsers", |users| {
        for name in &segment.joined_users {
            users.object(|user| {
                if let Some(agent) = generate::agent_named(name) {
                    user.text("agentId", &agent.id);
                    user.text("email", &agent.email);
                }
                user.text("name", name);
                if let Some(joined) = view.past(joined) {
                    user.naive("joinedAt", view.local(joined));
                }
                if let Some(left) = view.past(segment.ended) {
                    user.naive("end", view.local(left));
                }
            });
        }
    });
}
