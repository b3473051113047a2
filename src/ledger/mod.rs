//! What was read, is asked for and is wrong.

pub mod accounts;
pub mod conflict;
pub mod gaps;
pub mod leases;
pub mod problems;
pub mod requests;
pub mod runs;
pub mod status;
pub mod windows;

pub use windows::{Counters, Purpose, Status, WindowEntry, now, recent_counts};

use std::io::ErrorKind;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use crate::postgres::{DatabaseErrorKind, is_unreachable};
use crate::time::Window;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the account's lease is lost: another worker has it, or it could not be renewed in time")]
    LeaseLost,
    #[error("another replay of this account has begun")]
    TakenOver,
    #[error("another window stored other versions meanwhile")]
    StoredSince,
    #[error(
        "customers were erased with another privacy.key than is set, so they would not be recognized; nothing is stored"
    )]
    ErasureKey,
    #[error("the sync state of the account is impossible: {0}")]
    Impossible(String),
    /// A row that PostgreSQL accepts from nobody.
    #[error("PostgreSQL refuses a row of {table}")]
    Refused {
        table: &'static str,
        #[source]
        error: sqlx::Error,
    },
    #[error("{table}: {written} rows were written where {expected} were meant")]
    RowCount {
        table: &'static str,
        written: u64,
        expected: u64,
    },
}

impl LoadError {
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Database(error) if is_unreachable(error))
    }

    pub fn is_of_the_data(&self) -> bool {
        matches!(self, Self::RowCount { .. }) || self.database_kind() == Some(DatabaseErrorKind::Data)
    }

    pub fn is_conflict(&self) -> bool {
        // The server ended an idle transaction.
        let has_hung_up = |io: &std::io::Error| {
            use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            matches!(io.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
        };
        matches!(
            self.database_kind(),
            Some(DatabaseErrorKind::Conflict | DatabaseErrorKind::Locked | DatabaseErrorKind::Idle)
        ) || matches!(self, Self::Database(sqlx::Error::Io(io)) if has_hung_up(io))
    }

    /// Whether waiting may help.
    pub fn is_passing(&self) -> bool {
        self.database_kind().is_some_and(DatabaseErrorKind::is_passing)
    }

    fn database_kind(&self) -> Option<DatabaseErrorKind> {
        match self {
            Self::Database(error) | Self::Refused { error, .. } => Some(DatabaseErrorKind::of(error)),
            _ => None,
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Database(error) | Self::Refused { error, .. } => DatabaseErrorKind::of(error).name(),
            Self::LeaseLost => "lease_lost",
            Self::TakenOver => "taken_over",
            Self::StoredSince => "stored_since",
            Self::ErasureKey => "erasure_key",
            Self::Impossible(_) => "sync_state",
            Self::RowCount { .. } => "row_count",
        }
    }

    /// For the ledger.
    fn code(&self) -> String {
        match self {
            Self::Database(_) | Self::Refused { .. } => format!("database_{}", self.kind()),
            _ => self.kind().to_owned(),
        }
    }

    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Database(error) | Self::Refused { error, .. } => DatabaseErrorKind::of(error).remedy(),
            Self::LeaseLost => "nothing: the next run, of whichever worker, goes on where this one stopped",
            Self::TakenOver => {
                "wait for the other one to end; run replay again if that had other privacy rules"
            }
            Self::StoredSince => "nothing: it is read again",
            Self::ErasureKey => "give the privacy.key that `erase` was run with",
            Self::Impossible(_) => {
                "somebody changed smartassist_sync.accounts, or a clock was wrong: \
                 select smartassist_sync.mend_coverage('<account_id>') takes out of it what is impossible, and \
                 what is not covered then is read again"
            }
            Self::RowCount { .. } => "look for triggers or rules on the tables of schema smartassist",
        }
    }
}

impl FromRow<'_, PgRow> for Window {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            start: row.try_get("start")?,
            end: row.try_get("end")?,
        })
    }
}

pub(crate) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn from_bigint(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// How values are spelled in tables, logs and metrics.
macro_rules! spelled {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $spelling:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $value,)+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$value),+];
            pub const SPELLINGS: &[&str] = &[$($spelling),+];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $spelling,)+
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(spelling: String) -> Result<Self, String> {
                match spelling.as_str() {
                    $($spelling => Ok(Self::$value),)+
                    _ => Err(spelling),
                }
            }
        }
    };
}
use spelled;
