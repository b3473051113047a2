//! `smartassist-etl` loads every interaction of a Kore.ai `SmartAssist` account into PostgreSQL,
//! exactly once and nothing lost without a word.
//!
//! Data flows one way: [`schedule`] rings, [`sync`] plans windows, [`extract`] fetches them,
//! [`transform`] makes rows of them, [`load`] writes each window in one transaction. [`observe`]
//! reads along. `docs/architecture.md` walks one record through.

pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
pub mod doctor;
pub mod extract;
pub mod failpoint;
pub mod json;
pub mod load;
pub mod observe;
pub mod pulse;
pub mod schedule;
pub mod sync;
pub mod transform;
pub mod window;
