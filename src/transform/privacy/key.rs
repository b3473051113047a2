//! Hashes made with the key.

use std::fmt::Write as _;

use crate::config::Key;

use super::identifier::IdentifierKind;

pub(super) const TOKEN: &str = "hmac:";

/// Hashes of different purposes differ.
const VALUE: &str = "smartassist-etl value";
const ERASURE: &str = "smartassist-etl erasure";

impl Key {
    pub(super) fn token(&self, kind: &str, normalized: &str) -> String {
        let mut token = format!("{TOKEN}{kind}:");
        for byte in self.digest(VALUE, kind, normalized) {
            let _ = write!(token, "{byte:02x}");
        }
        token
    }

    pub(super) fn erasure(&self, kind: IdentifierKind, normalized: &str) -> [u8; 32] {
        self.digest(ERASURE, kind.as_str(), normalized)
    }
}
