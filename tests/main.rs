//! All integration tests in one binary: they share one private PostgreSQL, with a fresh database
//! for each test, and talk to the simulated API over real HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and shows what it printed"
)]

mod cli;
mod daemon;
mod docs;
mod extract;
mod faults;
mod load;
mod migrations;
mod observe;
mod reports;
mod support;
mod sync;
mod transform;
