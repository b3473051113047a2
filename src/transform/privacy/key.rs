//! What the key makes of values.

use std::fmt::Write as _;

use crate::config::Key;

use super::identifier::IdentifierKind;

/// What hashes in place of values begin with; a kind and 64 hexadecimal digits follow.
pub(super) const TOKEN: &str = "hmac:";

/// What separates the hashes of one purpose from those of another.
const VALUE: &str = "smartassist-etl value";
const ERASURE: &str = "smartassist-etl erasure";

impl Key {
    /// What a normalized value of this kind becomes where its class is hashed.
    pub(super) fn token(&self, kind: &str, normalized: &str) -> String {
        let mut token = format!("{TOKEN}{kind}:");
        for byte in self.digest(VALUE, kind, normalized) {
            // Writing into a text cannot fail.
            let _ = write!(token, "{byte:02x}");
        }
        token
    }

    /// What `smartassist_sync.erasures` keeps of a normalized identifier.
    pub(super) fn erasure(&self, kind: IdentifierKind, normalized: &str) -> [u8; 32] {
        self.digest(ERASURE, kind.as_str(), normalized)
    }
}
