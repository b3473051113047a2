//! What tests are made of: a database, an account of the simulated API, a clock, a worker, a way to wait.

pub(crate) mod bomb;
pub(crate) mod browser;
pub(crate) mod daemon;
pub(crate) mod database;
pub(crate) mod hostile;
pub(crate) mod job;
pub(crate) mod log_rules;
pub(crate) mod own_server;
pub(crate) mod port;
pub(crate) mod program;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod verification;
pub(crate) mod wait;
pub(crate) mod world;

pub(crate) use database::{TestDatabase, WHY_SPLIT};
pub(crate) use job::{Job, Runs};
pub(crate) use program::Program;
pub(crate) use verification::{Verification, Verifies};
pub(crate) use world::{Setup, days_ago, instant, midnight, real_now};
