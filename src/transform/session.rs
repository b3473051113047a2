//! Reads everything but the destinations of a record.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::fields::{Fields, Notes};
use super::rows::{Session, Tag, TagScope};
use super::{Ids, LONGEST_ID, Rows, destination, instant, shadow};

const START: &str = "sessionStartTime";

const START_OF_ID: &str = "taken from sessionId";

const OPEN: &str = "TRANSIENT_OPEN";

pub(super) const WITHOUT_ID: &str = "neither conversationId nor sessionId";

pub(super) const NO_RECORD: &str = "neither an id nor a sessionStartTime";

#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) reason: &'static str,
    pub(super) ids: Option<Ids>,
}

pub(super) fn read(record: Map<String, Value>, notes: &Notes) -> Result<Rows, Unreadable> {
    let mut fields = Fields::new("", record, notes);
    let mut session = identity(&mut fields).map_err(|reason| {
        let is_record = reason != WITHOUT_ID || fields.instant(START).is_some();
        Unreadable {
            reason: if is_record { reason } else { NO_RECORD },
            ids: None,
        }
    })?;
    session.session_started_at = started_at(&session, &mut fields, notes).ok_or_else(|| Unreadable {
        reason: "sessionStartTime is missing or cannot be read",
        ids: Some(session.ids()),
    })?;
    outcome(&mut session, &mut fields);
    survey(&mut session, &mut fields);
    campaign(&mut session, &mut fields);
    meta_info_and_customer(&mut session, &mut fields, notes);
    let mut tags = tags(&mut fields, "sessionleveltags", TagScope::Session);
    tags.extend(self::tags(&mut fields, "userleveltags", TagScope::User));
    let mut rows = Rows {
        tags,
        ..Rows::default()
    };
    for (index, destination) in fields.objects("destinations") {
        destination::read(&mut rows, index, destination);
    }
    session.is_shadow = shadow::is_one(&session, !rows.destinations.is_empty());
    session.extra = fields.rest();
    rows.session = session;
    Ok(rows)
}

pub(super) fn ids(record: Map<String, Value>) -> Option<Ids> {
    let notes = Notes::new(0);
    let session = identity(&mut Fields::new("", record, &notes)).ok()?;
    Some(session.ids())
}

