//! Whole runs: from the simulated API into tables.

mod completeness;
mod grid;
mod idempotence;
mod interruption;
mod trouble;
