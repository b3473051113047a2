use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

pub const UNREACHABLE_REMEDY: &str =
    "check database.url, that PostgreSQL runs, and that it accepts connections from here";

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $codes:expr, $remedy:expr;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum DatabaseErrorKind {
            $($(#[$doc])* $kind,)*
        }

        /// SQLSTATE prefixes (PostgreSQL manual, appendix A); the longest match counts.
        const CODES: &[(DatabaseErrorKind, &[&str])] = &[$((DatabaseErrorKind::$kind, &$codes),)*];

        impl DatabaseErrorKind {
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            pub fn remedy(self) -> &'static str {
                match self { $(Self::$kind => $remedy,)* }
            }
        }
    };
}

kinds! {
    Unreachable = "unreachable", ["08", "57P", "53300"], UNREACHABLE_REMEDY;
    NoDatabase = "no_database", ["3D"], "create the database that database.url names, or name another one there";
    Tls = "tls", [],
        "have the server offer TLS, or ask for less by sslmode in database.url (docs/operations.md says when that is safe)";
    Refused = "refused", ["28"],
        "check user and password, and pg_hba.conf of the server; database.password_file and database.url_file are read \
         again without a restart";
    Exhausted = "exhausted", [],
        "raise database.max_connections, or look for what slows the database down; the next run tries again";
    Conflict = "conflict", ["40001", "40P01"], "nothing, unless it is often: the next run tries again";
    Locked = "locked", ["55P03"],
        "look in pg_stat_activity for who holds locks on our tables; the next run tries again";
    ReadOnly = "read_only", ["25006"],
        "point database.url at the primary; after a failover loading continues by itself once there is one";
    DiskFull = "disk_full", ["53100"], "make room on the database's disk; loading continues by itself then";
    OutOfResources = "out_of_resources", ["53", "58"],
        "look into the log of the database server; loading continues by itself once it has what it lacks";
    Cancelled = "cancelled", ["57014"],
        "look for what slows the database down, or raise database.statement_timeout_seconds";
    Idle = "idle", ["25P03"],
        "give this process more CPU, it is frozen in transactions again and again; the next run tries again";
    TransactionPooler = "transaction_pooler", ["26000", "42P05"],
        "set database.statement_cache = 0: there is a pooler in transaction mode in between";
    PermissionDenied = "permission_denied", ["42501"],
        "grant the missing right to the user of database.url; doctor lists all that are missing";
    Data = "data", ["21", "22", "23", "54"],
        "report it with this line: the record that PostgreSQL rejects is in this window";
    Other = "other", [""], "read the cause, and the log of the database server";
}

/// pgbouncer sends all of its errors as protocol violations.
const PGBOUNCER: &str = "08P01";
const PGBOUNCER_REFUSALS: [&str; 4] = [
    "authentication failed",
    "auth failed",
    "login rejected",
    "no such user",
];
const PGBOUNCER_NO_DATABASE: [&str; 2] = ["no such database", "does not exist"];

impl DatabaseErrorKind {
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            // The pool has excluded a lost server.
            sqlx::Error::PoolTimedOut => Self::Exhausted,
            sqlx::Error::Tls(_) => Self::Tls,
            sqlx::Error::Io(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed => Self::Unreachable,
            error if is_of_pgbouncer(error, &PGBOUNCER_REFUSALS) => Self::Refused,
            error if is_of_pgbouncer(error, &PGBOUNCER_NO_DATABASE) => Self::NoDatabase,
            error if is_refused_by_shard(error) => Self::Data,
            error => Self::of_code(&sql_state(error).unwrap_or_default()),
        }
    }

    fn of_code(code: &str) -> Self {
        let prefixes = CODES
            .iter()
            .flat_map(|(kind, prefixes)| prefixes.iter().map(|prefix| (*kind, *prefix)));
        let matching = prefixes.filter(|(_, prefix)| code.starts_with(prefix));
        let longest = matching.max_by_key(|(_, prefix)| prefix.len());
        longest.map_or(Self::Other, |(kind, _)| kind)
    }

    pub const OF_CONNECTING: [Self; 4] = [Self::Unreachable, Self::Refused, Self::NoDatabase, Self::Tls];

    pub fn is_passing(self) -> bool {
        !matches!(
            self,
            Self::TransactionPooler | Self::PermissionDenied | Self::Data | Self::Other
        )
    }
}

pub(super) fn sql_state(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.map(std::borrow::Cow::into_owned)
}

fn is_of_pgbouncer(error: &sqlx::Error, messages: &[&str]) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| {
        error.code().is_some_and(|code| code == PGBOUNCER)
            && messages.iter().any(|message| error.message().contains(message))
    })
}

/// Citus passes on a shard's COPY error without its code; refused data has a detail.
fn is_refused_by_shard(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    let error = error.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    error.is_some_and(|error| {
        error.code() == "XX000" && error.routine() == Some("ReportCopyError") && error.detail().is_some()
    })
}

/// Whether waiting may help, unlike with a wrong password or database.
pub(super) fn is_worth_waiting(error: &sqlx::Error) -> bool {
    DatabaseErrorKind::of(error) == DatabaseErrorKind::Unreachable
}

pub fn is_unreachable(error: &sqlx::Error) -> bool {
    DatabaseErrorKind::OF_CONNECTING.contains(&DatabaseErrorKind::of(error))
}

pub fn is_undefined(error: &sqlx::Error) -> bool {
    let code = sql_state(error);
    matches!(code.as_deref(), Some("42P01" | "3F000" | "42703" | "42883"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_kind_and_the_longest_prefix_counts() {
        for (kind, prefixes) in CODES {
            for prefix in *prefixes {
                assert_eq!(DatabaseErrorKind::of_code(prefix), *kind, "{prefix}");
            }
        }
        assert_eq!(
            DatabaseErrorKind::of_code("53200"),
            DatabaseErrorKind::OutOfResources
        );
        assert_eq!(DatabaseErrorKind::of_code("0A000"), DatabaseErrorKind::Other);
    }
}
