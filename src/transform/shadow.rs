//! Recognizes agent assist records, which are no contacts.

use serde_json::Value;

use super::coerce::{Coerce, FieldKind};
use super::fields::Session;
use super::reader::{Reader, named};

const CHANNELS: [&str; 2] = ["agentassist", "AgentAssistV2"];

/// Custom data count only without destinations.
pub(super) fn is_one(session: &Session, is_assist_only: bool) -> bool {
    let user = session.channel_specific_user_id.as_deref();
    session.channel.as_deref().is_some_and(is_channel)
        || user.and_then(conversation_of).is_some()
        || is_assist_only
}

fn is_channel(channel: &str) -> bool {
    CHANNELS.iter().any(|name| name.eq_ignore_ascii_case(channel))
}

/// From `<account>/agentassist/<conversation>`.
pub(super) fn conversation_of(user_id: &str) -> Option<&str> {
    let [account, channel, conversation] = user_id.trim().split('/').collect::<Vec<_>>().try_into().ok()?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_id = |id: &str| (1..=64).contains(&id.len()) && id.bytes().all(is_part);
    let is_shadow =
        is_channel(channel) && is_id(account) && is_id(conversation) && conversation.starts_with("c-");
    is_shadow.then_some(conversation)
}

pub(super) fn says_assist_only(meta_info: &Reader<'_>) -> bool {
    let customs = meta_info.values("customData");
    let mut flags = customs.flat_map(|custom| each(custom, "isAgentAssistOnly"));
    flags.any(|flag| Option::coerce(&mut flag.clone(), FieldKind::Flag, 0) == Ok(Some(true)))
}

fn each<'a>(value: &'a Value, name: &'a str) -> impl Iterator<Item = &'a Value> {
    value
        .as_object()
        .into_iter()
        .flat_map(move |object| named(object, name))
}
