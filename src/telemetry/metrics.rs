//! The metrics, by name. `docs/operations.md` says which question each one answers.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Requests to the API, by `account` and `outcome` (`ok` or the kind of error).
pub const REQUESTS: &str = "smartassist_etl_requests_total";

/// Requests that repeat one that failed, by `account`.
pub const RETRIES: &str = "smartassist_etl_request_retries_total";

/// Seconds from sending a request to having its answer, by `account`.
pub const REQUEST_SECONDS: &str = "smartassist_etl_request_duration_seconds";

/// Requests that occupy a place of the budget now, by `account` and `span` (`minute`, `hour`).
pub const BUDGET_USED: &str = "smartassist_etl_budget_requests_used";

/// Requests that may, likewise; 0 where there is no such limit.
pub const BUDGET_LIMIT: &str = "smartassist_etl_budget_requests_limit";

/// Records that came, repetitions included, by `account`.
pub const RECORDS_SEEN: &str = "smartassist_etl_records_seen_total";

/// Records of drained windows, by `account` and `result` (`inserted`, `updated`, `unchanged`, `missing`,
/// `left_out`, `rejected`, `counted_alone`).
pub const RECORDS: &str = "smartassist_etl_records_total";

/// Characters of answers that could not be read and were replaced, by `account`.
pub const UNREADABLE: &str = "smartassist_etl_unreadable_characters_total";

/// Interactions that are stored, by `account`.
pub const INTERACTIONS: &str = "smartassist_etl_interactions";

/// Records set aside that are still waiting, by `account`.
pub const REJECTED_WAITING: &str = "smartassist_etl_rejected_records_waiting";

/// Fields that the API sends and that are not known, by `account`.
pub const DRIFTED_FIELDS: &str = "smartassist_etl_schema_drift_fields";

/// Errors of the database, by `account` and `kind` (`unreachable`, `conflict`, `locked`, `read_only`, ...).
pub const DATABASE_ERRORS: &str = "smartassist_etl_database_errors_total";

/// Connections to the database now, by `state` (`in_use`, `idle`).
pub const CONNECTIONS: &str = "smartassist_etl_database_connections";

/// Connections that there may be (`database.max_connections`).
pub const CONNECTIONS_MAX: &str = "smartassist_etl_database_connections_max";

/// Interactions that were deleted, by `account` and `reason` (`retention`).
pub const DELETED: &str = "smartassist_etl_interactions_deleted_total";

/// Windows, by `account`, `purpose` (`new`, `gap`, `refresh`, `backfill`) and `status` (`drained`, `split`,
/// `gap`, `failed`).
pub const WINDOWS: &str = "smartassist_etl_windows_total";

/// Seconds from the first request of a window to its end, by `account`.
pub const WINDOW_SECONDS: &str = "smartassist_etl_window_duration_seconds";

/// Seconds for which there has been work and nothing came of it, by `account`; 0 where there is none.
pub const STALLED: &str = "smartassist_etl_stalled_seconds";

/// Seconds from which on that is too long, by `account`: of `sync.stall_seconds` and what the request budget needs
/// for a first window, the longer.
pub const STALLED_AFTER: &str = "smartassist_etl_stalled_after_seconds";

/// Seconds since the books were read that gauges are made of; they stay as they were while they cannot be.
pub const BOOKS_AGE: &str = "smartassist_etl_books_age_seconds";

/// Tiers of `sync.refresh` whose newest run has failed, by `account`.
pub const FAILED_TIERS: &str = "smartassist_etl_failed_refresh_tiers";

/// 1 while a problem of this code stands, by `account`, `code` and `severity` (`warning`, `failed`); else 0.
pub const PROBLEM: &str = "smartassist_etl_problem";

/// Seconds by which the API's clock is ahead of this machine's, by `account`.
pub const CLOCK_SKEW: &str = "smartassist_etl_clock_skew_seconds";

/// Log lines that were dropped, since nobody read them in time.
pub const LOG_LINES_DROPPED: &str = "smartassist_etl_log_lines_dropped_total";

/// Wrong tokens that were given for the status page.
pub const WRONG_TOKENS: &str = "smartassist_etl_http_wrong_tokens_total";

/// Gaps that are open now, by `account`: seconds whose records cannot all be reached.
pub const GAPS: &str = "smartassist_etl_gaps";

/// Seconds by which session ids or time stamps with a zone are later than stamps without one, by `account`; 0 is right.
pub const TIME_ZONE_DISAGREEMENT: &str = "smartassist_etl_time_zone_disagreement_seconds";

/// Runs, by `account`, `kind` and `outcome`.
pub const RUNS: &str = "smartassist_etl_runs_total";

/// Seconds that runs took, by `account` and `kind`.
pub const RUN_SECONDS: &str = "smartassist_etl_run_duration_seconds";

/// The watermark as seconds since 1970, by `account`: everything that started before it is loaded.
pub const WATERMARK: &str = "smartassist_etl_watermark_timestamp_seconds";

/// As seconds since 1970, by `account`: everything that started before it was read once more `sync.late_minutes` after
/// it started.
pub const SETTLED_THROUGH: &str = "smartassist_etl_settled_through_timestamp_seconds";

/// Seconds from the watermark to now, by `account`.
pub const LAG: &str = "smartassist_etl_lag_seconds";

/// When the last poll that succeeded ended, as seconds since 1970, by `account`; of whatever process.
pub const LAST_POLL: &str = "smartassist_etl_last_successful_poll_timestamp_seconds";

/// 1 while this process holds the account's lease, by `account`; else 0.
pub const LEASE_HELD: &str = "smartassist_etl_lease_held";

/// Always 1, by `version`.
pub const BUILD_INFO: &str = "smartassist_etl_build_info";

/// How often what histograms were told is added up.
const TIDYING: Duration = Duration::from_secs(60);

/// A poll of an ordinary day takes a second; a first load takes hours.
const RUN_SECONDS_BUCKETS: [f64; 9] = [0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0];

/// A window is one to eleven requests, of which the budget may let one a second through.
const WINDOW_SECONDS_BUCKETS: [f64; 9] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The API answers in a second or two; a request is given up after 90.
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

/// Installs the recorder of this process, and returns what renders `/metrics`.
///
/// # Errors
/// A recorder is installed already.
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

/// Adds up what histograms were told, each minute, for ever: else it piles up where nobody scrapes.
pub(crate) async fn tidy(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(TIDYING).await;
        handle.run_upkeep();
    }
}
