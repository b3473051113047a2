//! Metrics; `docs/operations.md` explains them.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// `{account,outcome}`.
pub const REQUESTS: &str = "smartassist_etl_requests_total";

/// `{account}`.
pub const RETRIES: &str = "smartassist_etl_request_retries_total";

/// `{account}`.
pub const REQUEST_SECONDS: &str = "smartassist_etl_request_duration_seconds";

/// `{account,span}`.
pub const BUDGET_USED: &str = "smartassist_etl_budget_requests_used";

/// `{account,span}`; 0: no limit.
pub const BUDGET_LIMIT: &str = "smartassist_etl_budget_requests_limit";

/// `{account}`, with repetitions.
pub const RECORDS_SEEN: &str = "smartassist_etl_records_seen_total";

/// `{account,result}`; stored windows only.
pub const RECORDS: &str = "smartassist_etl_records_total";

/// `{account}`.
pub const UNREADABLE: &str = "smartassist_etl_unreadable_characters_total";

/// `{account}`.
pub const INTERACTIONS: &str = "smartassist_etl_interactions";

/// `{account}`.
pub const REJECTED_WAITING: &str = "smartassist_etl_rejected_records_waiting";

/// `{account}`.
pub const DRIFTED_FIELDS: &str = "smartassist_etl_schema_drift_fields";

/// `{account,kind}`.
pub const DATABASE_ERRORS: &str = "smartassist_etl_database_errors_total";

/// `{state}`.
pub const CONNECTIONS: &str = "smartassist_etl_database_connections";

/// `database.max_connections`.
pub const CONNECTIONS_MAX: &str = "smartassist_etl_database_connections_max";

/// `{account,reason}`.
pub const DELETED: &str = "smartassist_etl_interactions_deleted_total";

/// `{account,purpose,status}`.
pub const WINDOWS: &str = "smartassist_etl_windows_total";

/// `{account}`.
pub const WINDOW_SECONDS: &str = "smartassist_etl_window_duration_seconds";

/// `{account}`; 0 without work.
pub const STALLED: &str = "smartassist_etl_stalled_seconds";

/// `{account}`: limit of [`STALLED`].
pub const STALLED_AFTER: &str = "smartassist_etl_stalled_after_seconds";

/// Seconds since reading the ledger.
pub const BOOKS_AGE: &str = "smartassist_etl_books_age_seconds";

/// `{account}`.
pub const FAILED_TIERS: &str = "smartassist_etl_failed_refresh_tiers";

/// `{account,code,severity}`: 1 or 0.
pub const PROBLEM: &str = "smartassist_etl_problem";

/// `{account}`; positive: API ahead.
pub const CLOCK_SKEW: &str = "smartassist_etl_clock_skew_seconds";

/// Not written in time.
pub const LOG_LINES_DROPPED: &str = "smartassist_etl_log_lines_dropped_total";

/// For the status page.
pub const WRONG_TOKENS: &str = "smartassist_etl_http_wrong_tokens_total";

/// `{account}`.
pub const GAPS: &str = "smartassist_etl_gaps";

/// `{account}`; 0 is right.
pub const TIME_ZONE_DISAGREEMENT: &str = "smartassist_etl_time_zone_disagreement_seconds";

/// `{account,kind,outcome}`.
pub const RUNS: &str = "smartassist_etl_runs_total";

/// `{account,kind}`.
pub const RUN_SECONDS: &str = "smartassist_etl_run_duration_seconds";

/// `{account}`, Unix seconds.
pub const WATERMARK: &str = "smartassist_etl_watermark_timestamp_seconds";

/// `{account}`, Unix seconds.
pub const SETTLED_THROUGH: &str = "smartassist_etl_settled_through_timestamp_seconds";

/// `{account}`.
pub const LAG: &str = "smartassist_etl_lag_seconds";

/// `{account}`, Unix seconds.
pub const LAST_POLL: &str = "smartassist_etl_last_successful_poll_timestamp_seconds";

/// `{account}`: 1 or 0.
pub const LEASE_HELD: &str = "smartassist_etl_lease_held";

/// `{version}`.
pub const BUILD_INFO: &str = "smartassist_etl_build_info";

const TIDYING: Duration = Duration::from_secs(60);

/// Polls take a second, first loads hours.
const RUN_SECONDS_BUCKETS: [f64; 9] = [0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0];

