//! Settings of every transaction, whatever role, database or pooler set.

use std::fmt::Write as _;
use std::time::Duration;

/// Frees the account of a frozen worker.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// Read-only, commit and table space defaults remain the administrator's.
const SETTINGS: [(&str, &str); 18] = [
    // No lookup in `public` (CVE-2018-1058).
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
    // Hidden rows raise an error.
    ("row_security", "off"),
    // A limit returns random rows.
    ("gin_fuzzy_search_limit", "0"),
    // Others may lack updates.
    ("default_table_access_method", "heap"),
    ("exit_on_error", "off"),
    ("client_min_messages", "warning"),
    // Compiling takes longer than our queries.
    ("jit", "off"),
];

/// Since PostgreSQL 17.
const NO_TRANSACTION_TIMEOUT: &str = "select pg_catalog.set_config('transaction_timeout', '0', true) \
    where pg_catalog.current_setting('transaction_timeout', true) is not null";

pub(super) fn begin(is_pooled: bool, statement_timeout: Duration, lock_timeout: Duration) -> String {
    let mut begin = "begin isolation level read committed, not deferrable; ".to_owned();
    if is_pooled {
        // Another client's statements may have our names.
        begin += "deallocate all; ";
    }
    let timeouts = [
        ("statement_timeout", statement_timeout),
        ("lock_timeout", lock_timeout),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
    ];
    for (name, value) in SETTINGS {
        let _ = write!(begin, "set local {name} = {value}; ");
    }
    for (name, timeout) in timeouts {
        let _ = write!(begin, "set local {name} = {}; ", timeout.as_millis());
    }
    begin + NO_TRANSACTION_TIMEOUT
}
