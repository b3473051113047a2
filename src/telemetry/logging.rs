//! Logs to stderr on its own thread: a full pipe drops lines, never blocks.

mod level;

use std::io::{IsTerminal, Write};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

pub use level::LogLevel;

/// About 300 bytes each.
const LINES_WAITING: usize = 10_000;

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

/// Shared with progress bars.
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
