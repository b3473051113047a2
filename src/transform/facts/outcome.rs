//! How a session ended: no single column tells, so words are searched.

use crate::transform::Session;

fn lower(text: Option<&str>) -> String {
    text.unwrap_or_default().to_lowercase()
}

fn has_status(session: &Session, word: &str) -> bool {
    let statuses = [&session.smart_status, &session.final_status];
    statuses
        .iter()
        .any(|status| lower(status.as_deref()).contains(word))
}

pub(super) fn says_abandoned(session: &Session) -> bool {
    has_status(session, "abandon")
}

/// For sessions that ended, waited in a queue and were not answered.
pub(super) fn unanswered(session: &Session, has_opted_for_callback: bool) -> &'static str {
    let event = lower(session.disconnecting_event.as_deref());
    let is_ended_by = |words: [&str; 2]| words.iter().any(|word| event.starts_with(word));
    let reason = lower(session.reason.as_deref());
    let reasons = ["drop-off", "drop off", "drop_off", "dropoff", "no agents"];
    if session.is_voicemail == Some(true) {
        "voicemail"
    } else if has_opted_for_callback {
        "callback_open"
    } else if says_abandoned(session) || is_ended_by(["user", "customer"]) {
        "abandoned"
    } else if has_status(session, "terminat")
        || reasons.iter().any(|word| reason.contains(word))
        || is_ended_by(["system", "bot"])
    {
        "terminated"
    } else {
        "other"
    }
}

pub(super) fn not_answered(event: Option<&str>, has_session_ended: bool) -> &'static str {
    match event {
        Some(event) if !lower(Some(event)).starts_with("ignor") => "taken_away",
        None if !has_session_ended => "ringing",
        _ => "missed",
    }
}
