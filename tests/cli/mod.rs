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

use std::collections::HashMap;

use crate::support::{Setup, TestDatabase};

async fn environment(setup: &Setup, database: &TestDatabase) -> HashMap<String, String> {
    let mut environment = setup.environment();
    environment.insert("DATABASE_URL".to_owned(), database.url().await);
    environment
}
