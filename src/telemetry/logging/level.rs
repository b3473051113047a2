//! Log level.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;
use tracing::info;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// sqlx logs server notices and URL values. Configured directives come later and win.
const QUIET: &str = "error,sqlx=warn,sqlx_postgres::options=error,tokio_cron_scheduler=warn";

const DEBUG: &str = "smartassist_etl=debug";

/// Clones share it.
#[derive(Debug, Clone)]
pub struct LogLevel {
    filter: reload::Handle<EnvFilter, Registry>,
    configured: String,
}

impl LogLevel {
    pub(super) fn new(configured: &str) -> (reload::Layer<EnvFilter, Registry>, Self) {
        let (layer, filter) = reload::Layer::new(filter(configured));
        let configured = configured.to_owned();
        (layer, Self { filter, configured })
    }

    /// SIGUSR1 toggles debug lines.
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
