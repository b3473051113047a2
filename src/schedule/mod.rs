//! Ringing at the right times, and the runners of each account that answer: one polls, one refreshes.
//!
//! The scheduler's callback does nothing but ring: its ticks can overlap, a panic in it can kill a
//! job for good, and after the process was frozen a job may never fire again. So the runners
//! never rely on it alone.

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
