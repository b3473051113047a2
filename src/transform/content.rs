//! Detects whether a record gives other rows than before.

use sha2::{Digest, Sha256};

use super::table::TableRow;
use super::{Rows, TRANSFORM_VERSION};

const DIGEST: usize = 16;

/// One digest per group of rows.
pub type ContentHash = [u8; 3 * DIGEST];

/// Rows that are overwritten together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowGroup {
    Session,
    /// And all rows below them.
    Destinations,
    Tags,
}

impl RowGroup {
    pub fn is_same(self, stored: &[u8], read: &ContentHash) -> bool {
        let start = self as usize * DIGEST;
        let digest = start..start + DIGEST;
        stored.get(digest.clone()) == Some(&read[digest])
    }
}

/// Computed before warnings are added: some exist only on receipt.
pub(super) fn hash(rows: &Rows) -> ContentHash {
    let mut session = Hasher::new();
    session.add(std::slice::from_ref(&rows.session));
    let mut destinations = Hasher::new();
    destinations.add(&rows.destinations);
    destinations.add(&rows.agent_segments);
    destinations.add(&rows.consultations);
    destinations.add(&rows.joined_users);
    let mut tags = Hasher::new();
    tags.add(&rows.tags);
    let mut hash = [0; 3 * DIGEST];
    for (place, group) in hash.chunks_mut(DIGEST).zip([session, destinations, tags]) {
        place.copy_from_slice(&group.0.finalize()[..DIGEST]);
    }
    hash
}

struct Hasher(Sha256);

impl Hasher {
    fn new() -> Self {
        Self(Sha256::new().chain_update(TRANSFORM_VERSION.to_be_bytes()))
    }

    /// The number of rows keeps tables apart.
    fn add<R: TableRow>(&mut self, rows: &[R]) {
        self.0.update((rows.len() as u64).to_be_bytes());
        let (mut cells, mut bytes) = (Vec::new(), Vec::new());
        rows.iter().for_each(|row| row.add_cells(&mut cells));
        cells.iter().for_each(|cell| cell.encode(&mut bytes));
        self.0.update(bytes);
    }
}
