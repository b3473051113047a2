//! What can go wrong with the database, and what it means.

use sqlx::error::DatabaseError;

/// What the operator can do about a database that is out of reach.
pub const UNREACHABLE_REMEDY: &str = "check database.url, and that PostgreSQL runs and lets us in";

/// A statement or transaction that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database refused a statement, or cannot be reached.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Another worker holds the account's lease now; nothing was written.
    #[error("another worker took over the account")]
    LeaseLost,
    /// Customers were erased with another `privacy.key`: they would not be recognized, and come back.
    #[error(
        "customers were erased with another privacy.key, so they would not be recognized; nothing is stored"
    )]
    ErasureKey,
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
        match self {
            Self::Database(error) => is_unreachable(error),
            Self::LeaseLost | Self::ErasureKey | Self::RowCount { .. } => false,
        }
    }

    /// Whether the fault is in what was to be written, so that other windows may still go well:
    /// SQLSTATE classes 21 (cardinality), 22 (data), 23 (constraint), 54 (program limit).
    pub fn is_of_the_data(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                ["21", "22", "23", "54"]
                    .iter()
                    .any(|class| code.starts_with(class))
            }),
            Self::Database(_) | Self::LeaseLost | Self::ErasureKey => false,
            Self::RowCount { .. } => true,
        }
    }

    /// What the operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::LeaseLost => "nothing: the other worker goes on where this one stopped",
            Self::ErasureKey => "give the privacy.key that `erase` was run with",
            Self::RowCount { .. } => "look for triggers or rules on the tables of schema smartassist",
            Self::Database(_) if self.is_unreachable() => UNREACHABLE_REMEDY,
            Self::Database(_) if self.is_of_the_data() => {
                "report it with this line: the record that PostgreSQL refuses is in this window"
            }
            Self::Database(_) => "read the cause; a missing right is granted to the user of database.url",
        }
    }
}

/// Whether an error means that there is no database to talk to. SQLSTATE classes 08 (connection),
/// 28 (authorization), 57P (shutdown) and 3D (no such database); PostgreSQL manual, appendix A.
pub fn is_unreachable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "28", "57P", "3D", "53300"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// Whether a statement failed because a table or schema of ours does not exist.
pub fn is_undefined(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("42P01" | "3F000"))
}
