//! The source API: HTTP, sign-in, paging and the request budget. Knows nothing of SQL.
//!
//! What comes out is a [`Page`] of raw records, or an [`ApiError`] that says what to do about it.

mod answer;
mod auth;
mod body;
mod budget;
mod charset;
mod client;
mod clock;
mod envelope;
mod error;
mod http;
mod page;
mod request;
mod tally;

pub use answer::{Answer, Received, judge};
pub use budget::{Budget, BudgetUse, Place, Priority};
pub use client::{ApiClient, ClientError};
pub use error::{Action, ApiError};
pub use page::{Page, RawRecord};
pub use request::{Narrowing, PageRequest};
pub use tally::Tally;

/// Records that are asked for on a page: the API's documented maximum. What comes may be fewer, or up to twice as many.
pub const PAGE_SIZE: usize = 100;

/// The last page offset that the API serves; it counts from 0.
pub const LAST_OFFSET: usize = 10;

/// Records that can be reached in one window. What lies beyond is silently out of reach.
pub const REACHABLE_RECORDS: usize = PAGE_SIZE * (LAST_OFFSET + 1);

/// What to do where the API limits the hour and nobody has said so.
pub const HOURLY_LIMIT_REMEDY: &str =
    "set requests_per_hour of the account to the limit of its tier (1800 in some), or less if others use it";
