//! Kinds of database errors.

use sqlx::error::DatabaseError;

/// For [`Trouble::Unreachable`].
pub const UNREACHABLE_REMEDY: &str = "check database.url, and that PostgreSQL runs and lets us in";

/// An error's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No working database.
    Unreachable,
    /// Sign-in refused.
    Refused,
    /// No free connection.
    Exhausted,
    /// Conflicting transaction.
    Conflict,
    /// Lock timeout.
    Locked,
    /// Takes no writes.
    ReadOnly,
    /// Disk full.
    DiskFull,
    /// No memory, or file errors.
    Shortage,
    /// Too slow, or cancelled.
    Cancelled,
    /// Idle too long.
    Idle,
    /// A pooler changed the session.
    Pooled,
    /// Missing right.
    Right,
    /// Invalid data.
    Data,
    /// Anything else.
    Other,
}

/// SQLSTATE prefixes (PostgreSQL manual, appendix A); first match counts.
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
    /// Classifies an error.
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            // The pool has excluded a lost server.
            sqlx::Error::PoolTimedOut => Self::Exhausted,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
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

    /// Whether a retry may succeed.
    pub fn is_passing(self) -> bool {
        !matches!(self, Self::Pooled | Self::Right | Self::Data | Self::Other)
    }

    /// The metrics label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Conflict => "conflict",
            Self::Locked => "locked",
            Self::ReadOnly => "read_only",
            Self::DiskFull => "disk_full",
            Self::Shortage => "out_of_resources",
            Self::Cancelled => "cancelled",
            Self::Idle => "idle",
            Self::Pooled => "transaction_pooler",
            Self::Right => "permission_denied",
            Self::Data => "data",
            Self::Other => "other",
        }
    }

    /// Advice for operators.
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

/// Whether there is no access.
pub fn is_unreachable(error: &sqlx::Error) -> bool {
    matches!(Trouble::of(error), Trouble::Unreachable | Trouble::Refused)
}

/// Whether an object is undefined.
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