/// 1 to 11 requests, perhaps one a second.
const WINDOW_SECONDS_BUCKETS: [f64; 9] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Answers take 1-2 s; the default timeout is 90.
const REQUEST_SECONDS_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

const COUNTERS: [(&str, &str); 11] = [
    (REQUESTS, "Requests sent to the API, by account and outcome."),
    (RETRIES, "Requests that repeat one that failed."),
    (
        RECORDS_SEEN,
        "Records that came from the API, repetitions included.",
    ),
    (
        RECORDS,
        "Records of drained windows, by account and what became of them.",
    ),
    (
        UNREADABLE,
        "Characters of the API's answers that could not be read and were replaced.",
    ),
    (DATABASE_ERRORS, "Errors of the database, by account and kind."),
    (DELETED, "Interactions that were deleted, by account and reason."),
    (
        WINDOWS,
        "Windows that were read, by account, what they were read for and what became of them.",
    ),
    (
        LOG_LINES_DROPPED,
        "Log lines that were dropped, since nobody read them in time.",
    ),
    (RUNS, "Runs, by account, kind and outcome."),
    (WRONG_TOKENS, "Wrong tokens that were given for the status page."),
];

const GAUGES: [(&str, &str); 21] = [
    (
        WATERMARK,
        "Time stamp up to which the account is complete: all interactions that started before it are loaded.",
    ),
    (
        SETTLED_THROUGH,
        "Time stamp up to which late interactions are found: all that started before it were read once more sync.late_minutes after they started.",
    ),
    (LAG, "Seconds from the watermark to now."),
    (
        LAST_POLL,
        "Time stamp of the end of the last poll that succeeded, whichever process made it.",
    ),
    (
        STALLED,
        "Seconds for which there has been work and nothing came of it; 0 where there is no work.",
    ),
    (
        STALLED_AFTER,
        "Seconds from which on that means that something is wrong.",
    ),
    (
        BOOKS_AGE,
        "Seconds since this process last read the database for these metrics.",
    ),
    (FAILED_TIERS, "Tiers of refreshing whose newest run has failed."),
    (
        PROBLEM,
        "1 while a problem of this code stands that somebody has to look at, else 0.",
    ),
    (
        GAPS,
        "Gaps that are open now: stretches of which the API does not show all records.",
    ),
    (INTERACTIONS, "Interactions that are stored."),
    (
        REJECTED_WAITING,
        "Records that could not become rows and are still waiting.",
    ),
    (
        DRIFTED_FIELDS,
        "Fields that the API sends and that this version does not know.",
    ),
    (
        CLOCK_SKEW,
        "Seconds by which the API's clock is ahead of this machine's.",
    ),
    (
        TIME_ZONE_DISAGREEMENT,
        "Seconds by which session ids or time stamps with a zone are later than stamps without one; 0 is right.",
    ),
    (
        BUDGET_USED,
        "Requests of this process that occupy a place of the request budget now, by span.",
    ),
    (
        BUDGET_LIMIT,
        "Requests that the budget allows in any such span; 0 where there is no such limit.",
    ),
    (
        LEASE_HELD,
        "1 while this process holds the account's lease, which it does during runs.",
    ),
    (CONNECTIONS, "Connections to the database now, by state."),
    (CONNECTIONS_MAX, "Connections to the database that there may be."),
    (BUILD_INFO, "Always 1; the label tells the version."),
];

const HISTOGRAMS: [(&str, &str, &[f64]); 3] = [
    (
        RUN_SECONDS,
        "How long runs took, by account and kind.",
        &RUN_SECONDS_BUCKETS,
    ),
    (
        WINDOW_SECONDS,
        "How long windows took, from the first request until they were stored.",
        &WINDOW_SECONDS_BUCKETS,
    ),
    (
        REQUEST_SECONDS,
        "How long the API took to answer a request.",
        &REQUEST_SECONDS_BUCKETS,
    ),
];

/// Installs the recorder.
///
/// # Errors
/// Already installed.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, _, buckets) in HISTOGRAMS {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    for (name, help) in COUNTERS {
        describe_counter!(name, Unit::Count, help);
    }
    for (name, help) in GAUGES {
        describe_gauge!(name, help);
    }
    for (name, help, _) in HISTOGRAMS {
        describe_histogram!(name, Unit::Seconds, help);
    }
    metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Samples accumulate if nobody scrapes.
pub(crate) async fn tidy(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(TIDYING).await;
        handle.run_upkeep();
    }
}
