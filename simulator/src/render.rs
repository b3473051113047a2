//! From the typed record to the vendor's JSON, for one request: its time zone, its selected fields, the moment it asks.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::{
    interaction::{Campaign, Conversation, Customer, Direction, Interaction, Survey, SurveyKind, Tag},
    json::{self, Object},
    render_destination::destinations,
    render_meta::meta_info,
    shapes,
    spelling::{Blank, Spelling},
};

/// How one request looks at the records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// [`Behaviour::vendor_shapes`](crate::options::Behaviour::vendor_shapes).
    pub(crate) vendor_shapes: bool,
    /// `timeZoneOffset`: minutes, negative east of Greenwich; local = UTC - offset.
    pub(crate) offset: TimeDelta,
    /// [`Behaviour::stamp_shift`](crate::options::Behaviour::stamp_shift).
    pub(crate) stamp_shift: TimeDelta,
    /// [`Behaviour::placeholder_ids`](crate::options::Behaviour::placeholder_ids).
    pub(crate) placeholder_ids: bool,
    /// [`Behaviour::odd_spellings`](crate::options::Behaviour::odd_spellings).
    pub(crate) odd_spellings: bool,
    /// The moment of the request; what lies after it is not known yet.
    pub(crate) now: DateTime<Utc>,
    pub(crate) selected: Selected,
}

/// The fields that are only returned when `selectedFields` names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) skills: bool,
    pub(crate) customer: bool,
    pub(crate) user_tags: bool,
    pub(crate) session_tags: bool,
    pub(crate) campaign: bool,
    pub(crate) snooze: bool,
}

impl View {
    pub(crate) fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc() - self.offset + self.stamp_shift
    }

    /// A customer's phone number, as this server writes it.
    pub(crate) fn phone<'a>(&self, spelling: Spelling, number: &'a str) -> Cow<'a, str> {
        if self.odd_spellings {
            spelling.phone(number)
        } else {
            number.into()
        }
    }

    /// A customer's e-mail address, as this server writes it.
    pub(crate) fn email<'a>(&self, spelling: Spelling, address: &'a str) -> Cow<'a, str> {
        if self.odd_spellings {
            spelling.email(address)
        } else {
            address.into()
        }
    }

    /// The instant, if it has come.
    pub(crate) fn past(&self, at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        at.filter(|at| *at <= self.now)
    }
}

/// Writes one record.
pub(crate) fn interaction(it: &Interaction, view: &View, out: &mut Vec<u8>) {
    json::object(out, |o| {
        if let Some(conversation) = &it.conversation {
            o.text("conversationId", &conversation.id);
        } else if view.placeholder_ids {
            o.text("conversationId", it.spelling.placeholder());
        }
        o.text("sessionId", &it.session_id);
        if view.vendor_shapes {
            o.text("channel", &shapes::channel(it));
        } else {
            o.text("channel", it.channel.label());
        }
        session_times(o, it, view);
        o.text("botId", &it.bot_id);
        o.text("userId", &it.user_id);
        o.text("channelSpecificUserId", &it.channel_specific_user_id);
        text_or_blank(o, it.spelling, "orgId", &it.org_id);
        status(o, it, view);
        if let Some(conversation) = &it.conversation {
            self::conversation(o, it, conversation, view);
        }
        list_or_blank(o, it.spelling, "automationBotIDs", &it.automation_bot_ids);
        if view.selected.user_tags {
            tags(o, it.spelling, "userleveltags", &it.user_level_tags);
        }
        if view.selected.session_tags {
            tags(o, it.spelling, "sessionleveltags", &it.session_level_tags);
        }
    });
}

fn session_times(o: &mut Object<'_>, it: &Interaction, view: &View) {
    let end = view.past(it.end);
    if view.vendor_shapes && end.is_some() && shapes::has_no_times(it) {
        return;
    }
    o.naive("sessionStartTime", view.local(it.start));
    match end {
        Some(end) => o.naive("sessionEndTime", view.local(end)),
        None if view.vendor_shapes => o.naive("sessionEndTime", view.local(it.start)),
        None => text_or_blank(o, it.spelling, "sessionEndTime", ""),
    }
}

fn status(o: &mut Object<'_>, it: &Interaction, view: &View) {
    let ended = view.past(it.end).is_some();
    let (smart, last) = match (ended, view.vendor_shapes) {
        (true, _) => (&*it.smart_status, &*it.final_status),
        (false, true) => ("", "TRANSIENT_OPEN"),
        (false, false) => ("OPEN", ""),
    };
    o.text("smartStatus", smart);
    text_or_blank(o, it.spelling, "finalStatus", last);
    let reason = if it.spelling.pick("reason-case", 8) == 1 {
        "Reason"
    } else {
        "reason"
    };
    let named = shapes::reason(it).filter(|_| view.vendor_shapes);
    let said = named.as_deref().unwrap_or(&it.reason);
    text_or_blank(o, it.spelling, reason, if ended { said } else { "" });
    let event = if ended { &*it.disconnecting_event } else { "" };
    text_or_blank(o, it.spelling, "disconnectingEvent", event);
    text_or_blank(o, it.spelling, "errorDetails", &it.error_details);
}

