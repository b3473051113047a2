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
pub use page::{Element, Page};
pub use request::{Narrowing, PageRequest};
pub use tally::Tally;

/// The documented maximum; up to twice as many may arrive.
pub const PAGE_SIZE: usize = 100;

/// From 0.
pub const LAST_OFFSET: usize = 10;

/// Per window; the API silently omits the rest.
pub const REACHABLE_RECORDS: usize = PAGE_SIZE * (LAST_OFFSET + 1);

pub const HOURLY_LIMIT_REMEDY: &str =
    "set requests_per_hour of the account to the limit of its tier (1800 in some), or less if others use it";
