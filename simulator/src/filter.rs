//! The filters of a request: channels, queues, bots and direction.

use serde_json::Value;

use crate::{
    destination::Destination,
    interaction::{Channel, Direction, Interaction},
    store::Record,
};

/// What a request narrows its range to. An empty list is no filter; no direction is `Both`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) channels: Vec<String>,
    pub(crate) queues: Vec<String>,
    pub(crate) bots: Vec<String>,
    pub(crate) direction: Option<Direction>,
}

/// What the filters look at, read once from a verbatim record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facets {
    channel: String,
    bot: String,
    direction: String,
    queues: Vec<String>,
}

impl Facets {
    pub(crate) fn of(record: &Value) -> Self {
        let text = |key: &str| {
            record
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let destinations = record.get("destinations").and_then(Value::as_array);
        let queues = destinations
            .into_iter()
            .flatten()
            .filter_map(|d| d.get("queueId")?.as_str());
        Self {
            channel: text("channel"),
            bot: text("botId"),
            direction: text("Direction"),
            queues: queues.map(str::to_owned).collect(),
        }
    }
}

impl Filters {
    pub(crate) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.queues.is_empty() && self.bots.is_empty() && self.direction.is_none()
    }

    pub(crate) fn admit(&self, record: &Record) -> bool {
        match record {
            Record::Typed(interaction) => self.admit_typed(interaction),
            Record::Raw(raw) => self.admit_raw(&raw.facets),
        }
    }

    fn admit_typed(&self, it: &Interaction) -> bool {
        let direction = it
            .conversation
            .as_ref()
            .map(|conversation| conversation.direction);
        let in_queue = || {
            let destinations = it
                .conversation
                .iter()
                .flat_map(|conversation| &conversation.destinations);
            destinations
                .filter_map(queue_of)
                .any(|queue| contains(&self.queues, queue))
        };
        (self.channels.is_empty() || self.names_channel(it.channel))
            && (self.bots.is_empty() || contains(&self.bots, &it.bot_id))
            && (self.direction.is_none() || self.direction == direction)
            && (self.queues.is_empty() || in_queue())
    }

    fn admit_raw(&self, facets: &Facets) -> bool {
        let known = [
            Channel::WebMobile,
            Channel::Voice,
            Channel::SystemMail,
            Channel::AgentAssist,
        ];
        let channel = known
            .into_iter()
            .find(|channel| channel.label() == facets.channel);
        let named = || match channel {
            Some(channel) => self.names_channel(channel),
            None => contains(&self.channels, &facets.channel),
        };
        (self.channels.is_empty() || named())
            && (self.bots.is_empty() || contains(&self.bots, &facets.bot))
            && self
                .direction
                .is_none_or(|direction| direction.label() == facets.direction)
            && (self.queues.is_empty() || facets.queues.iter().any(|queue| contains(&self.queues, queue)))
    }

    fn names_channel(&self, channel: Channel) -> bool {
        contains(&self.channels, channel.code()) || contains(&self.channels, channel.label())
    }
}

fn queue_of(destination: &Destination) -> Option<&str> {
    match destination {
        Destination::Queue(queue) => Some(&queue.queue_id),
        Destination::Agent(_) => None,
    }
}

fn contains(wanted: &[String], name: &str) -> bool {
    wanted.iter().any(|want| want.eq_ignore_ascii_case(name))
}
