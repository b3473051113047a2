//! Pure. The columns are described in the database.

mod interaction;
mod visits_and_offers;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgArgumentBuffer;
use uuid::Uuid;

use super::record::is;
use super::{AgentSegment, Destination, JsonText, Response, Rows, TableRow, put};

pub use interaction::count_once;

const UNKNOWN: &str = "(unknown)";

const QUARTER: i64 = 15 * 60;

#[derive(Debug, Clone)]
pub struct FactBasis {
    pub time_zone: Tz,
    pub contact_secret: Vec<u8>,
    /// Names.
    pub shown_tags: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub struct Facts<'a> {
    pub visits: Vec<QueueVisit<'a>>,
    pub offers: Vec<AgentOffer<'a>>,
    pub interaction: InteractionFact<'a>,
}

impl<'a> Facts<'a> {
    /// `None` for a shadow, which is no contact.
    pub fn of(rows: &'a Rows, basis: &FactBasis) -> Option<Self> {
        if rows.session.is_shadow {
            return None;
        }
        let steps = steps(rows);
        let offers = visits_and_offers::offers(rows, &steps, basis);
        let mut interaction = interaction::of(rows, &steps, basis);
        interaction.sum_work(&rows.agent_segments, &offers);
        Some(Self {
            visits: visits_and_offers::visits(rows, &steps, basis),
            offers,
            interaction,
        })
    }
}

macro_rules! facts {
    ($($(#[$doc:meta])* $row:ident in $table:literal { $($name:ident: $type:ty;)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $row<'a> {
            $(pub $name: $type,)+
        }

        impl TableRow for $row<'_> {
            const NAME: &'static str = concat!("smartassist.", $table);
            const COLUMNS: &'static [&'static str] = &[$(stringify!($name)),+];

            fn encode(&self, buffer: &mut PgArgumentBuffer) {
                $(put(&self.$name, buffer);)+
            }
        }
    )+};
}

type Instant = DateTime<Utc>;

facts! {
    QueueVisit in "fact_queue_visits" {
        destination_index: i32;
        entered_quarter_local: NaiveDateTime;
        entered_on: NaiveDate;
        entered_quarter: Instant;
        entered_at: Option<Instant>;
        session_started_at: Instant;
        conversation_id: Option<&'a str>;
        channel: String;
        direction: String;
        campaign_name: Option<&'a str>;
        last_intent_name: Option<&'a str>;
        visit_number: i32;
        queue_key: &'a str;
        previous_queue_key: Option<&'a str>;
        next_queue_key: Option<&'a str>;
        outcome: &'static str;
        answered_at: Option<Instant>;
        left_at: Option<Instant>;
        wait_seconds: Option<i64>;
        agent_key: Option<&'a str>;
        transferred_out: i32;
        callback_opted: i32;
        callback_connected: i32;
        callback_asked_seconds: Option<i64>;
        callback_seconds: Option<i64>;
    }

    AgentOffer in "fact_agent_offers" {
        destination_index: i32;
        segment_index: i32;
        assigned_quarter_local: NaiveDateTime;
        assigned_on: NaiveDate;
        assigned_quarter: Instant;
        accepted_quarter_local: Option<NaiveDateTime>;
        accepted_on: Option<NaiveDate>;
        accepted_quarter: Option<Instant>;
        assigned_at: Option<Instant>;
        accepted_at: Option<Instant>;
        work_ended_at: Option<Instant>;
        session_started_at: Instant;
        conversation_id: Option<&'a str>;
        channel: String;
        direction: String;
        queue_key: Option<&'a str>;
        visit_queue_key: Option<&'a str>;
        agent_key: &'a str;
        outcome: &'static str;
        non_response_event: Option<&'a str>;
        transferred_out: i32;
        consultations: i32;
        consultations_merged: i32;
        consult_seconds: Option<i64>;
        pickup_seconds: Option<i64>;
        first_response_seconds: Option<i32>;
        interaction_seconds: Option<i32>;
        hold_seconds: Option<i32>;
        after_call_work_seconds: Option<i32>;
        handle_seconds: Option<i64>;
        csat_score: Option<i32>;
        nps_score: Option<i32>;
    }

    InteractionFact in "fact_interactions" {
        started_quarter_local: NaiveDateTime;
        started_on: NaiveDate;
        started_quarter: Instant;
        session_started_at: Instant;
        session_ended_at: Option<Instant>;
        contact_ended_at: Option<Instant>;
        conversation_id: Option<&'a str>;
        channel: String;
        direction: String;
        outcome: &'static str;
        conversations: i32;
        contact_key: Option<Uuid>;
        campaign_name: Option<&'a str>;
        last_intent_name: Option<&'a str>;
        skill_names: Option<String>;
        reason: Option<&'a str>;
        dispositions: Vec<Option<&'a str>>;
        tags: Option<JsonText>;
        first_queue_key: Option<&'a str>;
        first_queue_entered_at: Option<Instant>;
        first_accepted_at: Option<Instant>;
        first_agent_key: Option<&'a str>;
        last_agent_key: Option<&'a str>;
        destination_count: i32;
        queue_visits: i32;
        segment_count: i32;
        answered_segment_count: i32;
        transfers: i32;
        consultations: i32;
        callback_opted: Option<bool>;
        queue_wait_seconds: Option<i64>;
        interaction_seconds: Option<i64>;
        hold_seconds: Option<i64>;
        after_call_work_seconds: Option<i64>;
        handle_seconds: Option<i64>;
        csat_score: Option<i32>;
        nps_score: Option<i32>;
        like_dislike_score: Option<i32>;
        next_at: Option<Instant>;
        next_channel: Option<String>;
    }
}

