//! Makes rows of a record: what the table of fields cannot say.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::coerce::{Coerce, FieldKind, is_nothing};
use super::fields::{AgentSegment, Consultation, Destination, JoinedUser, Response, Session, Tag, TagScope};
use super::privacy::{Node, RECORD, is_name, is_shadow_channel, shadowed_conversation};
use super::raw::{Ids, WITHOUT_ID};
use super::reader::{Notes, Reader, named};
use super::table::JsonText;
use super::{Rows, instant};

const START: &str = "sessionStartTime";

const START_OF_ID: &str = "taken from sessionId";

const OPEN: &str = "TRANSIENT_OPEN";

const AGENT_SEGMENT: &str = "AgentSegment";

const NO_RECORD: &str = "neither an id nor a sessionStartTime";

pub(super) fn read(record: Map<String, Value>, notes: &Notes) -> Result<Rows, &'static str> {
    let mut fields = Reader::new("", record, notes);
    let ids = Ids {
        session_id: fields.identity("sessionId"),
        conversation_id: fields.identity("conversationId"),
    };
    let started_at: Option<DateTime<Utc>> = fields.read(START, FieldKind::Instant);
    ids.check().map_err(|why| {
        if why == WITHOUT_ID && started_at.is_none() {
            NO_RECORD
        } else {
            why
        }
    })?;
    let started_at = started_at.or_else(|| start_of_id(&ids, notes));
    let says_assist_only = says_assist_only(fields.copy_part("metaInfo"));
    let mut session = Session {
        session_started_at: started_at.ok_or("sessionStartTime is missing or cannot be read")?,
        ..Session::read(&mut fields)
    };
    (session.session_id, session.conversation_id) = (ids.session_id, ids.conversation_id);
    let (status, start) = (session.final_status.as_deref(), session.session_started_at);
    session
        .session_ended_at
        .take_if(|end| is_open(status, Some(start), *end));
    let mut rows = Rows::default();
    tags(&mut rows, &mut fields, "sessionleveltags", TagScope::Session);
    tags(&mut rows, &mut fields, "userleveltags", TagScope::User);
    for (index, destination) in fields.rows("destinations", None) {
        read_destination(&mut rows, index, destination);
    }
    session.is_shadow = is_shadow(&session, says_assist_only && rows.destinations.is_empty());
    session.extra = fields.extra();
    rows.session = session;
    rows.shrink();
    Ok(rows)
}

impl Rows {
    /// Whole windows of rows are held in memory.
    fn shrink(&mut self) {
        self.destinations.shrink_to_fit();
        self.agent_segments.shrink_to_fit();
        self.consultations.shrink_to_fit();
        self.joined_users.shrink_to_fit();
        self.tags.shrink_to_fit();
    }
}

impl Session {
    pub fn ids(&self) -> Ids {
        Ids {
            session_id: self.session_id.clone(),
            conversation_id: self.conversation_id.clone(),
        }
    }

    pub fn has_start_of_id(&self) -> bool {
        let is_so = |warning: &String| warning.split_once(": ") == Some((START, START_OF_ID));
        self.warnings.iter().any(is_so)
    }
}

/// The API sends the start as the end of an open session.
pub(super) fn is_open(status: Option<&str>, start: Option<DateTime<Utc>>, end: DateTime<Utc>) -> bool {
    is(status, OPEN) && Some(end) <= start
}

fn start_of_id(ids: &Ids, notes: &Notes) -> Option<DateTime<Utc>> {
    let started_at = instant::of_session_id(ids.session_id.as_deref()?)?;
    notes.warn(START, START_OF_ID);
    Some(started_at)
}

