//! The control surface under `/_simulator/`, for a demo and a benchmark that run the simulator as a program.

use axum::{Json, extract::State};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::server::{Shared, lock};

/// The most sessions that one call adds.
const MOST: usize = 1_000_000;

/// `GET /_simulator/stats`.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    interactions: usize,
    requests: u64,
    records_served: u64,
    rate_limited: u64,
    unauthorized: u64,
    refused: u64,
    faulted: u64,
    in_flight_peak: u64,
}

/// `POST /_simulator/interactions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Add {
    count: usize,
    #[serde(default)]
    ago_seconds: u32,
}

/// The ids of what was added.
#[derive(Debug, Serialize)]
pub(crate) struct Added {
    session_ids: Vec<String>,
}

/// `POST /_simulator/mutate`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutate {
    fraction: f64,
    #[serde(default)]
    seed: u64,
}

/// How many records were changed.
#[derive(Debug, Serialize)]
pub(crate) struct Mutated {
    changed: usize,
    session_ids: Vec<String>,
}

pub(crate) async fn stats(State(shared): State<Shared>) -> Json<Stats> {
    let world = lock(&shared);
    let counters = world.counters();
    Json(Stats {
        interactions: world.len(),
        requests: counters.requests,
        records_served: counters.records_served,
        rate_limited: counters.rate_limited,
        unauthorized: counters.unauthorized,
        refused: counters.refused,
        faulted: counters.faulted,
        in_flight_peak: counters.in_flight_peak,
    })
}

pub(crate) async fn add_interactions(State(shared): State<Shared>, Json(add): Json<Add>) -> Json<Added> {
    let ago = TimeDelta::seconds(i64::from(add.ago_seconds));
    let session_ids = lock(&shared).arrive(add.count.min(MOST), ago);
    tracing::info!(
        count = session_ids.len(),
        ago_seconds = add.ago_seconds,
        "interactions added"
    );
    Json(Added { session_ids })
}

pub(crate) async fn mutate(State(shared): State<Shared>, Json(mutate): Json<Mutate>) -> Json<Mutated> {
    let changes = lock(&shared).mutate_some(mutate.seed, mutate.fraction);
    tracing::info!(changed = changes.len(), "interactions changed");
    let session_ids: Vec<_> = changes.into_iter().map(|change| change.session_id).collect();
    Json(Mutated {
        changed: session_ids.len(),
        session_ids,
    })
}
