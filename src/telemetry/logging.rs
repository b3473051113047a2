//! Log lines: one JSON object a line for machines, or pretty for people. They go to stderr, so
//! that stdout holds nothing but what a command was asked to print.
//!
//! A thread of its own writes them: whoever reads them may stop to, and a full pipe must hold up
//! nothing but the log. What has no room then is dropped, and counted.

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

/// Lines that wait to be written. They are some 300 bytes each.
const LINES_WAITING: usize = 10_000;

/// How long the last word may take: nobody may be reading.
const LAST_WORD: Duration = Duration::from_secs(1);

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Logging that has been started. What is still waiting is written when it is dropped.
#[derive(Debug)]
pub struct Logging {
    /// What else may be shown where the lines go.
    pub screen: Screen,
    /// What is written.
    pub level: LogLevel,
    _writer: WorkerGuard,
}

/// Lines that were dropped, since nobody read them in time.
pub fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |dropped| {
        u64::try_from(dropped.dropped_lines()).unwrap_or(u64::MAX)
    })
}

/// Says the last word to whoever ran us, unless nobody listens.
pub fn last_word(word: String) {
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || {
        // Where nobody reads it, the exit code still tells.
        let _ = writeln!(std::io::stderr(), "{word}");
        let _ = said.send(());
    });
    let _ = heard.recv_timeout(LAST_WORD);
}

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

/// Starts logging as configured. A second call in a process changes nothing.
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
        // It would report a log line that cannot be written by printing to the same closed pipe,
        // which panics: nobody listening must not end the daemon.
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    // Only a second call can fail here.
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
        // What was formatted into the message may be anybody's data.
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
