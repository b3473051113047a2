//! Whole runs: from the simulated API into tables.

mod completeness;
mod idempotence;
mod interruption;
mod trouble;
