//! Each account's state, read-only, for page, JSON, `status` and metrics.

pub mod board;
pub mod calendar;
pub mod concern;
mod gauges;
pub(crate) mod pace;

pub use gauges::Gauges;
