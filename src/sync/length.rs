//! How long a page is, in all and of each kind of record. Pure.
//!
//! A server may fill a page with so many records of each of two kinds: those that a bot handled alone, and conversations.
//! Then a page that is shorter than another one may still be full of one kind.

use std::ops::AddAssign;

use crate::transform::Interaction;

/// The records of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Length {
    /// Those with a conversation.
    pub(super) conversations: usize,
    /// All others.
    pub(super) others: usize,
}

impl Length {
    /// That of a record of which nothing more is known.
    pub(super) const UNREAD: Self = Self {
        conversations: 0,
        others: 1,
    };

    /// That of one record.
    pub(super) fn of(interaction: &Interaction) -> Self {
        let conversations = usize::from(interaction.rows.session.conversation_id.is_some());
        Self {
            conversations,
            others: 1 - conversations,
        }
    }

    /// All of them.
    pub(super) fn records(self) -> usize {
        self.conversations + self.others
    }

    fn of_a_kind(self) -> usize {
        self.conversations.max(self.others)
    }
}

/// The most that pages held, in all and of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Longest {
    /// Records of both kinds.
    pub records: usize,
    /// Records of one kind.
    pub of_a_kind: usize,
}

impl Longest {
    /// Takes a page into account.
    pub(super) fn see(&mut self, page: Length) {
        self.records = self.records.max(page.records());
        self.of_a_kind = self.of_a_kind.max(page.of_a_kind());
    }

    /// Whether a page is as long, in all or of one kind.
    pub(super) fn is_reached_by(self, page: Length) -> bool {
        page.records() >= self.records || page.of_a_kind() >= self.of_a_kind
    }
}

impl AddAssign for Length {
    fn add_assign(&mut self, other: Self) {
        self.conversations += other.conversations;
        self.others += other.others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_full_of_one_kind_is_as_long_as_any() {
        let page = |conversations, others| Length {
            conversations,
            others,
        };
        let mut longest = Longest::default();
        longest.see(page(50, 50));
        assert!(longest.is_reached_by(page(50, 10)) && longest.is_reached_by(page(0, 50)));
        assert!(!longest.is_reached_by(page(40, 40)));
        // Pages of one list: how many are of which kind is chance.
        let mut longest = Longest::default();
        longest.see(page(35, 15));
        assert!(longest.is_reached_by(page(26, 24)));
        assert!(!longest.is_reached_by(page(30, 15)));
    }
}