fn identity(fields: &mut Fields<'_>) -> Result<Session, &'static str> {
    let session_id = fields.identity("sessionId");
    let conversation_id = fields.identity("conversationId");
    let ids = || session_id.iter().chain(&conversation_id);
    if ids().next().is_none() {
        return Err(WITHOUT_ID);
    }
    if ids().any(|id| id.len() > LONGEST_ID) {
        return Err("an id is longer than 512 bytes");
    }
    Ok(Session {
        session_id,
        conversation_id,
        ..Session::default()
    })
}

impl Session {
    /// Ids of the record.
    pub fn ids(&self) -> Ids {
        Ids {
            session_id: self.session_id.clone(),
            conversation_id: self.conversation_id.clone(),
        }
    }

    /// Whether the start comes from the session id.
    pub fn has_start_of_id(&self) -> bool {
        let is_so = |warning: &String| warning.split_once(": ") == Some((START, START_OF_ID));
        self.warnings.iter().any(is_so)
    }
}

fn started_at(session: &Session, fields: &mut Fields<'_>, notes: &Notes) -> Option<DateTime<Utc>> {
    fields.instant(START).or_else(|| {
        let started_at = instant::of_session_id(session.session_id.as_deref()?)?;
        notes.warn(START, START_OF_ID);
        Some(started_at)
    })
}

fn outcome(session: &mut Session, fields: &mut Fields<'_>) {
    session.channel = fields.label("channel");
    session.direction = fields.label("Direction");
    session.is_voicemail = fields.flag("isVoicemail");
    session.session_ended_at = fields.instant("sessionEndTime");
    session.bot_id = fields.text("botId");
    session.user_id = fields.text("userId");
    session.channel_specific_user_id = fields.text("channelSpecificUserId");
    session.org_id = fields.text("orgId");
    session.smart_status = fields.label("smartStatus");
    session.final_status = fields.label("finalStatus");
    if is_open(session) {
        session.session_ended_at = None;
    }
    session.reason = fields.label("reason");
    session.disconnecting_event = fields.label("disconnectingEvent");
    session.error_details = fields.text("errorDetails");
    session.automation_bot_ids = fields.texts("automationBotIDs");
    session.dispositions = fields.labels("dispositions");
    session.disposition_remarks = fields.texts("dispositionRemarks");
    session.skills = fields.json("skills");
}

/// The API sends the start as the end.
fn is_open(session: &Session) -> bool {
    let is_open = session
        .final_status
        .as_deref()
        .is_some_and(|status| status.eq_ignore_ascii_case(OPEN));
    is_open
        && session
            .session_ended_at
            .is_some_and(|end| end <= session.session_started_at)
}

fn survey(session: &mut Session, fields: &mut Fields<'_>) {
    session.survey_type = fields.label("surveyType");
    session.csat_score = fields.integer("csatScore");
    session.nps_score = fields.integer("npsScore");
    session.like_dislike_score = fields.integer("likeDislikeScore");
    session.csat_feedback = fields.text("csatFeedback");
}

fn campaign(session: &mut Session, fields: &mut Fields<'_>) {
    let mut campaign = fields.object("campaigninfo");
    session.campaign_id = campaign.text("campaignId");
    session.campaign_name = campaign.label("campaignName");
    session.campaign_instance_id = campaign.text("campaignInstanceId");
    session.campaign_dialing_list_id = campaign.text("campaignDialingListId");
    session.campaign_attempt = campaign.integer("attempt");
    session.campaign_contact_status = campaign.label("contactStatus");
    session.campaign_run_at = campaign.instant("campaignRunDate");
    session.campaign_contact_lists = campaign.labels("contactListName");
    fields.keep_rest_of("campaigninfo", campaign);
}

/// The outer `customerinfo` wins; `metaInfo` is also kept whole.
fn meta_info_and_customer(session: &mut Session, fields: &mut Fields<'_>, notes: &Notes) {
    session.meta_info = fields.json("metaInfo");
    let meta = session
        .meta_info
        .clone()
        .into_iter()
        .map(|value| ("metaInfo".to_owned(), value));
    let mut meta = Fields::new("", meta.collect(), notes).object("metaInfo");
    session.caller = meta.text("caller");
    session.callee = meta.text("callee");
    session.caller_host = meta.text("callerHost");
    session.dialed_number = meta.text("dialedNumber");
    session.ip_address = meta.text("ipAddress");
    session.host_domain = meta.text("hostDomain");
    session.os = meta.label("os");
    let mut transfer = meta.object("agentTransferConfig");
    session.last_intent_name = transfer.label("lastIntentName");
    session.last_intent_user_input = transfer.text("lastIntentuserInput");

    let mut outer = fields.object("customerinfo");
    let mut inner = meta.object("customerinfo");
    let mut customer = |name| {
        let value = outer.text(name);
        value.or(inner.text(name))
    };
    session.customer_phone = customer("CustomerPhone");
    session.center_phone = customer("CenterPhone");
    session.customer_first_name = customer("CustomerFirstName");
    session.customer_last_name = customer("CustomerLastName");
    session.customer_email = customer("CustomerEmail");
    session.direction = session.direction.take().or_else(|| customer("Direction"));
    outer.drop_repeated("Direction", session.direction.as_deref());
    fields.keep_rest_of("customerinfo", outer);
}

fn tags(fields: &mut Fields<'_>, name: &str, tag_scope: TagScope) -> Vec<Tag> {
    fields
        .objects(name)
        .map(|(tag_index, mut tag)| Tag {
            tag_scope,
            tag_index,
            name: tag.label("name"),
            value: tag.text("value"),
            extra: tag.rest(),
        })
        .collect()
}