impl InteractionFact<'_> {
    /// Customer and start, if it is one: a conversation that reached a queue or an agent, of a known customer.
    pub fn contact(&self) -> Option<(Uuid, Instant)> {
        let is_one = self.destination_count > 0 && self.conversations == 1;
        let contact_key = self.contact_key.filter(|_| is_one)?;
        Some((contact_key, self.session_started_at))
    }
}

#[derive(Debug, Clone, Copy)]
struct Grouped {
    quarter_local: NaiveDateTime,
    on: NaiveDate,
    quarter: Instant,
}

impl FactBasis {
    /// Time zones differ by quarter hours, so a quarter is one in UTC too.
    fn grouped(&self, at: Instant) -> Grouped {
        let past = TimeDelta::seconds(at.timestamp().rem_euclid(QUARTER))
            + TimeDelta::nanoseconds(at.timestamp_subsec_nanos().into());
        let quarter = at - past;
        let quarter_local = quarter.with_timezone(&self.time_zone).naive_local();
        Grouped {
            quarter_local,
            on: quarter_local.date(),
            quarter,
        }
    }

    fn contact_key(&self, user_id: &str) -> Uuid {
        let hash = Sha256::new()
            .chain_update(&self.contact_secret)
            .chain_update(user_id)
            .finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Uuid::from_bytes(key)
    }
}

/// Capitalizes words: the API sends voice, Voice and VOICE.
pub fn label(value: Option<&str>) -> String {
    let Some(value) = value.filter(|value| *value != UNKNOWN) else {
        return UNKNOWN.to_owned();
    };
    let mut is_inside = false;
    let mut label = String::with_capacity(value.len());
    for character in value.chars() {
        if is_inside {
            label.extend(character.to_lowercase());
        } else {
            label.extend(character.to_uppercase());
        }
        is_inside = character.is_alphanumeric();
    }
    label
}

/// Rounded up, as 20.4 s are not within 20. `None` if negative.
fn seconds_between(from: Option<Instant>, to: Option<Instant>) -> Option<i64> {
    let span = to? - from?;
    let is_begun = span.subsec_nanos() > 0;
    (span >= TimeDelta::zero()).then(|| span.num_seconds() + i64::from(is_begun))
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A key must fit an index.
const LONGEST_NAME: usize = 500;

#[derive(Debug)]
struct Step<'a> {
    destination: &'a Destination,
    is_queue: bool,
    queue_key: &'a str,
    segments: &'a [AgentSegment],
    /// The first answered segment.
    answer: Option<&'a AgentSegment>,
}

impl Step<'_> {
    fn assigned_at(&self) -> Option<Instant> {
        self.segments
            .iter()
            .filter_map(|segment| segment.assigned_at)
            .min()
    }
}

/// In the API's order.
fn steps<'a>(rows: &'a Rows) -> Vec<Step<'a>> {
    let mut left = rows.agent_segments.as_slice();
    let step = |destination: &'a Destination| {
        let is_of = |segment: &&AgentSegment| segment.destination_index == destination.destination_index;
        let own = left.iter().take_while(is_of).count();
        let segments;
        (segments, left) = left.split_at(own);
        Step {
            destination,
            is_queue: destination.is_queue(),
            queue_key: dimension_key(destination.queue_id.as_deref(), destination.queue_name.as_deref()),
            segments,
            answer: segments.iter().find(|segment| is_answered(segment)),
        }
    };
    rows.destinations.iter().map(step).collect()
}

impl Destination {
    /// Else an agent.
    pub fn is_queue(&self) -> bool {
        self.queue_id.is_some()
            || self.queue_name.is_some()
            || is(self.destination_type.as_deref(), "QueueEntry")
    }
}

/// The API calls its agent responding, or a direct transfer was accepted or responded to.
fn is_answered(segment: &AgentSegment) -> bool {
    match segment.response {
        Response::Responding => true,
        Response::NonResponding => false,
        Response::Direct => segment.accepted_at.is_some() || segment.first_responded_at.is_some(),
    }
}

fn agent_key(segment: &AgentSegment) -> &str {
    dimension_key(segment.agent_id.as_deref(), segment.agent_name.as_deref())
}

pub fn dimension_key<'a>(id: Option<&'a str>, name: Option<&'a str>) -> &'a str {
    let cut = |name: &'a str| {
        let end = name
            .char_indices()
            .nth(LONGEST_NAME)
            .map_or(name.len(), |(end, _)| end);
        &name[..end]
    };
    id.or(name.map(cut)).unwrap_or(UNKNOWN)
}

/// It was sent, but could not be read.
fn is_unreadable(segment: &AgentSegment, name: &str) -> bool {
    let is_left_over = |extra: &JsonText| extra.value().get(name).is_some();
    segment.extra.as_ref().is_some_and(is_left_over)
}

fn has_unreadable_work(segment: &AgentSegment) -> bool {
    segment.after_call_work_seconds.is_none() && is_unreadable(segment, "afterCallWorkDuration")
}

fn has_unreadable_hold(segment: &AgentSegment) -> bool {
    segment.hold_seconds.is_none() && is_unreadable(segment, "holdDuration")
}

/// Including after-call work.
fn work_ended_at(segment: &AgentSegment) -> Option<Instant> {
    segment.interaction_ended_at.max(segment.after_call_work_ended_at)
}

fn handle_seconds(segment: &AgentSegment) -> Option<i64> {
    let spoken = segment
        .interaction_seconds
        .filter(|_| !has_unreadable_work(segment))?;
    Some(i64::from(spoken) + i64::from(segment.after_call_work_seconds.unwrap_or(0)))
}
