//! Schema drift: unknown names, never values.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::transform::{Drift, Interaction};

use super::batch::Constants;
use crate::ledger::{LoadError, bigint};

const MOST_PATHS: i64 = 1_000;

pub(super) async fn note(
    connection: &mut PgConnection,
    constants: Constants<'_>,
    interactions: &[Interaction],
) -> Result<Vec<Drift>, LoadError> {
    let mut times: BTreeMap<&Drift, u64> = BTreeMap::new();
    for drift in interactions.iter().flat_map(|interaction| &interaction.drift) {
        *times.entry(drift).or_default() += 1;
    }
    if times.is_empty() {
        return Ok(Vec::new());
    }
    let paths: Vec<&str> = times.keys().map(|drift| drift.path.as_str()).collect();
    let types: Vec<&str> = times.keys().map(|drift| drift.json_type).collect();
    let counts: Vec<i64> = times.values().map(|count| bigint(*count)).collect();
    let new: Vec<(String, String)> = sqlx::query_as(include_str!("drift.sql"))
        .bind(constants.account_id)
        .bind(constants.written_at)
        .bind(MOST_PATHS)
        .bind(paths)
        .bind(types)
        .bind(counts)
        .fetch_all(connection)
        .await?;
    let is_new = |drift: &Drift| {
        new.iter()
            .any(|(path, json_type)| *path == drift.path && *json_type == drift.json_type)
    };
    let new = times.into_keys().filter(|drift| is_new(drift)).cloned();
    Ok(new.collect())
}
