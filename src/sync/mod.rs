//! Turning what is not covered yet into windows, and driving them through: extract, transform, load.

mod drain;
mod heartbeat;
mod plan;
mod report;
mod run;
mod window;

pub use report::{Failure, RunReport};
pub use run::{AccountWorker, WorkerSettings};
