//! The key that hashes are made with.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::identifier::IdentifierKind;

/// What hashes in place of values begin with; a kind and 64 hexadecimal digits follow.
pub(super) const TOKEN: &str = "hmac:";

/// What separates the hashes of one purpose from those of another.
const VALUE: &str = "smartassist-etl value";
const ERASURE: &str = "smartassist-etl erasure";
const NAME: &str = "smartassist-etl key";

/// `privacy.key`. It never shows in `Debug` output.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

impl Key {
    /// The key of this text.
    pub fn new(secret: &str) -> Self {
        // HMAC takes keys of any length, so there is no error to report.
        let key =
            Hmac::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| unreachable!("any length will do"));
        Self(key)
    }

    /// HMAC-SHA-256 of a value, apart for every purpose and kind.
    pub(super) fn digest(&self, purpose: &str, kind: &str, value: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in [purpose, kind] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }

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

    /// What tells this key from another one, and nothing of the key itself.
    pub fn id(&self) -> [u8; 32] {
        self.digest(NAME, "", "")
    }
}
