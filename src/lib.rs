//! `smartassist-etl` loads every interaction of a Kore.ai `SmartAssist` account into PostgreSQL, exactly once
//! and with no silent loss.
//!
//! Data flows one way: [`schedule`] triggers, [`sync`] plans windows, [`extract`] fetches them, [`transform`]
//! makes rows of them, [`warehouse`] writes each window in one transaction. `docs/architecture.md` follows
//! one record.

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
