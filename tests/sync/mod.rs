//! Whole runs: from the simulated API into tables.

mod catch_up;
mod completeness;
mod grid;
mod idempotence;
mod interruption;
mod overflow;
mod paging;
mod trouble;
