pub mod board;
pub mod calendar;
pub mod facts;
mod gauges;
pub(crate) mod pace;
pub mod problems;

pub use gauges::Gauges;
