//! Triggers and runners. Runners also watch the clock: a panic can kill a scheduler job, and after a process
//! freeze it may never fire.

mod bell;
mod clean_up;
mod due;
mod guard;
mod runner;
mod tiers;

pub use bell::{Bell, ring};
pub use clean_up::clean_up;
pub use runner::answer;
pub use tiers::{DueRefresh, Tier, due_now, refresh};
