//! Log lines: one JSON object a line for machines, or pretty for people. They go to stderr, so
//! that stdout holds nothing but what a command was asked to print.

use std::io::{IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{LogConfig, LogFormat};

/// sqlx passes on every notice of the server ("already exists, skipping"), the scheduler greets.
/// A directive of the configuration for the same target comes later, and wins.
const QUIET: &str = "sqlx=warn,tokio_cron_scheduler=warn";

/// The terminal, if there is one: log lines and progress bars share it, so that neither tears the
/// other.
#[derive(Debug, Clone)]
pub struct Screen(MultiProgress);

impl Screen {
    /// A bar below the log lines; `None` where nobody would see it.
    pub fn bar(&self) -> Option<ProgressBar> {
        (!self.0.is_hidden()).then(|| self.0.add(ProgressBar::no_length()))
    }
}

/// Writes lines above the bars.
struct Lines(Screen);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.0.suspend(|| std::io::stderr().write(line))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Starts logging as configured, and gives what else may be shown where the lines go. A second
/// call in a process changes nothing.
pub fn start(config: &LogConfig) -> Screen {
    let screen = Screen(MultiProgress::new());
    let lines = screen.clone();
    let filter = EnvFilter::new(format!("{QUIET},{}", config.level));
    let fallback = if std::io::stderr().is_terminal() {
        LogFormat::Pretty
    } else {
        LogFormat::Json
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Lines(lines.clone()))
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
    screen
}
