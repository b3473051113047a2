use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::PgConnection;

use crate::ledger::LoadError;
use crate::transform::privacy::{Wanted, Whose, value_of};
use crate::transform::{Ids, records_in};
use crate::warehouse::erase::{self, RecordKey, StoredRecord};

const PORTION: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanVerdict {
    Theirs,
    Mention,
    Another,
}

#[derive(Debug, Default)]
pub(super) struct Scan {
    theirs: BTreeSet<RecordKey>,
    pub(super) rejected: BTreeMap<RecordKey, ScanEntry>,
}

#[derive(Debug)]
pub(super) struct ScanEntry {
    pub(super) verdict: ScanVerdict,
    pub(super) records: Vec<(Ids, Whose)>,
}

impl Scan {
    /// Only interactions have an index of hints; all rejected records are read.
    pub(super) async fn of(connection: &mut PgConnection, wanted: &Wanted) -> Result<Self, LoadError> {
        let mut scan = Self::default();
        let candidates = erase::candidates(&mut *connection, &wanted.hints()).await?;
        for of_account in candidates.chunk_by(|one, other| one.account_id == other.account_id) {
            for portion in of_account.chunks(PORTION) {
                let ids: Vec<&str> = portion.iter().map(|key| key.id.as_str()).collect();
                let mut records = erase::records_of(&mut *connection, &portion[0].account_id, &ids);
                while let Some(record) = records.try_next().await? {
                    if wanted.is_named_in(&value_of(&record.record)) {
                        scan.theirs.insert(record.key());
                    }
                }
            }
        }
        let mut rejected = erase::rejected_records(connection);
        while let Some(record) = rejected.try_next().await? {
            scan.note_rejected(&record, wanted);
        }
        Ok(scan)
    }

    fn note_rejected(&mut self, record: &StoredRecord, wanted: &Wanted) {
        let value = value_of(&record.record);
        let verdict = judge(&value, wanted);
        let records = records_in(&value).into_iter();
        let records = records.map(|record| (Ids::of(record), wanted.whose(record)));
        let records: Vec<_> = records.filter(|(ids, _)| *ids != Ids::default()).collect();
        if verdict != ScanVerdict::Another || !records.is_empty() {
            self.rejected.insert(record.key(), ScanEntry { verdict, records });
        }
    }

    pub(super) fn theirs(&self) -> BTreeMap<&str, (BTreeSet<String>, BTreeSet<Ids>)> {
        let mut theirs: BTreeMap<&str, (BTreeSet<String>, BTreeSet<Ids>)> = BTreeMap::new();
        for key in &self.theirs {
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
}

/// Reads everything: no index finds every spelling within other text.
pub(super) async fn mentions(
    connection: &mut PgConnection,
    wanted: &Wanted,
) -> Result<BTreeSet<RecordKey>, LoadError> {
    let mut mentions = BTreeSet::new();
    let mut records = erase::records(connection);
    while let Some(record) = records.try_next().await? {
        if judge(&value_of(&record.record), wanted) != ScanVerdict::Another {
            mentions.insert(record.key());
        }
    }
    Ok(mentions)
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
