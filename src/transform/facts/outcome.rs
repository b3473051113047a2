//! How a session ended. No single column of the API tells, and its lists of statuses are open: hence words, not values.

use crate::transform::Session;

fn has_word(text: Option<&str>, words: &[&str]) -> bool {
    text.is_some_and(|text| {
        let text = text.to_lowercase();
        words.iter().any(|word| text.contains(word))
    })
}

fn begins_with(text: Option<&str>, words: &[&str]) -> bool {
    text.is_some_and(|text| {
        let text = text.to_lowercase();
        words.iter().any(|word| text.starts_with(word))
    })
}

/// A status says that the customer gave up.
pub(super) fn says_abandoned(session: &Session) -> bool {
    let statuses = [session.smart_status.as_deref(), session.final_status.as_deref()];
    statuses.iter().any(|status| has_word(*status, &["abandon"]))
}

/// Of one that has ended, waited in a queue and was not answered.
pub(super) fn unanswered(session: &Session, has_opted_for_callback: bool) -> &'static str {
    let statuses = [session.smart_status.as_deref(), session.final_status.as_deref()];
    let event = session.disconnecting_event.as_deref();
    if session.is_voicemail == Some(true) {
        "voicemail"
    } else if has_opted_for_callback {
        "callback_open"
    } else if says_abandoned(session) || begins_with(event, &["user", "customer"]) {
        "abandoned"
    } else if statuses.iter().any(|status| has_word(*status, &["terminat"]))
        || has_word(
            session.reason.as_deref(),
            &["drop-off", "drop off", "drop_off", "dropoff", "no agents"],
        )
        || begins_with(event, &["system", "bot"])
    {
        "terminated"
    } else {
        "other"
    }
}

/// An agent who did not answer was not there, or had it taken away.
pub(super) fn not_answered(event: Option<&str>, has_session_ended: bool) -> &'static str {
    match event {
        Some(event) if !begins_with(Some(event), &["ignor"]) => "taken_away",
        None if !has_session_ended => "ringing",
        _ => "missed",
    }
}
