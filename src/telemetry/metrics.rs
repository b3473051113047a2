//! Explained in `docs/operations.md`.

use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

macro_rules! metrics {
    ($($describe:ident $constant:ident $name:literal $help:literal)+) => {
        $(#[doc = $help] pub const $constant: &str = $name;)+

        pub const NAMES: &[&str] = &[$($name),+];

        fn describe() {
            $($describe!($name, $help);)+
        }
    };
}

metrics! {
    describe_counter REQUESTS "smartassist_etl_requests_total"
        "Requests sent to the API, by account and outcome."
    describe_counter RETRIES "smartassist_etl_request_retries_total"
        "Requests that repeat one that failed."
    describe_counter RECORDS_SEEN "smartassist_etl_records_seen_total"
        "Records received from the API, repetitions included."
    describe_counter RECORDS "smartassist_etl_records_total"
        "Records of stored windows, by account and result: inserted, updated, unchanged, missing and others."
    describe_counter UNREADABLE "smartassist_etl_unreadable_characters_total"
        "Characters of the API's answers that could not be read and were replaced."
    describe_counter DATABASE_ERRORS "smartassist_etl_database_errors_total"
        "Errors of the database, by account and kind."
    describe_counter DELETED "smartassist_etl_interactions_deleted_total"
        "Interactions that were deleted, by account and reason."
    describe_counter WINDOWS "smartassist_etl_windows_total"
        "Windows that were read, by account, purpose and status."
    describe_counter LOG_LINES_DROPPED "smartassist_etl_log_lines_dropped_total"
        "Log lines that were dropped, since nobody read them in time."
    describe_counter RUNS "smartassist_etl_runs_total"
        "Runs, by account, kind and outcome."
    describe_counter WRONG_TOKENS "smartassist_etl_http_wrong_tokens_total"
        "Wrong tokens that were given for the status page."

    describe_gauge WATERMARK "smartassist_etl_watermark_timestamp_seconds"
        "Time stamp up to which the account is complete: all interactions that started before it are loaded."
    describe_gauge SETTLED_THROUGH "smartassist_etl_settled_through_timestamp_seconds"
        "Time stamp up to which late interactions are found: all that started before it were read again sync.late_minutes after they started."
    describe_gauge LAG "smartassist_etl_lag_seconds"
        "Seconds from the watermark to now."
    describe_gauge LAST_POLL "smartassist_etl_last_successful_poll_timestamp_seconds"
        "Time stamp of the end of the last poll that succeeded, in any process."
    describe_gauge STALLED "smartassist_etl_stalled_seconds"
        "Seconds for which there has been work without progress; 0 without work."
    describe_gauge STALLED_AFTER "smartassist_etl_stalled_after_seconds"
        "Seconds without progress from which on something is wrong."
    describe_gauge LEDGER_AGE "smartassist_etl_ledger_age_seconds"
        "Seconds since this process last read the ledger for these metrics."
    describe_gauge FAILED_POLICIES "smartassist_etl_failed_refresh_policies"
        "Refresh policies whose newest run failed."
    describe_gauge PROBLEM "smartassist_etl_problem"
        "1 while an account has a stored problem of this code, else 0."
    describe_gauge GAPS "smartassist_etl_gaps"
        "Open gaps: ranges of which the API does not show all records."
    describe_gauge INTERACTIONS "smartassist_etl_interactions"
        "Interactions that are stored."
    describe_gauge REJECTED_WAITING "smartassist_etl_rejected_records_waiting"
        "Rejected records that are not resolved."
    describe_gauge DRIFTED_FIELDS "smartassist_etl_schema_drift_fields"
        "Fields that the API sends and this version does not know."
    describe_gauge CLOCK_SKEW "smartassist_etl_clock_skew_seconds"
        "Seconds by which the API's clock is ahead of this machine's."
    describe_gauge TIME_ZONE_DISAGREEMENT "smartassist_etl_time_zone_disagreement_seconds"
        "Seconds by which session ids or time stamps with a zone are later than stamps without one; 0 is right."
    describe_gauge BUDGET_USED "smartassist_etl_budget_requests_used"
        "Requests of this process in the current span of the request budget."
    describe_gauge BUDGET_LIMIT "smartassist_etl_budget_requests_limit"
        "Requests that the budget allows in any such span; 0 without such a limit."
    describe_gauge LEASE_HELD "smartassist_etl_lease_held"
        "1 while this process holds the account's lease, which it does during runs."
    describe_gauge CONNECTIONS "smartassist_etl_database_connections"
        "Connections to the database now, by state."
    describe_gauge CONNECTIONS_MAX "smartassist_etl_database_connections_max"
        "Connections to the database, at most."
    describe_gauge BUILD_INFO "smartassist_etl_build_info"
        "Always 1; the label tells the version."

    describe_histogram RUN_SECONDS "smartassist_etl_run_duration_seconds"
        "How long runs took, by account and kind."
    describe_histogram WINDOW_SECONDS "smartassist_etl_window_duration_seconds"
        "How long windows took, from the first request until they were stored."
    describe_histogram REQUEST_SECONDS "smartassist_etl_request_duration_seconds"
        "How long the API took to answer a request."
}

/// Polls take a second, first loads hours; windows 1 to 11 requests; answers 1-2 s, at most 90.
const BUCKETS: [(&str, [f64; 9]); 3] = [
    (
        RUN_SECONDS,
        [0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0],
    ),
    (WINDOW_SECONDS, [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0]),
    (REQUEST_SECONDS, [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0]),
];

const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);

pub fn install() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in &BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    describe();
    metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Samples accumulate if nobody scrapes.
pub(crate) async fn run_upkeep(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        handle.run_upkeep();
    }
}
