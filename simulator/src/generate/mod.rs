//! Invented sessions in every shape that the API is known to return. No name, number or address belongs to anyone:
//! mail at example.com, +1 555 numbers, addresses from the documentation networks.

mod conversation;
mod destination;
mod vocabulary;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

pub(crate) use conversation::{conversation, survey};

use crate::{
    destination::Agent,
    dice::{Dice, hash, mix},
    interaction::{Channel, Conversation, Interaction, Tag, Text},
    spelling::Spelling,
};
use vocabulary as words;

/// The share of sessions that never leave the bot, in percent.
const BOT_ONLY: u64 = 35;

/// The share of sessions of a customer who had been there, in percent.
const RETURNING: u64 = 15;

/// How many sessions of the seed lie at most between two of such a customer.
const RETURN_WITHIN: u64 = 200;

/// One session, starting at `start` and at most `longest` seconds long. `seed` and `index` make its id.
pub(crate) fn interaction(
    seed: u64,
    index: u64,
    start: DateTime<Utc>,
    longest: i64,
    dice: &mut Dice,
) -> Interaction {
    let bot_only = dice.chance(BOT_ONLY);
    let channel = match dice.below(10) {
        0..=3 => Channel::Voice,
        4 if !bot_only => Channel::SystemMail,
        _ => Channel::WebMobile,
    };
    let end = start + TimeDelta::seconds(length(bot_only, longest, dice));
    let user_id = customer(seed, index);
    let mut interaction = Interaction {
        session_id: session_id(seed, index, start),
        start,
        end: Some(end),
        channel,
        bot_id: words::fixed(dice, words::BOTS),
        org_id: Text::Borrowed(words::ORGANISATION),
        channel_specific_user_id: channel_user(channel, dice),
        user_id,
        automation_bot_ids: automation_bots(dice),
        smart_status: Text::Borrowed("CLOSED AT BOT"),
        final_status: Text::Borrowed("BotResolved"),
        reason: Text::Borrowed(""),
        disconnecting_event: Text::Borrowed(""),
        error_details: Text::Borrowed(if dice.chance(2) { "BOT_TIMEOUT" } else { "" }),
        user_level_tags: tags(words::USER_TAGS, dice),
        session_level_tags: tags(words::SESSION_TAGS, dice),
        conversation: None,
        // Never 0, which is the vendor's plain spelling.
        spelling: Spelling(dice.next() | 1),
    };
    if !bot_only {
        let handed_over = conversation(&interaction, dice);
        give_conversation(&mut interaction, handed_over, dice);
    }
    interaction
}

/// Makes a session one that was handed over, with the statuses that belong to it.
pub(crate) fn give_conversation(it: &mut Interaction, conversation: Conversation, dice: &mut Dice) {
    let answered = conversation.destinations.iter().any(destination::is_answered);
    it.smart_status = words::fixed(dice, if answered { words::CLOSED } else { words::ABANDONED });
    it.final_status = Text::Borrowed(if answered { "CLOSED" } else { "USER ABANDONED" });
    it.reason = words::fixed(dice, words::REASONS);
    it.disconnecting_event = words::fixed(dice, words::DISCONNECTS);
    it.conversation = Some(Box::new(conversation));
}

/// What the agent's assistant leaves beside a conversation: a session of no length that speaks of it.
pub(crate) fn shadow(of: &Interaction, conversation: &Conversation) -> Interaction {
    Interaction {
        session_id: session_id(hash(&conversation.id), 0, of.start),
        end: Some(of.start),
        channel: Channel::AgentAssist,
        channel_specific_user_id: format!("{}/agentassist/{}", words::VOICE_ACCOUNT, conversation.id),
        automation_bot_ids: Vec::new(),
        smart_status: Text::Borrowed("CLOSED AT BOT"),
        final_status: Text::Borrowed("BotResolved"),
        reason: Text::Borrowed(""),
        disconnecting_event: Text::Borrowed(""),
        error_details: Text::Borrowed(""),
        user_level_tags: Vec::new(),
        session_level_tags: Vec::new(),
        conversation: None,
        ..of.clone()
    }
}

/// The agent of a name, if it is one.
pub(crate) fn agent_named(name: &str) -> Option<Agent> {
    words::agents().find(|agent| agent.name == name)
}

/// The id of a session's customer: one of their own, or that of an earlier session.
fn customer(seed: u64, index: u64) -> String {
    let mut dice = Dice::new(hash("customer") ^ seed, index);
    let first = if dice.chance(RETURNING) {
        index.saturating_sub(1 + dice.below(RETURN_WITHIN))
    } else {
        index
    };
    Dice::new(hash("user id") ^ seed, first).guid("u")
}

/// 24 hexadecimal digits as MongoDB makes them: 8 of time, 16 that are unique within a seed, since mixing is a
/// bijection.
fn session_id(seed: u64, index: u64, start: DateTime<Utc>) -> String {
    format!(
        "{:08x}{:016x}",
        start.timestamp() & 0xffff_ffff,
        mix(mix(seed).wrapping_add(index))
    )
}

/// A length in seconds: at the bot mostly under a minute, with agents skewed to the short side of `longest`.
fn length(bot_only: bool, longest: i64, dice: &mut Dice) -> i64 {
    if bot_only {
        return dice.between(4, 90).min(longest);
    }
    let share = dice.below(1000);
    let skewed = share * share * share / 1_000_000;
    let spread = longest.saturating_sub(60).max(0) * i64::try_from(skewed).unwrap_or(0) / 1000;
    (60 + spread).min(longest)
}

fn channel_user(channel: Channel, dice: &mut Dice) -> String {
    match channel {
        Channel::Voice => format!("{}/korevg/{}", words::VOICE_ACCOUNT, dice.guid("call")),
        Channel::WebMobile | Channel::SystemMail | Channel::AgentAssist => words::customer_mail(dice),
    }
}

fn automation_bots(dice: &mut Dice) -> Vec<Text> {
    let count = dice.pick(&[0, 1, 1, 1, 1, 2]);
    words::AUTOMATION_BOTS
        .iter()
        .take(*count)
        .map(|bot| Text::Borrowed(*bot))
        .collect()
}

/// Up to two tags; a value is mostly text, and sometimes a number, a boolean or an object.
fn tags(names: &'static [&'static str], dice: &mut Dice) -> Vec<Tag> {
    let count = dice.pick(&[0, 0, 0, 1, 1, 2]);
    let mut tags = Vec::with_capacity(*count);
    for _ in 0..*count {
        let name = words::fixed(dice, names);
        let number = dice.below(1_000_000);
        let value = match dice.below(10) {
            0 => json!(number),
            1 => json!(number.is_multiple_of(2)),
            2 => json!({ "code": number, "source": "ivr" }),
            3 => Value::Null,
            _ => json!(number.to_string()),
        };
        tags.push(Tag { name, value });
    }
    tags
}
