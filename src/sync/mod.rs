//! Turning what is not covered yet into windows, and driving them through: extract, transform, load.

mod drain;
mod heartbeat;
mod job;
mod plan;
mod report;
mod run;
mod window;

pub use job::Job;
pub use report::{Failure, RunReport};
pub use run::{AccountWorker, WorkerSettings};
