//! Page lengths. A server may limit bot-only records and conversations separately: a shorter page may be full
//! of one kind.

use std::ops::AddAssign;

use crate::transform::Interaction;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) conversations: usize,
    pub(super) others: usize,
}

impl Length {
    pub(super) const UNREAD: Self = Self {
        conversations: 0,
        others: 1,
    };

    pub(super) fn of(interaction: &Interaction) -> Self {
        let conversations = usize::from(interaction.rows.session.conversation_id.is_some());
        Self {
            conversations,
            others: 1 - conversations,
        }
    }

    pub(super) fn records(self) -> usize {
        self.conversations + self.others
    }

    fn of_a_kind(self) -> usize {
        self.conversations.max(self.others)
    }
}

/// The most records on a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Longest {
    /// Of both kinds.
    pub records: usize,
    /// Of one kind.
    pub of_a_kind: usize,
}

impl Longest {
    pub(super) fn see(&mut self, page: Length) {
        self.records = self.records.max(page.records());
        self.of_a_kind = self.of_a_kind.max(page.of_a_kind());
    }

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
        let mut longest = Longest::default();
        longest.see(page(35, 15));
        assert!(longest.is_reached_by(page(26, 24)));
        assert!(!longest.is_reached_by(page(30, 15)));
    }
}
