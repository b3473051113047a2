//! The metrics, by name. `docs/operations.md` says which question each one answers.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Requests to the API, by `account` and `outcome` (`ok` or the kind of error).
pub const REQUESTS: &str = "smartassist_etl_requests_total";

/// Records of drained windows, by `account` and `result` (`inserted`, `updated`, `unchanged`, `missing`,
/// `left_out`, `rejected`).
pub const RECORDS: &str = "smartassist_etl_records_total";

/// Errors of the database, by `account` and `kind` (`unreachable`, `conflict`, `locked`, `read_only`, ...).
pub const DATABASE_ERRORS: &str = "smartassist_etl_database_errors_total";

/// Interactions that were deleted, by `account` and `reason` (`retention`).
pub const DELETED: &str = "smartassist_etl_interactions_deleted_total";

/// Windows, by `account` and `status` (`drained`, `split`, `gap`, `failed`).
pub const WINDOWS: &str = "smartassist_etl_windows_total";

/// Seconds for which there has been work and nothing came of it, by `account`; 0 where there is none.
pub const STALLED: &str = "smartassist_etl_stalled_seconds";

/// Seconds by which the API's clock is ahead of this machine's, by `account`.
pub const CLOCK_SKEW: &str = "smartassist_etl_clock_skew_seconds";

/// Log lines that were dropped, since nobody read them in time.
pub const LOG_LINES_DROPPED: &str = "smartassist_etl_log_lines_dropped_total";

/// Gaps that are open now, by `account`: seconds whose records cannot all be reached.
pub const GAPS: &str = "smartassist_etl_gaps";

/// Minutes by which time stamps with a zone are later than those without, by `account`; 0 is right.
pub const TIME_ZONE_DISAGREEMENT: &str = "smartassist_etl_time_zone_disagreement_minutes";

/// Runs, by `account`, `kind` and `outcome`.
pub const RUNS: &str = "smartassist_etl_runs_total";

/// Seconds that runs took, by `account` and `kind`.
pub const RUN_SECONDS: &str = "smartassist_etl_run_duration_seconds";

/// The watermark as seconds since 1970, by `account`: everything that started before it is loaded.
pub const WATERMARK: &str = "smartassist_etl_watermark_timestamp_seconds";

/// A poll of an ordinary day takes a second; a first load takes hours.
const RUN_SECONDS_BUCKETS: [f64; 9] = [0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0];

/// Installs the recorder of this process, and returns what renders `/metrics`.
///
/// # Errors
/// A recorder is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(RUN_SECONDS.to_owned()), &RUN_SECONDS_BUCKETS)?
        .install_recorder()?;
    describe_counters();
    describe_gauges();
    describe_histogram!(
        RUN_SECONDS,
        Unit::Seconds,
        "How long runs took, by account and kind."
    );
    Ok(handle)
}

fn describe_counters() {
    describe_counter!(
        REQUESTS,
        Unit::Count,
        "Requests sent to the API, by account and outcome."
    );
    describe_counter!(
        RECORDS,
        Unit::Count,
        "Records of drained windows, by account and what became of them."
    );
    describe_counter!(
        DATABASE_ERRORS,
        Unit::Count,
        "Errors of the database, by account and kind."
    );
    describe_counter!(
        DELETED,
        Unit::Count,
        "Interactions that were deleted, by account and reason."
    );
    describe_counter!(
        WINDOWS,
        Unit::Count,
        "Windows that were read, by account and what became of them."
    );
    describe_counter!(
        LOG_LINES_DROPPED,
        Unit::Count,
        "Log lines that were dropped, since nobody read them in time."
    );
    describe_counter!(RUNS, Unit::Count, "Runs, by account, kind and outcome.");
}

fn describe_gauges() {
    describe_gauge!(
        STALLED,
        Unit::Seconds,
        "Seconds for which there has been work and nothing came of it; 0 where there is no work."
    );
    describe_gauge!(
        CLOCK_SKEW,
        Unit::Seconds,
        "Seconds by which the API's clock is ahead of this machine's."
    );
    describe_gauge!(
        GAPS,
        Unit::Count,
        "Gaps that are open now: seconds of which the API does not show all records."
    );
    describe_gauge!(
        TIME_ZONE_DISAGREEMENT,
        "Minutes by which time stamps with a zone are later than those without; 0 is right."
    );
    describe_gauge!(
        WATERMARK,
        Unit::Seconds,
        "Time stamp up to which the account is complete: all interactions that started before it are loaded."
    );
}
