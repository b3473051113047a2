//! What an error of the database means, and what to do about it.

use sqlx::error::DatabaseError;

/// What the operator can do about a database that is out of reach.
pub const UNREACHABLE_REMEDY: &str = "check database.url, and that PostgreSQL runs and lets us in";

/// What an error of the database means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is no database to talk to.
    Unreachable,
    /// There is one, and it does not let us in.
    Refused,
    /// All connections that we may have are in use, and none came free in time.
    Exhausted,
    /// Another transaction was in the way; nothing was done.
    Conflict,
    /// Somebody holds what is needed, and did not let go in time; nothing was done.
    Locked,
    /// A standby, perhaps of a failover just now.
    ReadOnly,
    /// The disk is full.
    DiskFull,
    /// The server is short of memory or connections, or cannot use its files.
    Shortage,
    /// The statement took too long, or an operator ended it.
    Cancelled,
    /// The server ended a transaction in which nothing happened.
    Idle,
    /// A prepared statement is not where it was left, or is there already: the session is another one.
    Pooled,
    /// A right is missing.
    Right,
    /// What was to be written is no good.
    Data,
    /// Anything else.
    Other,
}

/// SQLSTATEs and classes of them (`PostgreSQL` manual, appendix A); the first that fits.
const MEANINGS: [(&str, Trouble); 22] = [
    ("08", Trouble::Unreachable),
    ("28", Trouble::Refused),
    ("3D", Trouble::Unreachable),
    ("57P", Trouble::Unreachable),
    ("53300", Trouble::Unreachable),
    ("25006", Trouble::ReadOnly),
    ("25P03", Trouble::Idle),
    ("40001", Trouble::Conflict),
    ("40P01", Trouble::Conflict),
    ("55P03", Trouble::Locked),
    ("53100", Trouble::DiskFull),
    ("53", Trouble::Shortage),
    ("58", Trouble::Shortage),
    ("57014", Trouble::Cancelled),
    ("26000", Trouble::Pooled),
    ("42P05", Trouble::Pooled),
    ("42501", Trouble::Right),
    ("21", Trouble::Data),
    ("22", Trouble::Data),
    ("23", Trouble::Data),
    ("54", Trouble::Data),
    ("", Trouble::Other),
];

impl Trouble {
    /// What the error means.
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            // A server that is away is told apart from it by the pool.
            sqlx::Error::PoolTimedOut => Self::Exhausted,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            // An answer that makes no sense: what is there is no server that is well.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed => Self::Unreachable,
            error => {
                let code = error.as_database_error().and_then(DatabaseError::code);
                let code = code.unwrap_or_default();
                let meant = MEANINGS.iter().find(|(class, _)| code.starts_with(class));
                meant.map_or(Self::Other, |(_, trouble)| *trouble)
            }
        }
    }

    /// Whether it may go well by itself later.
    pub fn is_passing(self) -> bool {
        !matches!(self, Self::Pooled | Self::Right | Self::Data | Self::Other)
    }

    /// A word for metrics, of a short list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Conflict => "conflict",
            Self::Locked => "locked",
            Self::ReadOnly => "read_only",
            Self::DiskFull => "disk_full",
            Self::Shortage => "shortage",
            Self::Cancelled => "cancelled",
            Self::Idle => "idle",
            Self::Pooled => "pooled",
            Self::Right => "right",
            Self::Data => "data",
            Self::Other => "other",
        }
    }

    /// What the operator can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => UNREACHABLE_REMEDY,
            Self::Refused => {
                "check user and password, and pg_hba.conf of the server; what is put into database.password_file or \
                 database.url_file is read without a restart"
            }
            Self::Exhausted => {
                "raise database.max_connections, or look for what slows the database down; the next run tries again"
            }
            Self::Conflict => "nothing, unless it is often: the next run tries again",
            Self::Locked => {
                "look in pg_stat_activity for who holds locks on our tables; the next run tries again"
            }
            Self::ReadOnly => {
                "point database.url at the primary; after a failover loading goes on by itself once it is there"
            }
            Self::DiskFull => "make room on the database's disk; loading goes on by itself then",
            Self::Shortage => {
                "look into the log of the database server; loading goes on by itself once it has what it lacks"
            }
            Self::Cancelled => {
                "look for what slows the database down, or raise database.statement_timeout_seconds"
            }
            Self::Idle => {
                "give this process more CPU, it is frozen in transactions again and again; the next run tries again"
            }
            Self::Pooled => {
                "set database.statement_cache = 0: there is a pooler in transaction mode in between"
            }
            Self::Right => {
                "have the missing right granted to the user of database.url; doctor lists all that are"
            }
            Self::Data => "report it with this line: the record that PostgreSQL refuses is in this window",
            Self::Other => "read the cause, and the log of the database server",
        }
    }
}

/// Whether an error means that there is no database to talk to, or that it does not let us in.
pub fn is_unreachable(error: &sqlx::Error) -> bool {
    matches!(Trouble::of(error), Trouble::Unreachable | Trouble::Refused)
}

/// Whether a statement failed because a table, schema, column or function of ours does not exist.
pub fn is_undefined(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("42P01" | "3F000" | "42703" | "42883"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_meaning_hides_behind_a_shorter_code_before_it() {
        for (place, (code, trouble)) in MEANINGS.iter().enumerate() {
            let first = MEANINGS.iter().position(|(class, _)| code.starts_with(class));
            assert_eq!(first, Some(place), "{code} {trouble:?}");
        }
    }
}
