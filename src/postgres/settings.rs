//! What every transaction of ours begins with, so that a statement means the same whatever the role, the
//! database or a pooler has set, and whoever else may make things in this database.

use std::fmt::Write as _;
use std::time::Duration;

/// A worker that freezes with a transaction open would keep all others from the account; by then the
/// server has ended it. Between two statements of ours there is never more than some arithmetic.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// All settings that any user may change and that change what a statement means, finds or writes.
///
/// Not set, since nothing of ours depends on them: what is logged, XML, text search, locales of the messages
/// and of `to_char`, how hard the planner tries. Not set, since an administrator means them:
/// `default_transaction_read_only` (a full disk, a failover: an error says so), `synchronous_commit`, table
/// spaces, `role`. Only a superuser can set `session_replication_role`, so it is looked at instead, when the
/// database is opened.
const SETTINGS: [(&str, &str); 18] = [
    // A name means what PostgreSQL or a full name says, never what somebody put into `public` (CVE-2018-1058).
    ("search_path", "pg_catalog, pg_temp"),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("quote_all_identifiers", "off"),
    ("client_encoding", "'UTF8'"),
    ("timezone", "'UTC'"),
    ("datestyle", "'ISO, MDY'"),
    ("intervalstyle", "postgres"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    // Rows that a policy hides from us are an error, not fewer rows.
    ("row_security", "off"),
    // A limit makes an index give a part of the rows, at random.
    ("gin_fuzzy_search_limit", "0"),
    // Tables of ours are updated and deleted from, which other methods may not know.
    ("default_table_access_method", "heap"),
    ("exit_on_error", "off"),
    // Warnings of a migration are meant to be read, notices are not.
    ("client_min_messages", "warning"),
    // What we ask is asked often and answered by indexes: compiling it would take longer than answering.
    ("jit", "off"),
];

/// Of a server that knows it (17 and newer): our transactions have limits of their own.
const NO_TRANSACTION_TIMEOUT: &str = "select pg_catalog.set_config('transaction_timeout', '0', true) \
    where pg_catalog.current_setting('transaction_timeout', true) is not null";

/// The first message of a transaction.
pub(super) fn begin(is_pooled: bool, statement_timeout: Duration, lock_timeout: Duration) -> String {
    // Whether it may write is not said: that a database is set to read only is to be respected.
    let mut begin = "begin isolation level read committed, not deferrable; ".to_owned();
    if is_pooled {
        // The session may hold statements that another client left under names which we are about to give
        // to our own.
        begin += "deallocate all; ";
    }
    let timeouts = [
        ("statement_timeout", statement_timeout),
        ("lock_timeout", lock_timeout),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
    ];
    // Writing to a String cannot fail.
    for (name, value) in SETTINGS {
        let _ = write!(begin, "set local {name} = {value}; ");
    }
    for (name, timeout) in timeouts {
        let _ = write!(begin, "set local {name} = {}; ", timeout.as_millis());
    }
    begin + NO_TRANSACTION_TIMEOUT
}
