//! The program as people use it: what it says, and its exit codes.

mod backfill;
mod confirm_missing;
mod database;
mod describe;
mod doctor;
mod erase;
mod errors;
mod keeping;
mod private_postgres;
mod reporting;
mod status;
mod sync;
mod verify;
