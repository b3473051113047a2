//! First normal form (`form` 1 in `smartassist_sync.erasures`), for earlier erasures; never change it.

use super::IdentifierKind;

pub(super) fn normalize(kind: IdentifierKind, value: &str) -> Option<String> {
    let value = value.trim();
    let normalized = match kind {
        IdentifierKind::Email => value.strip_prefix("mailto:").unwrap_or(value).to_lowercase(),
        IdentifierKind::Phone => phone(value)?,
        _ => value.to_owned(),
    };
    (!normalized.is_empty()).then_some(normalized)
}

fn phone(value: &str) -> Option<String> {
    let schemes = ["tel:", "sip:", "sips:"];
    let value = schemes
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme))
        .unwrap_or(value);
    let number = value.split(['@', ';']).next()?.trim();
    let is_part = |c: char| c.is_ascii_digit() || "+-()./ \u{a0}".contains(c);
    if !number.chars().all(is_part) {
        return None;
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    (!digits.is_empty()).then(|| digits.to_owned())
}

pub(super) fn kind_of(id: &str) -> IdentifierKind {
    let is_phone = || phone(id).is_some_and(|digits| (7..=15).contains(&digits.len()));
    match id.trim().split_once('@') {
        Some((name, host)) if !name.is_empty() && host.contains('.') && !host.contains(['@', '/', ' ']) => {
            IdentifierKind::Email
        }
        _ if is_phone() => IdentifierKind::Phone,
        _ => IdentifierKind::UserId,
    }
}
