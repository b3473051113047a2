//! Ringing at the right times, and one runner for each account that answers.
//!
//! The scheduler's callback does nothing but ring: its ticks can overlap, a panic in it can kill a
//! job for good, and after the process was frozen a job may never fire again. So the runner
//! never relies on it alone.

mod cron;
mod runner;

pub use cron::Cron;
pub use runner::{Bell, answer, ring};
