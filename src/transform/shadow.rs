//! The records that the agent's assistant leaves beside conversations: they are no contacts.

use super::rows::Session;

const CHANNELS: [&str; 2] = ["agentassist", "AgentAssistV2"];

/// Whether a session is one. Who waited in a queue or spoke to an agent is a contact, whatever the customer's own data say.
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

/// The conversation that a shadow's `channelSpecificUserId` speaks of: `<account>/agentassist/<conversation>`.
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
    let custom = session.meta_info.as_ref().and_then(|meta| meta.get("customData"));
    let flag = custom.and_then(|custom| custom.get("isAgentAssistOnly"));
    flag.is_some_and(|flag| super::coerce::flag(flag) == Ok(Some(true)))
}
