//! Log lines: one JSON object a line for machines, or pretty for people. They go to stderr, so
//! that stdout holds nothing but what a command was asked to print.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{LogConfig, LogFormat};

/// sqlx passes on every notice of the server ("already exists, skipping"), the scheduler greets.
/// A directive of the configuration for the same target comes later, and wins.
const QUIET: &str = "sqlx=warn,tokio_cron_scheduler=warn";

/// Starts logging as configured. A second call in a process changes nothing.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::new(format!("{QUIET},{}", config.level));
    let fallback = if std::io::stderr().is_terminal() {
        LogFormat::Pretty
    } else {
        LogFormat::Json
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would report a log line that cannot be written by printing to the same closed pipe,
        // which panics: nobody listening must not end the daemon.
        .log_internal_errors(false)
        .with_span_events(FmtSpan::NONE);
    // Only a second call can fail here.
    let _ = match config.format.unwrap_or(fallback) {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
        LogFormat::Pretty => builder
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    };
}
