//! Searches all records for a customer: no search pattern finds all spellings.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{Stream, TryStreamExt};
use serde_json::Value;
use sqlx::PgConnection;

use crate::ledger::LoadError;
use crate::transform::privacy::{Wanted, Whose, value_of};
use crate::transform::{Ids, records_in};
use crate::warehouse::erase::{self, IdPlace, Point, RecordKey, StoredRecord};

const PORTION: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanVerdict {
    Theirs,
    Mention,
    Another,
}

#[derive(Debug, Default)]
pub(super) struct Scan {
    read_to: Option<Point>,
    pub(super) sessions: BTreeMap<RecordKey, ScanVerdict>,
    pub(super) rejected: BTreeMap<RecordKey, ScanEntry>,
}

#[derive(Debug)]
pub(super) struct ScanEntry {
    pub(super) verdict: ScanVerdict,
    pub(super) records: Vec<(Ids, Whose)>,
}

impl Scan {
    pub(super) async fn catch_up(
        &mut self,
        connection: &mut PgConnection,
        wanted: &Wanted,
    ) -> Result<(), LoadError> {
        let now = erase::point(connection).await?;
        for place in [IdPlace::RejectedRecords, IdPlace::Sessions] {
            let Some(since) = &self.read_to else {
                let records = erase::records(connection, place);
                self.read(place, records, wanted).await?;
                continue;
            };
            let written = erase::written_since(connection, place, since).await?;
            for of_account in written.chunk_by(|one, other| one.account_id == other.account_id) {
                for portion in of_account.chunks(PORTION) {
                    let account_id = &portion[0].account_id;
                    let ids: Vec<&str> = portion.iter().map(|key| key.id.as_str()).collect();
                    let records = erase::records_of(connection, place, account_id, &ids);
                    self.read(place, records, wanted).await?;
                }
            }
        }
        self.read_to = Some(now);
        Ok(())
    }

    async fn read(
        &mut self,
        place: IdPlace,
        mut records: impl Stream<Item = Result<StoredRecord, LoadError>> + Unpin,
        wanted: &Wanted,
    ) -> Result<(), LoadError> {
        while let Some(record) = records.try_next().await? {
            match place {
                IdPlace::Sessions => self.note(record, wanted),
                IdPlace::RejectedRecords => self.note_rejected(record, wanted),
            }
        }
        Ok(())
    }

    fn note(&mut self, record: StoredRecord, wanted: &Wanted) {
        let verdict = judge(&value_of(&record.record), wanted);
        let key = RecordKey {
            account_id: record.account_id,
            id: record.id,
        };
        if verdict == ScanVerdict::Another {
            self.sessions.remove(&key);
        } else {
            self.sessions.insert(key, verdict);
        }
    }

    fn note_rejected(&mut self, record: StoredRecord, wanted: &Wanted) {
        let value = value_of(&record.record);
        let verdict = judge(&value, wanted);
        let records = records_in(&value).into_iter();
        let records = records.map(|record| (Ids::of(record), wanted.whose(record)));
        let records: Vec<_> = records.filter(|(ids, _)| *ids != Ids::default()).collect();
        let key = RecordKey {
            account_id: record.account_id,
            id: record.id,
        };
        if verdict == ScanVerdict::Another && records.is_empty() {
            self.rejected.remove(&key);
        } else {
            self.rejected.insert(key, ScanEntry { verdict, records });
        }
    }

    pub(super) fn theirs(&self) -> BTreeMap<&str, (BTreeSet<String>, BTreeSet<Ids>)> {
        let mut theirs: BTreeMap<&str, (BTreeSet<String>, BTreeSet<Ids>)> = BTreeMap::new();
        let sessions = self.sessions.iter();
        for (key, _) in sessions.filter(|(_, verdict)| **verdict == ScanVerdict::Theirs) {
            theirs
                .entry(&key.account_id)
                .or_default()
                .0
                .insert(key.id.clone());
        }
        for (key, entry) in &self.rejected {
            // A list may hold other people's records.
            let records = entry.records.iter();
            for (ids, _) in records.filter(|(_, whose)| *whose == Whose::Theirs) {
                theirs.entry(&key.account_id).or_default().1.insert(ids.clone());
            }
        }
        theirs
    }

    pub(super) fn rejected_of(&self, account_id: &str) -> Vec<(&Ids, bool)> {
        let of_account = self
            .rejected
            .iter()
            .filter(|(key, _)| key.account_id == account_id);
        let records = of_account.flat_map(|(_, entry)| &entry.records);
        records
            .map(|(ids, whose)| (ids, *whose == Whose::Another))
            .collect()
    }

    pub(super) fn mentions(&self) -> impl Iterator<Item = &RecordKey> {
        let mentions = self.sessions.iter();
        mentions
            .filter(|(_, verdict)| **verdict == ScanVerdict::Mention)
            .map(|(key, _)| key)
    }
}

pub(super) fn is_of_another(record: &StoredRecord, wanted: &Wanted) -> bool {
    match value_of(&record.record) {
        Value::Object(object) => wanted.whose(&object) == Whose::Another,
        _ => false,
    }
}

fn judge(value: &Value, wanted: &Wanted) -> ScanVerdict {
    if wanted.is_named_in(value) {
        ScanVerdict::Theirs
    } else if wanted.is_mentioned_in(value) {
        ScanVerdict::Mention
    } else {
        ScanVerdict::Another
    }
}
