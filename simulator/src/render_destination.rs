//! The `destinations` of a record: queue entries and agent segments, as far as they have happened.

use crate::{
    destination::{AgentSegment, Callback, Consultation, Destination, QueueEntry},
    json::Object,
    render::{View, list_or_blank, text_or_blank},
    shapes,
    spelling::Spelling,
};

/// Writes the destinations that have been entered by the moment of the request.
pub(crate) fn destinations(o: &mut Object<'_>, all: &[Destination], spelling: Spelling, view: &View) {
    let entered: Vec<_> = all.iter().filter(|d| d.entered() <= view.now).collect();
    if entered.is_empty() {
        return list_or_blank::<&str>(o, spelling, "destinations", &[]);
    }
    o.array("destinations", |array| {
        for destination in entered {
            array.object(|d| match destination {
                Destination::Queue(queue) => queue_entry(d, queue, spelling, view),
                Destination::Agent(agent) => agent_segment(d, agent, spelling, view),
            });
        }
    });
}

fn queue_entry(o: &mut Object<'_>, queue: &QueueEntry, spelling: Spelling, view: &View) {
    if spelling.pick("queue-type", 10) != 9 {
        o.text("destinationType", "QueueEntry");
    }
    o.text("queueId", &queue.queue_id);
    text_or_blank(o, spelling, "queueName", &queue.queue_name);
    callback(o, queue.callback.as_ref(), spelling, view);
    o.naive("EnterTime", view.local(queue.entered));
    if let Some(agent) = queue
        .responding
        .as_deref()
        .filter(|agent| agent.assigned <= view.now)
    {
        o.object("respondingAgent", |a| agent_segment(a, agent, spelling, view));
    }
    let assigned: Vec<_> = queue
        .non_responding
        .iter()
        .filter(|agent| agent.assigned <= view.now)
        .collect();
    if assigned.is_empty() {
        if spelling.pick("nonRespondingAgents", 4) == 3 {
            o.null("nonRespondingAgents");
        }
        return;
    }
    o.array("nonRespondingAgents", |array| {
        for agent in assigned {
            array.object(|a| agent_segment(a, agent, spelling, view));
        }
    });
}

fn callback(o: &mut Object<'_>, callback: Option<&Callback>, spelling: Spelling, view: &View) {
    let callback = callback.filter(|callback| callback.opted <= view.now);
    match (spelling.pick("CallbackOpted", 4), callback.is_some()) {
        (3, true) => o.text("CallbackOpted", "True"),
        (3, false) => o.text("CallbackOpted", "False"),
        (_, opted) => o.boolean("CallbackOpted", opted),
    }
    if let Some(callback) = callback {
        o.zulu("CallbackOptedTime", callback.opted);
        if let Some(accepted) = view.past(callback.accepted) {
            o.zulu("userCallbackAcceptTime", accepted);
        }
    }
}

fn agent_segment(o: &mut Object<'_>, agent: &AgentSegment, spelling: Spelling, view: &View) {
    o.text("agentId", &agent.agent.id);
    list_or_blank(o, spelling, "agentNotes", &agent.notes);
    if spelling.pick("segment-type", 10) != 9 {
        o.text("destinationType", "AgentSegment");
    }
    o.text("email", &agent.agent.email);
    o.text("name", &agent.agent.name);
    o.naive("assignedAt", view.local(agent.assigned));
    text_or_absent(o, "nonResponseEvent", &agent.non_response_event);
    if let Some(accepted) = view.past(agent.accepted) {
        o.text("status", "Answered");
        o.naive("acceptedTime", view.local(accepted));
        first_response(o, agent, view);
        work(o, agent, view);
        consultations(o, &agent.consultations, spelling, view);
        if view.vendor_shapes && !agent.joined_users.is_empty() {
            shapes::joined_users(o, agent, view);
        } else {
            list_or_blank(o, spelling, "JoinedUsers", &agent.joined_users);
        }
    }
    if view.selected.snooze {
        snoozes(o, agent, view);
    }
    if let Some(chose) = agent.chose_translate {
        o.boolean("agentChoseTranslate", chose);
    }
}

fn first_response(o: &mut Object<'_>, agent: &AgentSegment, view: &View) {
    let Some(first) = view.past(agent.first_response) else {
        return;
    };
    o.naive("firstResponseTime", view.local(first));
    let waited = agent
        .accepted
        .map_or(0, |accepted| (first - accepted).num_seconds());
    o.number("firstResponseDuration", waited);
}

fn work(o: &mut Object<'_>, agent: &AgentSegment, view: &View) {
    let Some(ended) = view.past(agent.ended) else {
        return;
    };
    o.naive("interactionEndTime", view.local(ended));
    let spoken = agent
        .accepted
        .map_or(0, |accepted| (ended - accepted).num_seconds());
    o.number("interactionDuration", spoken);
    if view.vendor_shapes
        && let Some(held) = shapes::held_seconds(agent, spoken)
    {
        o.number("holdDuration", held);
    }
    let Some(seconds) = agent.after_call_work_seconds.map(i64::from) else {
        return;
    };
    if let Some(done) = view.past(Some(ended + chrono::TimeDelta::seconds(seconds))) {
        o.number("afterCallWorkDuration", seconds);
        o.naive("afterCallWorkEndTime", view.local(done));
    }
}

fn consultations(o: &mut Object<'_>, all: &[Consultation], spelling: Spelling, view: &View) {
    let begun: Vec<_> = all.iter().filter(|c| c.assigned <= view.now).collect();
    if begun.is_empty() {
        return list_or_blank::<&str>(o, spelling, "ConsultingAgents", &[]);
    }
    o.array("ConsultingAgents", |array| {
        for consultation in begun {
            array.object(|c| {
                if view.vendor_shapes {
                    shapes::consulted_agent(c, &consultation.name);
                }
                c.text("name", &consultation.name);
                c.naive("assignedAt", view.local(consultation.assigned));
                if let Some(accepted) = view.past(consultation.accepted) {
                    c.naive("acceptedTime", view.local(accepted));
                }
                if let Some(ended) = view.past(consultation.ended) {
                    c.naive("consultingEndTime", view.local(ended));
                }
                if let Some(merged) = consultation.merged {
                    c.boolean("isMerged", merged);
                }
            });
        }
    });
}

fn snoozes(o: &mut Object<'_>, agent: &AgentSegment, view: &View) {
    let begun: Vec<_> = agent
        .snoozes
        .iter()
        .filter(|snooze| snooze.from <= view.now)
        .collect();
    if begun.is_empty() {
        return;
    }
    o.array("snoozeinfo", |array| {
        for snooze in begun {
            array.object(|s| {
                s.naive("snoozeStartTime", view.local(snooze.from));
                if let Some(to) = view.past(Some(snooze.to)) {
                    s.naive("snoozeEndTime", view.local(to));
                    s.number("snoozeDuration", (to - snooze.from).num_seconds());
                }
            });
        }
    });
}

fn text_or_absent(o: &mut Object<'_>, key: &str, text: &str) {
    if !text.is_empty() {
        o.text(key, text);
    }
}
