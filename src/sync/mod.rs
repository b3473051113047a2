//! Reads accounts: plans what is left into windows, reads them until complete, and writes them.

mod account;
mod clean_up;
mod command;
mod compare;
mod comparison;
mod density;
mod engine;
mod erase;
mod facts;
mod failure;
mod guard;
mod headway;
mod health;
mod horizon;
mod plan;
mod policies;
mod read;
mod replay;
mod report;
mod retry;
mod rows;
mod serve;
mod time_zone;

pub use account::{AccountContext, AccountSettings, kept_from};
pub use command::{Wish, WishError, ask, catch_up, compared, fulfil, loaded, pass, see_through};
pub use comparison::{DayComparison, Method};
pub use engine::Schedule;
pub use erase::{Erasure, erase, find_mentions};
pub use facts::rebuild as rebuild_facts;
pub use guard::guard;
pub use headway::Headway;
pub use health::{Health, stalled_after};
pub use plan::head;
pub use read::{
    ApiProfile, NumResults, OffsetUnit, Probe, Range, Reached, probe, reach, reach_week, worth_probing,
};
pub use replay::{Replay, Replayed};
pub use report::RunReport;
pub use retry::{Retry, RetryReport};
pub use serve::serve;
pub use time_zone::{TimeZoneVerdict, Witness};
