//! A page that was asked for, and whether it tells anything.

use crate::extract::Page;

/// What came of asking for a page.
pub(super) enum Sought {
    /// It, with records.
    Page(Page),
    /// It is empty.
    Empty,
    /// It failed, or was refused.
    NotServed,
}

impl Sought {
    pub(super) fn of(page: Page) -> Self {
        if page.records.is_empty() {
            Self::Empty
        } else {
            Self::Page(page)
        }
    }
}