fn conversation(o: &mut Object<'_>, it: &Interaction, conversation: &Conversation, view: &View) {
    let spelling = it.spelling;
    voicemail(o, spelling, conversation.voicemail);
    let hidden_direction = spelling.pick("direction-place", 4) == 3 && conversation.customer.is_some();
    if !hidden_direction {
        o.text("Direction", conversation.direction.label());
    }
    if view.selected.skills {
        skills(o, spelling, conversation);
    }
    let ended = view.past(it.end).is_some();
    let (dispositions, remarks) = if ended {
        (
            conversation.dispositions.as_slice(),
            conversation.disposition_remarks.as_slice(),
        )
    } else {
        Default::default()
    };
    list_or_blank(o, spelling, "dispositions", dispositions);
    list_or_blank(o, spelling, "dispositionRemarks", remarks);
    if let Some(survey) = conversation.survey.as_ref().filter(|_| ended) {
        self::survey(o, spelling, survey);
    }
    let customer = conversation.customer.as_ref().filter(|_| view.selected.customer);
    let customer = customer.map(|customer| (customer, hidden_direction.then_some(conversation.direction)));
    let in_meta = spelling.pick("customerinfo-place", 3) == 2;
    o.object("metaInfo", |meta| {
        meta_info(meta, it, conversation, view);
        if let Some((customer, direction)) = customer.filter(|_| in_meta) {
            customer_info(meta, spelling, customer, direction, view);
        }
    });
    if let Some((customer, direction)) = customer.filter(|_| !in_meta) {
        customer_info(o, spelling, customer, direction, view);
    }
    if let Some(campaign) = conversation.campaign.as_ref().filter(|_| view.selected.campaign) {
        campaign_info(o, spelling, campaign);
    }
    destinations(o, &conversation.destinations, spelling, view);
}

fn voicemail(o: &mut Object<'_>, spelling: Spelling, voicemail: bool) {
    if spelling.pick("isVoicemail", 4) == 3 {
        o.boolean("isVoicemail", voicemail);
    } else {
        o.text("isVoicemail", if voicemail { "YES" } else { "NO" });
    }
}

fn skills(o: &mut Object<'_>, spelling: Spelling, conversation: &Conversation) {
    if conversation.skills.is_empty() {
        return list_or_blank::<&str>(o, spelling, "skills", &[]);
    }
    o.array("skills", |array| {
        for skill in &conversation.skills {
            array.object(|s| {
                s.text("id", &skill.id);
                s.text("name", &skill.name);
            });
        }
    });
}

fn survey(o: &mut Object<'_>, spelling: Spelling, survey: &Survey) {
    let (kind, score) = match survey.kind {
        SurveyKind::Csat => ("csat", "csatScore"),
        SurveyKind::Nps => ("nps", "npsScore"),
        SurveyKind::LikeDislike => ("likeDislike", "likeDislikeScore"),
    };
    o.text("surveyType", kind);
    o.number(score, i64::from(survey.score));
    text_or_blank(o, spelling, "csatFeedback", &survey.feedback);
}

fn customer_info(
    o: &mut Object<'_>,
    spelling: Spelling,
    customer: &Customer,
    direction: Option<Direction>,
    view: &View,
) {
    o.object("customerinfo", |c| {
        text_or_blank(
            c,
            spelling,
            "CustomerPhone",
            &view.phone(spelling, &customer.phone),
        );
        text_or_blank(c, spelling, "CenterPhone", &customer.center_phone);
        if let Some(direction) = direction {
            c.text("Direction", direction.label());
        }
        text_or_blank(c, spelling, "CustomerFirstName", &customer.first_name);
        text_or_blank(c, spelling, "CustomerLastName", &customer.last_name);
        text_or_blank(
            c,
            spelling,
            "CustomerEmail",
            &view.email(spelling, &customer.email),
        );
    });
}

fn campaign_info(o: &mut Object<'_>, spelling: Spelling, campaign: &Campaign) {
    o.object("campaigninfo", |c| {
        c.text("campaignName", &campaign.name);
        c.text("campaignId", &campaign.id);
        c.text("campaignInstanceId", &campaign.instance_id);
        c.text("campaignDialingListId", &campaign.dialing_list_id);
        attempt(c, campaign.attempt);
        text_or_blank(c, spelling, "contactStatus", &campaign.contact_status);
        c.zulu("campaignRunDate", campaign.run_at);
        list_or_blank(c, spelling, "contactListName", &campaign.contact_lists);
    });
}

pub(crate) fn attempt(o: &mut Object<'_>, attempt: Option<u8>) {
    match attempt {
        Some(attempt) => o.number("attempt", i64::from(attempt)),
        None => o.text("attempt", ""),
    }
}

fn tags(o: &mut Object<'_>, spelling: Spelling, key: &str, tags: &[Tag]) {
    if tags.is_empty() {
        return list_or_blank::<&str>(o, spelling, key, &[]);
    }
    o.array(key, |array| {
        for tag in tags {
            array.object(|t| {
                t.text("name", &tag.name);
                t.value("value", &tag.value);
            });
        }
    });
}

/// A text, or the record's way of writing none.
pub(crate) fn text_or_blank(o: &mut Object<'_>, spelling: Spelling, key: &str, text: &str) {
    match spelling.blank(key) {
        _ if !text.is_empty() => o.text(key, text),
        Blank::Empty => o.text(key, ""),
        Blank::Absent => {}
        Blank::Null => o.null(key),
    }
}

/// A list, or the record's way of writing an empty one.
pub(crate) fn list_or_blank<T: AsRef<str>>(o: &mut Object<'_>, spelling: Spelling, key: &str, list: &[T]) {
    match spelling.blank(key) {
        _ if !list.is_empty() => o.texts(key, list),
        Blank::Empty => o.texts(key, list),
        Blank::Absent => {}
        Blank::Null => o.null(key),
    }
}
