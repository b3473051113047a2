//! A record that a parser of its own reads again and again.

/// A key that `serde_json` gives a meaning: it parses the text under it again, with its limit of nesting begun anew.
pub(crate) const PARSED_AGAIN: &str = "$serde_json::private::RawValue";

/// Lists within texts within lists: more nesting than any stack holds, little of it visible from outside.
pub(crate) fn bomb(rounds: usize) -> String {
    (0..rounds).fold("1".to_owned(), |inner, _| {
        let text = inner.replace('\\', "\\u005c").replace('"', "\\u0022");
        let (open, close) = ("[".repeat(120), "]".repeat(120));
        format!(r#"{open}{{"{PARSED_AGAIN}":"{text}"}}{close}"#)
    })
}
