//! Reads a window, and transforms its records once they are judged.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;
use uuid::Uuid;

use crate::extract::{ApiError, Priority};
use crate::failpoint;
use crate::ledger::{self, Counters, LoadError};
use crate::time::Window;
use crate::transform::privacy::Policy;
use crate::transform::{Interaction, Origin, RawRecord, RecordText, Rejected, transform};

use super::super::account::AccountContext;
use super::super::compare::Comparing;
use super::super::compute;
use super::super::plan::Model;
use super::super::read::{ApiPages, Knowledge, Reading, Slice, origin, read_window};
use super::super::report::WindowFailure;
use super::refused::NoEdge;
use super::write::{Fetch, WindowReport, Writer};

#[derive(Debug)]
pub(super) enum Task {
    Window,
    /// Whether the window is too old.
    Edge {
        until: DateTime<Utc>,
        error: ApiError,
    },
    History {
        served_from: DateTime<Utc>,
    },
    Compare {
        days: Vec<Window>,
        model: Box<Model>,
        request: i64,
        by_identity: bool,
    },
}

#[derive(Debug)]
pub(super) enum Found {
    Window(Result<Fetched, ApiError>),
    /// Or why the window was refused.
    Edge(Result<DateTime<Utc>, (ApiError, NoEdge)>),
    /// `None`: older ones are served.
    History(Option<DateTime<Utc>>),
    Compared(WindowReport),
    Failed(WindowFailure),
}

#[derive(Debug)]
pub(in crate::sync) struct Fetched {
    pub(in crate::sync) reading: Reading,
    pub(in crate::sync) rows: WindowRows,
    /// What was known of the API at that time.
    pub(in crate::sync) profile: Value,
    /// Held until it is written.
    pub(super) _room: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Clone)]
pub(in crate::sync) struct WindowSource {
    pub(in crate::sync) account: AccountContext,
    pub(in crate::sync) room_for_rows: Arc<Semaphore>,
    pub(in crate::sync) priority: Priority,
}

impl WindowSource {
    pub(super) async fn find(
        &self,
        task: Task,
        fetch: &mut Fetch,
        known: &mut Knowledge,
        writer: Writer,
    ) -> Result<Found, LoadError> {
        fetch.began_at = ledger::now(&self.account.pool).await?;
        Ok(match task {
            Task::Window => Found::Window(self.read(fetch, known).await),
            Task::Edge { until, error } => {
                let edge = self.edge(fetch, until).await;
                Found::Edge(edge.map_err(|why| (error, why)))
            }
            Task::History { served_from } => Found::History(self.history(served_from, fetch).await),
            Task::Compare {
                days,
                model,
                request,
                by_identity,
            } => {
                let comparing = Comparing {
                    source: self,
                    known,
                    writer,
                    model: *model,
                    whole: fetch.clone(),
                    request,
                    booked: Counters::default(),
                };
                Found::Compared(Box::pin(comparing.all(&days, by_identity)).await?)
            }
        })
    }

    pub(in crate::sync) async fn read(
        &self,
        fetch: &Fetch,
        known: &mut Knowledge,
    ) -> Result<Fetched, ApiError> {
        let pages = ApiPages {
            api: &self.account.api,
            tally: &fetch.tally,
        };
        let slice = Slice {
            is_probe: fetch.planned.is_probe && fetch.planned.window.seconds() > 1,
            expected: fetch.planned.expected,
            ..Slice::of(fetch.planned.window, self.priority)
        };
        let filters = &self.account.api.account().filters;
        let mut reading = read_window(&pages, known, filters, &slice).await?;
        let room = Arc::clone(&self.room_for_rows).acquire_owned().await.ok();
        failpoint::reach("window.read");
        let (api, policy) = (Arc::clone(&self.account.api), Arc::clone(&self.account.policy));
        let transforming = move || {
            let records = std::mem::take(&mut reading.records);
            let rows = WindowRows::of(records, &reading.strays, origin(api.account()), &policy);
            (reading, rows, room)
        };
        let (reading, rows, room) = compute(transforming).await;
        let profile = serde_json::to_value(&known.profile).unwrap_or_default();
        Ok(Fetched {
            reading,
            rows,
            profile,
            _room: room,
        })
    }
}

#[derive(Debug, Default)]
pub(in crate::sync) struct WindowRows {
    pub(in crate::sync) interactions: BTreeMap<Uuid, Interaction>,
    pub(in crate::sync) rejected: HashMap<[u8; 32], Rejected>,
}

impl WindowRows {
    /// Of equal keys the later end wins, else the greater text, whatever the order.
    pub(in crate::sync) fn of(
        records: Vec<RawRecord>,
        strays: &[RecordText<'_>],
        origin: Origin<'_>,
        policy: &Policy,
    ) -> Self {
        let mut rows = Self::default();
        let mut versions_differ = BTreeSet::new();
        for record in records {
            let interaction = match transform(&record.sent, origin, policy) {
                Ok(interaction) => interaction,
                Err(rejected) => {
                    rows.reject(*rejected);
                    continue;
                }
            };
            match rows.interactions.entry(interaction.key) {
                Entry::Vacant(place) => {
                    place.insert(interaction);
                }
                Entry::Occupied(mut place) => {
                    if place.get().content_hash != interaction.content_hash {
                        versions_differ.insert(interaction.key);
                    }
                    if version(&interaction) > version(place.get()) {
                        place.insert(interaction);
                    }
                }
            }
        }
        for stray in strays {
            if let Err(rejected) = transform(stray, origin, policy) {
                rows.reject(*rejected);
            }
        }
        if !versions_differ.is_empty() {
            warn!(
                interactions = versions_differ.len(),
                remedy = "the version that ends last is stored; ask the vendor which one counts",
                "the API returns interactions in several versions at once"
            );
        }
        rows
    }

    pub(in crate::sync) fn starts(&self) -> Vec<DateTime<Utc>> {
        let sessions = self.interactions.values().map(|row| &row.rows.session);
        sessions.map(|session| session.session_started_at).collect()
    }

    fn reject(&mut self, rejected: Rejected) {
        self.rejected.insert(rejected.payload_hash, rejected);
    }
}

fn version(interaction: &Interaction) -> (Option<DateTime<Utc>>, &str) {
    (interaction.rows.session.session_ended_at, &interaction.payload)
}
