//! The words of invented sessions.

use crate::{
    destination::Agent,
    dice::Dice,
    interaction::{Skill, Text},
};

pub(crate) const ORGANISATION: &str = "o-5a0da1e4-0000-5cec-9ee4-000000000001";
pub(crate) const VOICE_ACCOUNT: &str = "674daf4bc9d17f4dc0700001";
pub(crate) const CENTRE_PHONE: &str = "+15550100000";

pub(crate) const BOTS: &[&str] = &[
    "st-1d7611fa-0000-5f0c-8871-000000000001",
    "st-df029793-0000-55ab-9d80-000000000002",
    "st-ae8470ab-0000-51fb-8e13-000000000003",
];
pub(crate) const AUTOMATION_BOTS: &[&str] = &[
    "st-e5c6ae6b-0000-5acd-93b7-0000000000a1",
    "st-c2b1f0aa-0000-5b11-8c0d-0000000000a2",
];

/// Queue id and name.
pub(crate) const QUEUES: &[(&str, &str)] = &[
    ("qu-7a58cc5-0000-4609-817c-000000000001", "Default Queue"),
    ("qu-577416d-0000-40e7-904c-000000000002", "Billing"),
    (
        "qu-123dbe9-0000-464d-a9be-000000000003",
        "Residential \u{2013} Sales",
    ),
    ("qu-90ab12c-0000-4d1e-8f00-000000000004", "Technical Support"),
    ("qu-44c0de1-0000-4aa1-9b1d-000000000005", "Retention"),
];

/// Skill id and name.
const SKILLS: &[(&str, &str)] = &[
    ("64c0d4eb3642d27556040001", "Reporting"),
    ("64c0d4eb3642d27556040002", "Billing"),
    ("64c0d4eb3642d27556040003", "Espa\u{f1}ol"),
    ("64c0d4eb3642d27556040004", "Outages"),
];

/// Agent id, name, mail.
const AGENTS: &[(&str, &str, &str)] = &[
    (
        "u-a0000001-0000-5419-9601-000000000001",
        "Alva Sampleton",
        "alva.sampleton@example.com",
    ),
    (
        "u-a0000002-0000-5419-9601-000000000002",
        "Bram Testerly",
        "bram.testerly@example.com",
    ),
    (
        "u-a0000003-0000-5419-9601-000000000003",
        "Cleo Mockford",
        "cleo.mockford@example.com",
    ),
    (
        "u-a0000004-0000-5419-9601-000000000004",
        "Dario Placehold",
        "dario.placehold@example.com",
    ),
    (
        "u-a0000005-0000-5419-9601-000000000005",
        "Enid Fixturesen",
        "enid.fixturesen@example.com",
    ),
    (
        "u-a0000006-0000-5419-9601-000000000006",
        "Faro O'Stubbs",
        "faro.ostubbs@example.com",
    ),
    (
        "u-a0000007-0000-5419-9601-000000000007",
        "Gia D\u{fa}mmy",
        "gia.dummy@example.com",
    ),
    (
        "u-a0000008-0000-5419-9601-000000000008",
        "Hale Exemplar",
        "hale.exemplar@example.com",
    ),
];

pub(crate) const FIRST_NAMES: &[&str] = &[
    "Ada", "Bo", "Cy", "Dot", "Edda", "Finn", "Ines", "Jory", "Kit", "Lumi", "Mio", "Noor",
];
pub(crate) const LAST_NAMES: &[&str] = &[
    "Sampleby",
    "Testwell",
    "Mockridge",
    "Nobodi",
    "Inventado",
    "Fict\u{e9}e",
    "Placeholm",
    "Exempla",
];

pub(crate) const USER_TAGS: &[&str] = &["accountnum", "tier", "language", "region"];
pub(crate) const SESSION_TAGS: &[&str] = &["audioCodesCallDisconnect", "intent", "authenticated", "retry"];

