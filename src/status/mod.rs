//! How each account stands, what is wrong and what to do: read from the ledger and from the workers of this process, and never
//! steering either. Page, JSON, `status` and metrics show it.

pub mod board;
pub mod calendar;
pub mod concern;
mod gauges;
pub(crate) mod pace;

pub use gauges::Gauges;
