//! Fingerprint of the privacy rules.

use std::fmt::Write as _;

use super::{Class, Policy};

impl Policy {
    /// Equal fingerprints mean equal results.
    pub fn fingerprint(&self) -> String {
        let mut text = String::new();
        for class in Class::ALL {
            let _ = write!(text, "{} {:?}, ", class.as_str(), self.rule(class));
        }
        match &self.key {
            Some(key) => key.id().iter().take(8).for_each(|byte| {
                let _ = write!(text, "{byte:02x}");
            }),
            None => text.push_str("no key"),
        }
        text
    }
}
