//! The part of an invented session that was handed over.

use chrono::TimeDelta;

use super::{destination::destinations, vocabulary as words};
use crate::{
    dice::{Dice, hash},
    interaction::{
        Campaign, Conversation, Customer, Direction, Interaction, MetaInfo, Survey, SurveyKind, Text,
    },
};

/// A conversation for the session.
pub(crate) fn conversation(it: &Interaction, dice: &mut Dice) -> Conversation {
    let campaign = dice.chance(15).then(|| campaign(it, dice));
    let outbound = campaign.is_some() || dice.chance(10);
    let skills = *dice.pick(&[0, 1, 1, 2]);
    let has_disposition = dice.chance(70);
    let customer = customer(&it.user_id);
    Conversation {
        id: dice.guid("c"),
        direction: if outbound {
            Direction::Outbound
        } else {
            Direction::Inbound
        },
        voicemail: dice.chance(5),
        dispositions: few(has_disposition, words::DISPOSITIONS, dice),
        disposition_remarks: few(has_disposition, words::NOTES, dice),
        skills: (0..skills).map(|_| words::skill(dice)).collect(),
        survey: dice.chance(25).then(|| survey(dice)),
        meta: meta_info(&customer, outbound, dice),
        customer: dice.chance(80).then_some(customer),
        campaign,
        destinations: destinations(it, dice),
    }
}

/// The answer to a survey of any kind.
pub(crate) fn survey(dice: &mut Dice) -> Survey {
    let (kind, low, high) = *dice.pick(&[
        (SurveyKind::Csat, 1, 5),
        (SurveyKind::Nps, 0, 10),
        (SurveyKind::LikeDislike, 0, 1),
    ]);
    Survey {
        kind,
        score: u8::try_from(dice.between(low, high)).unwrap_or(0),
        feedback: words::fixed(dice, words::FEEDBACK),
    }
}

/// One of the constants, rarely two, or none.
fn few(any: bool, choices: &'static [&'static str], dice: &mut Dice) -> Vec<Text> {
    let count = if any { *dice.pick(&[1, 1, 1, 1, 2]) } else { 0 };
    (0..count).map(|_| words::fixed(dice, choices)).collect()
}

/// The same for each session of a customer.
fn customer(user_id: &str) -> Customer {
    let dice = &mut Dice::new(hash(user_id), 0);
    Customer {
        phone: words::phone(dice),
        center_phone: Text::Borrowed(if dice.chance(50) { words::CENTRE_PHONE } else { "" }),
        first_name: words::fixed(dice, words::FIRST_NAMES),
        last_name: words::fixed(dice, words::LAST_NAMES),
        email: if dice.chance(70) {
            words::customer_mail(dice)
        } else {
            String::new()
        },
    }
}

fn meta_info(customer: &Customer, outbound: bool, dice: &mut Dice) -> MetaInfo {
    let (theirs, ours) = (customer.phone.clone(), words::CENTRE_PHONE.to_owned());
    let (caller, callee) = if outbound { (ours, theirs) } else { (theirs, ours) };
    MetaInfo {
        caller,
        callee,
        address: words::address(dice),
        last_intent: words::fixed(dice, words::INTENTS),
        last_input: words::fixed(dice, words::INPUTS),
        category: words::fixed(dice, words::CATEGORIES),
        profile: dice.chance(50),
    }
}

fn campaign(it: &Interaction, dice: &mut Dice) -> Campaign {
    let &(id, name) = dice.pick(words::CAMPAIGNS);
    let before = TimeDelta::milliseconds(dice.between(1_000, 600_000));
    Campaign {
        id: Text::Borrowed(id),
        name: Text::Borrowed(name),
        instance_id: dice.hex(24),
        dialing_list_id: dice.hex(24),
        attempt: dice.chance(60).then_some(2),
        contact_status: words::fixed(dice, words::CONTACT_STATUSES),
        run_at: it.start - before,
        contact_lists: few(dice.chance(80), words::CONTACT_LISTS, dice),
    }
}