pub(crate) const CLOSED: &[&str] = &["CLOSED", "CLOSED", "CLOSED", "TERMINATED"];
pub(crate) const ABANDONED: &[&str] = &["ABANDONED WITH AGENT", "TERMINATED"];
pub(crate) const REASONS: &[&str] = &[
    "",
    "",
    "Requires Supervisor Attention",
    "NO AGENTS AVAILABLE",
    "Issue Resolved",
];
pub(crate) const DISCONNECTS: &[&str] = &[
    "Agent Hangup",
    "Bot Hangup",
    "User Hangup",
    "System Hangup",
    "Agent Closed",
    "",
];
pub(crate) const NON_RESPONSES: &[&str] = &["Ignored", "Supervisor Reassigned", "Rejected"];
pub(crate) const DISPOSITIONS: &[&str] = &[
    "Issue Resolved",
    "Requires Supervisor Attention",
    "Follow Up",
    "Payment Taken",
    "Wrong Number",
];
pub(crate) const INTENTS: &[&str] = &[
    "Pay Bill",
    "agent transfer",
    "Report Outage",
    "Change Plan",
    "Cancel Order",
];
pub(crate) const INPUTS: &[&str] = &[
    "Can you please pay my bill?",
    "I would like to talk to a person",
    "My line has been down since yesterday",
    "\u{bf}Puede ayudarme con mi factura? \u{1f64f}",
    "",
];
pub(crate) const CATEGORIES: &[&str] = &["", "billing", "support", "sales"];
pub(crate) const CAMPAIGNS: &[(&str, &str)] = &[
    ("cmp-000001", "Renewal Reminder"),
    ("cmp-000002", "Payment Due"),
    ("cmp-000003", "Welcome Call"),
];
pub(crate) const CONTACT_STATUSES: &[&str] = &["CONNECTED", "NO ANSWER", "BUSY", ""];
pub(crate) const CONTACT_LISTS: &[&str] = &["autumn-renewals", "past-due-30", "new-customers"];
pub(crate) const FEEDBACK: &[&str] = &[
    "",
    "",
    "Quick and kind",
    "Had to wait too long",
    "It was \"fine\"",
];
pub(crate) const NOTES: &[&str] = &[
    "The customer requested to pay a bill. The bot acknowledged the request and informed the customer that an agent would be required to assist with the payment. The customer agreed to hold, and the bot connected them to an available agent.",
    "The customer asked for a change of plan. The agent explained the options, compared the monthly charges, and sent a summary by mail.\nNo further action is needed.",
    "The customer reported an outage at home. The agent ran the line test, found nothing, and booked a visit for the next working day between 8 and 12.",
    "Verified the caller by two questions, took a card payment, gave the reference number, and offered a callback.",
    "Customer hung up before the transfer was complete.",
];

/// One of the constants, without copying it.
pub(crate) fn fixed(dice: &mut Dice, choices: &'static [&'static str]) -> Text {
    Text::Borrowed(dice.pick::<&'static str>(choices))
}

pub(crate) fn agent(dice: &mut Dice) -> Agent {
    agent_of(dice.pick(AGENTS))
}

pub(crate) fn agents() -> impl Iterator<Item = Agent> {
    AGENTS.iter().map(agent_of)
}

fn agent_of(&(id, name, email): &(&'static str, &'static str, &'static str)) -> Agent {
    Agent {
        id: Text::Borrowed(id),
        name: Text::Borrowed(name),
        email: Text::Borrowed(email),
    }
}

pub(crate) fn skill(dice: &mut Dice) -> Skill {
    let &(id, name) = dice.pick(SKILLS);
    Skill {
        id: Text::Borrowed(id),
        name: Text::Borrowed(name),
    }
}

pub(crate) fn phone(dice: &mut Dice) -> String {
    format!("+1555{:07}", dice.below(10_000_000))
}

pub(crate) fn customer_mail(dice: &mut Dice) -> String {
    let (first, number) = (dice.pick(FIRST_NAMES).to_lowercase(), dice.below(100_000));
    format!("{first}.{number}@example.com")
}

/// An address of a documentation network (RFC 5737), with a port now and then.
pub(crate) fn address(dice: &mut Dice) -> String {
    let network = dice.pick(&["192.0.2", "198.51.100", "203.0.113"]);
    let (host, port) = (dice.below(256), dice.between(1024, 65535));
    if dice.chance(25) {
        format!("{network}.{host}:{port}")
    } else {
        format!("{network}.{host}")
    }
}
