//! Recognizes agent assist records, which are no contacts.

use serde_json::Value;

use super::coerce;
use super::fields::spellings;
use super::rows::Session;

const CHANNELS: [&str; 2] = ["agentassist", "AgentAssistV2"];

/// Custom data count only without destinations.
pub(super) fn is_one(session: &Session, has_destinations: bool) -> bool {
    let is_of_channel = session
        .channel
        .as_deref()
        .is_some_and(|channel| CHANNELS.iter().any(|name| name.eq_ignore_ascii_case(channel)));
    let user = session.channel_specific_user_id.as_deref();
    is_of_channel
        || user.is_some_and(|user| conversation_of(user).is_some())
        || (says_assist_only(session) && !has_destinations)
}

/// From `<account>/agentassist/<conversation>`.
pub(super) fn conversation_of(user_id: &str) -> Option<&str> {
    let mut parts = user_id.trim().split('/');
    let (account, channel, conversation) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |part: &str| {
        (1..=64).contains(&part.len())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_shadow = CHANNELS.iter().any(|name| name.eq_ignore_ascii_case(channel))
        && is_id(account)
        && is_id(conversation)
        && conversation.starts_with("c-")
        && parts.next().is_none();
    is_shadow.then_some(conversation)
}

fn says_assist_only(session: &Session) -> bool {
    let customs = session.meta_info.iter().flat_map(|meta| each(meta, "customData"));
    let mut flags = customs.flat_map(|custom| each(custom, "isAgentAssistOnly"));
    flags.any(|flag| coerce::flag(flag) == Ok(Some(true)))
}

fn each<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let named = object.as_object().map(|object| {
        let spellings = spellings(object, name).into_iter();
        spellings.filter_map(|spelling| object.get(&spelling))
    });
    named.into_iter().flatten()
}
