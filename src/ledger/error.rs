//! What can go wrong with the database, and what it means.

use crate::postgres::{Trouble, is_unreachable};

/// A statement or transaction that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database refused a statement, or cannot be reached.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The account's lease has passed to another worker, or ended before it was renewed; nothing was written.
    #[error("the account's lease is lost: another worker has it, or it could not be renewed in time")]
    LeaseLost,
    /// While the window was read, another one stored another version of what is in it; nothing was written.
    #[error("another window stored other versions meanwhile")]
    Overtaken,
    /// Customers were erased with another `privacy.key`: they would not be recognized, and come back.
    #[error(
        "customers were erased with another privacy.key, so they would not be recognized; nothing is stored"
    )]
    ErasureKey,
    /// What is noted as read cannot be true.
    #[error("the books of the account cannot be true: {0}")]
    Books(String),
    /// A statement touched another number of rows than it must.
    #[error("{table}: {written} rows were written where {expected} were meant")]
    RowCount {
        /// The table.
        table: &'static str,
        /// Rows that the statement reports.
        written: u64,
        /// Rows that it was given.
        expected: u64,
    },
}

impl LoadError {
    /// Whether the database is out of reach, as opposed to refusing what it was asked.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Database(error) if is_unreachable(error))
    }

    /// Whether the fault is in what was to be written, so that other windows may still go well.
    pub fn is_of_the_data(&self) -> bool {
        matches!(self, Self::RowCount { .. }) || self.trouble() == Some(Trouble::Data)
    }

    /// Whether the server undid the transaction for the sake of others: nothing was done, and the same may go well at once.
    pub fn is_conflict(&self) -> bool {
        matches!(
            self.trouble(),
            Some(Trouble::Conflict | Trouble::Locked | Trouble::Idle)
        )
    }

    fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Database(error) => Some(Trouble::of(error)),
            Self::LeaseLost | Self::Overtaken | Self::ErasureKey | Self::Books(_) | Self::RowCount { .. } => {
                None
            }
        }
    }

    /// A word for metrics, of a short list.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Database(error) => Trouble::of(error).name(),
            Self::LeaseLost => "lease_lost",
            Self::Overtaken => "overtaken",
            Self::ErasureKey => "erasure_key",
            Self::Books(_) => "books",
            Self::RowCount { .. } => "row_count",
        }
    }

    /// What the operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Database(error) => Trouble::of(error).remedy(),
            Self::LeaseLost => "nothing: the next run, of whichever worker, goes on where this one stopped",
            Self::Overtaken => "nothing: it is read again",
            Self::ErasureKey => "give the privacy.key that `erase` was run with",
            Self::Books(_) => {
                "somebody changed smartassist_sync.accounts, or a clock was wrong: \
                 select smartassist_sync.mend_coverage('<account_id>') takes out of it what cannot be true, and \
                 what is not covered then is read again"
            }
            Self::RowCount { .. } => "look for triggers or rules on the tables of schema smartassist",
        }
    }
}
