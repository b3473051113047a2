//! A requested page, if it has records.

use crate::extract::Page;

pub(super) enum Sought {
    Page(Page),
    Empty,
    /// Failed or refused.
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
