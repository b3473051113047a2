//! `smartassist-etl` loads every interaction of a Kore.ai `SmartAssist` account into PostgreSQL,
//! exactly once and nothing lost without a word.
//!
//! Data flows one way: [`schedule`] rings, [`sync`] plans windows, [`extract`] fetches them,
//! [`transform`] makes rows of them, [`warehouse`] writes each window in one transaction. [`telemetry`]
//! says so, [`status`] how it stands. `docs/architecture.md` walks one record through.

pub mod cli;
pub mod config;
pub mod doctor;
pub mod extract;
pub mod failpoint;
pub mod json;
pub mod ledger;
pub mod postgres;
pub mod schedule;
pub mod status;
pub mod sync;
pub mod telemetry;
pub mod time;
pub mod transform;
pub mod warehouse;
pub mod web;