pub(super) fn is(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

fn tags(rows: &mut Rows, fields: &mut Reader<'_>, list: &str, tag_scope: TagScope) {
    for (tag_index, mut fields) in fields.rows(list, None) {
        let mut tag = Tag {
            tag_scope,
            tag_index,
            ..Tag::read(&mut fields)
        };
        tag.extra = fields.extra();
        rows.tags.push(tag);
    }
}

/// A direct transfer is its own agent segment.
fn read_destination(rows: &mut Rows, destination_index: i32, mut fields: Reader<'_>) {
    let mut destination = Destination {
        destination_index,
        ..Destination::read(&mut fields)
    };
    let kind = destination.destination_type.as_deref();
    // The privacy rules may have emptied `agentId`.
    let is_direct = is(kind, AGENT_SEGMENT)
        || fields.has("agentId")
        || (kind.is_none() && fields.values("agentId").next().is_some());
    let mut agents = Vec::new();
    for (list, response) in [
        ("nonRespondingAgents", Response::NonResponding),
        ("respondingAgent", Response::Responding),
    ] {
        agents.extend(
            fields
                .rows(list, None)
                .into_iter()
                .map(|(_, agent)| (response, agent)),
        );
    }
    if is_direct {
        agents.push((Response::Direct, fields));
    } else {
        destination.extra = fields.extra();
    }
    rows.destinations.push(destination);
    for (segment_index, (response, agent)) in (0..).zip(agents) {
        read_segment(rows, (destination_index, segment_index), response, agent);
    }
}

fn read_segment(
    rows: &mut Rows,
    (destination_index, segment_index): (i32, i32),
    response: Response,
    mut fields: Reader<'_>,
) {
    for (consultation_index, mut fields) in fields.rows("ConsultingAgents", None) {
        let mut consultation = Consultation {
            destination_index,
            segment_index,
            consultation_index,
            ..Consultation::read(&mut fields)
        };
        consultation.extra = fields.extra();
        rows.consultations.push(consultation);
    }
    for (user_index, mut fields) in fields.rows("JoinedUsers", JoinedUser::TABLE.lone) {
        let mut user = JoinedUser {
            destination_index,
            segment_index,
            user_index,
            ..JoinedUser::read(&mut fields)
        };
        user.extra = fields.extra();
        rows.joined_users.push(user);
    }
    let mut segment = AgentSegment {
        destination_index,
        segment_index,
        response,
        ..AgentSegment::read(&mut fields)
    };
    read_durations(&mut segment, &mut fields);
    segment.extra = segment_extra(fields);
    rows.agent_segments.push(segment);
}

/// Checks each against the stamps beside it.
fn read_durations(segment: &mut AgentSegment, fields: &mut Reader<'_>) {
    let (accepted_at, ended_at) = (segment.accepted_at, segment.interaction_ended_at);
    let between = |from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>| Some(to? - from?);
    let work = between(accepted_at.or(segment.assigned_at), ended_at);
    let response = between(accepted_at, segment.first_responded_at);
    let after_call = between(ended_at, segment.after_call_work_ended_at);
    segment.first_response_seconds = fields.duration("firstResponseDuration", response);
    segment.interaction_seconds = fields.duration("interactionDuration", work);
    segment.hold_seconds = fields.duration("holdDuration", work);
    segment.after_call_work_seconds = fields.duration("afterCallWorkDuration", after_call);
}

fn segment_extra(mut fields: Reader<'_>) -> Option<JsonText> {
    let kind: Option<String> = fields.read("destinationType", FieldKind::Text);
    let mut extra = fields.rest();
    if let Some(kind) = kind.filter(|kind| !is(Some(kind), AGENT_SEGMENT)) {
        extra.get_or_insert_with(|| json!({}))["destinationType"] = kind.into();
    }
    extra.map(JsonText::from)
}

/// Custom data count only without destinations.
fn is_shadow(session: &Session, is_assist_only: bool) -> bool {
    let user = session.channel_specific_user_id.as_deref();
    session.channel.as_deref().is_some_and(is_shadow_channel)
        || user.and_then(shadowed_conversation).is_some()
        || is_assist_only
}

fn says_assist_only(meta_info: &Reader<'_>) -> bool {
    let customs = meta_info.values("customData").filter_map(Value::as_object);
    let mut flags = customs.flat_map(|custom| named(custom, "isAgentAssistOnly"));
    flags.any(|flag| Option::coerce(&mut flag.clone(), FieldKind::Flag, 0) == Ok(Some(true)))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drift {
    /// Such as `destinations[].respondingAgent.mood`.
    pub path: String,
    pub json_type: &'static str,
}

pub(super) fn drift(record: &Map<String, Value>) -> Vec<Drift> {
    let mut drift = Vec::new();
    add_drift(&RECORD, "", record, &mut drift);
    drift
}

fn add_drift(known: &Node, path: &str, object: &Map<String, Value>, drift: &mut Vec<Drift>) {
    for (name, value) in object {
        match (known.find(name), value) {
            (None, value) => drift.extend(unknown_field(path, name, value)),
            // Bots define the fields of some objects.
            (Some(part), _) if part.parts.is_empty() || part.kind == FieldKind::Json => {}
            (Some(part), Value::Object(within)) => {
                add_drift(part, &format!("{path}{}.", part.name), within, drift);
            }
            (Some(part), Value::Array(items)) => {
                let path = format!("{path}{}[].", part.name);
                let objects = items.iter().filter_map(Value::as_object);
                objects.for_each(|within| add_drift(part, &path, within, drift));
            }
            _ => {}
        }
    }
}

/// Hides a name that may be a value.
fn unknown_field(path: &str, name: &str, value: &Value) -> Option<Drift> {
    let json_type = match value {
        value if is_nothing(value) => return None,
        Value::Null => return None,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let name = if is_name(name) { name } else { "*" };
    Some(Drift {
        path: format!("{path}{name}"),
        json_type,
    })
}
