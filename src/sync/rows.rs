//! Transforms records once their window is judged.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use tracing::warn;
use uuid::Uuid;

use crate::transform::privacy::Policy;
use crate::transform::{Interaction, Origin, RawRecord, RecordText, Rejected, transform};

#[derive(Debug, Default)]
pub(super) struct WindowRows {
    pub(super) interactions: BTreeMap<Uuid, Interaction>,
    pub(super) rejected: HashMap<[u8; 32], Rejected>,
}

impl WindowRows {
    /// Of equal keys the later end wins, else the greater text, whatever the order.
    pub(super) fn of(
        records: Vec<RawRecord>,
        strays: &[RecordText<'_>],
        origin: Origin<'_>,
        policy: &Policy,
    ) -> Self {
        let mut rows = Self::default();
        let mut versions_differ = BTreeSet::new();
        for record in records {
            let interaction = match record.transform(origin, policy) {
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

    pub(super) fn starts(&self) -> Vec<DateTime<Utc>> {
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
