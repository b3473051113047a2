//! What tells one set of rules from another.

use std::fmt::Write as _;

use super::{Class, Policy};

impl Policy {
    /// The rules in words and, where there is a key, what tells it from others: nothing of the key
    /// itself. Equal exactly where records come out alike.
    pub fn fingerprint(&self) -> String {
        let mut text = String::new();
        for class in Class::ALL {
            // Writing into a text cannot fail.
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
