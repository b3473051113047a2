//! What is logged: the configured level, which may change while the program runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    configured: String,
    is_debugging: bool,
}

impl LogLevel {
    /// A filter for this level, and what changes it.
    pub(super) fn new(configured: &str) -> (reload::Layer<EnvFilter, Registry>, Self) {
        let state = State {
            configured: configured.to_owned(),
            is_debugging: false,
        };
        let (layer, filter) = reload::Layer::new(filter(&state.shown(false)));
        let state = Arc::new(Mutex::new(state));
        (layer, Self { filter, state })
    }

    /// Follows another configured level from now on.
    pub fn configure(&self, configured: &str) {
        let mut state = self.state();
        configured.clone_into(&mut state.configured);
        self.apply(&state);
    }

    /// Shows debug lines of our own beside what is configured, or no longer.
    pub fn toggle_debug(&self) {
        let mut state = self.state();
        state.is_debugging = !state.is_debugging;
        self.apply(&state);
    }

    /// What would be logged after [`LogLevel::toggle_debug`].
    pub fn toggled(&self) -> String {
        let state = self.state();
        state.shown(!state.is_debugging)
    }

    fn apply(&self, state: &State) {
        // It fails only where the log has ended.
        let _ = self.filter.reload(filter(&state.shown(state.is_debugging)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn shown(&self, is_debugging: bool) -> String {
        if is_debugging {
            format!("{},{DEBUG}", self.configured)
        } else {
            self.configured.clone()
        }
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
