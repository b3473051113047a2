//! What is logged: the configured level, which may change while the program runs.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;
use tracing::info;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// Errors are always shown, whatever parts of the program the configuration names. sqlx passes on every notice of
/// the server ("already exists, skipping"), and values of a URL; the scheduler greets. A directive of the configuration for the same
/// target comes later, and wins.
const QUIET: &str = "error,sqlx=warn,sqlx_postgres::options=error,tokio_cron_scheduler=warn";

/// What is seen beside the configured level while debugging is on: the debug lines of our own.
const DEBUG: &str = "smartassist_etl=debug";

/// The level of a log that is being written. Clones are the same one.
#[derive(Debug, Clone)]
pub struct LogLevel {
    filter: reload::Handle<EnvFilter, Registry>,
    configured: String,
}

impl LogLevel {
    /// A filter for this level, and what changes it.
    pub(super) fn new(configured: &str) -> (reload::Layer<EnvFilter, Registry>, Self) {
        let (layer, filter) = reload::Layer::new(filter(configured));
        let configured = configured.to_owned();
        (layer, Self { filter, configured })
    }

    /// Shows debug lines of our own beside what is configured at a first SIGUSR1, and no longer at the next one, until
    /// what is returned is dropped: for containers, whose environment cannot change.
    ///
    /// # Errors
    /// The signal cannot be listened to.
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
                // Said while it is still seen.
                info!(log_level = self.configured, "log level changed by SIGUSR1");
                self.show(&self.configured);
            }
        });
        Ok(AbortOnDropHandle::new(listening))
    }

    fn show(&self, shown: &str) {
        // It fails only where the log has ended.
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
