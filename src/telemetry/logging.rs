//! Logs to stderr on its own thread: a full pipe drops lines, never blocks.

use std::io::{IsTerminal, Write};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;
use tracing::info;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::config::{LogConfig, LogFormat};

/// About 300 bytes each.
const LINES_WAITING: usize = 10_000;

/// sqlx logs server notices and URL values. Configured directives come later and win.
const QUIET: &str = "error,sqlx=warn,sqlx_postgres::options=error,tokio_cron_scheduler=warn";

const DEBUG: &str = "smartassist_etl=debug";

const FINAL_ERROR_TIMEOUT: Duration = Duration::from_secs(1);

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Flushes when dropped.
#[derive(Debug)]
pub struct Logging {
    pub screen: Screen,
    pub level: LogLevel,
    _writer: WorkerGuard,
}

pub fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |dropped| {
        u64::try_from(dropped.dropped_lines()).unwrap_or(u64::MAX)
    })
}

/// Prints within a second.
pub fn print_final_error(error: String) {
    let (printed, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = writeln!(std::io::stderr(), "{error}");
        let _ = printed.send(());
    });
    let _ = wait.recv_timeout(FINAL_ERROR_TIMEOUT);
}

#[derive(Debug, Clone)]
pub struct Screen(MultiProgress);

impl Screen {
    /// `None` without a terminal.
    pub fn bar(&self) -> Option<ProgressBar> {
        (!self.0.is_hidden()).then(|| self.0.add(ProgressBar::no_length()))
    }
}

struct Lines(Screen);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.0.suspend(|| std::io::stderr().write(line))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Works once per process.
pub fn start(config: &LogConfig) -> Logging {
    let screen = Screen(MultiProgress::new());
    let (lines, writer) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_WAITING)
        .thread_name("log")
        .finish(Lines(screen.clone()));
    DROPPED.get_or_init(|| lines.error_counter());
    let (filter, level) = LogLevel::new(&config.level);
    let fallback = if std::io::stderr().is_terminal() {
        LogFormat::Pretty
    } else {
        LogFormat::Json
    };
    let layer = fmt::layer()
        .with_writer(lines)
        // Else it panics on a closed pipe.
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    let _ = match config.format.unwrap_or(fallback) {
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_current_span(false))
            .try_init(),
        LogFormat::Pretty => registry
            .with(
                layer
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal()),
            )
            .try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        // Formatted messages may contain personal data.
        let message = panic.payload().downcast_ref::<&'static str>();
        let location = panic.location().map(ToString::to_string);
        tracing::error!(
            location,
            message_of_panic = message,
            remedy = "report it with the lines before this one",
            "a part of the program panicked"
        );
    }));
    Logging {
        screen,
        level,
        _writer: writer,
    }
}

/// Clones share it.
#[derive(Debug, Clone)]
pub struct LogLevel {
    filter: reload::Handle<EnvFilter, Registry>,
    configured: String,
}

impl LogLevel {
    fn new(configured: &str) -> (reload::Layer<EnvFilter, Registry>, Self) {
        let (layer, filter) = reload::Layer::new(filter(configured));
        let configured = configured.to_owned();
        (layer, Self { filter, configured })
    }

    pub fn toggle_on_signal(self) -> std::io::Result<AbortOnDropHandle<()>> {
        let mut signals = signal(SignalKind::user_defined1())?;
        let debugging = format!("{},{DEBUG}", self.configured);
        let listening = tokio::spawn(async move {
            while signals.recv().await.is_some() {
                self.show(&debugging);
                info!(log_level = debugging, "log level changed by SIGUSR1");
                if signals.recv().await.is_none() {
                    break;
                }
                // The next line hides it.
                info!(log_level = self.configured, "log level changed by SIGUSR1");
                self.show(&self.configured);
            }
        });
        Ok(AbortOnDropHandle::new(listening))
    }

    fn show(&self, shown: &str) {
        let _ = self.filter.reload(filter(shown));
    }
}

fn filter(shown: &str) -> EnvFilter {
    EnvFilter::new(format!("{QUIET},{shown}"))
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;

    use super::*;

    #[test]
    fn errors_are_shown_whatever_part_alone_is_named() {
        let named = filter("smartassist_etl::extract=debug").to_string();
        assert!(named.split(',').any(|directive| directive == "error"), "{named}");
        assert_eq!(filter("info").max_level_hint(), Some(LevelFilter::INFO));
        assert_eq!(filter("off").max_level_hint(), Some(LevelFilter::WARN));
    }
}
