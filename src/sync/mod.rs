//! Turning what is not covered yet into windows, and driving them through: extract, transform, load.

mod drain;
mod heartbeat;
mod plan;
mod run;
mod window;

pub use run::{AccountWorker, Failure, RunReport, WorkerSettings};
