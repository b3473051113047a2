//! What a running daemon takes up without a restart. SIGHUP reads the configuration again: the log's
//! level and the accounts' request budgets are followed, the rest is named. SIGUSR1 shows debug lines,
//! or no longer, where the configuration cannot change: a process keeps its environment.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Level, enabled, error, info, warn};

use crate::config::Config;
use crate::observe::chain;
use crate::observe::logging::LogLevel;
use crate::sync::AccountWorker;

/// The keys of an account, or of `account_defaults`, that are followed.
const BUDGET: [&str; 3] = ["requests_per_minute", "requests_per_hour", "max_in_flight"];

/// A configuration that is followed while it changes.
#[derive(Debug)]
pub(super) struct Reload {
    file: Option<PathBuf>,
    level: LogLevel,
    /// What holds for all that takes a restart.
    started_with: Config,
    followed: Mutex<Followed>,
}

#[derive(Debug)]
struct Followed {
    /// As it was read last.
    config: Config,
    /// Empty until the database is there.
    workers: Vec<Arc<AccountWorker>>,
}

impl Reload {
    /// Follows this configuration, which was read from `file`.
    pub(super) fn new(file: Option<PathBuf>, config: &Config, level: LogLevel) -> Arc<Self> {
        Arc::new(Self {
            file,
            level,
            started_with: config.clone(),
            followed: Mutex::new(Followed {
                config: config.clone(),
                workers: Vec::new(),
            }),
        })
    }

    /// Listens to SIGHUP and SIGUSR1 until what is returned is dropped.
    ///
    /// # Errors
    /// The signals cannot be listened to.
    pub(super) fn on_signals(self: &Arc<Self>) -> std::io::Result<AbortOnDropHandle<()>> {
        let signals = (
            signal(SignalKind::hangup())?,
            signal(SignalKind::user_defined1())?,
        );
        let listening = tokio::spawn(listen(Arc::clone(self), signals));
        Ok(AbortOnDropHandle::new(listening))
    }

    /// Lets these workers keep to the budgets of what was read last, now and from now on.
    pub(super) fn keep_to_budgets(&self, workers: &[Arc<AccountWorker>]) {
        let mut followed = self.followed();
        followed.workers = workers.to_vec();
        followed.set_budgets();
    }

    /// Reads the configuration again. One that cannot be used changes nothing.
    fn read_again(&self) {
        let config = match Config::load(self.file.as_deref()) {
            Ok(config) => config,
            Err(error) => {
                error!(
                    error = %chain(&error),
                    remedy = "mend the configuration and send SIGHUP again; the daemon goes on as before",
                    "the configuration was read again and cannot be used"
                );
                return;
            }
        };
        let restart = keys(self.started_with.changes(&config), |key| !is_followed(key));
        let mut followed = self.followed();
        let applied = keys(followed.config.changes(&config), is_followed);
        followed.config = config;
        followed.set_budgets();
        let follow_level = || self.level.configure(&followed.config.log.level);
        if !applied.is_empty() {
            aloud(follow_level, || info!(applied, "configuration read again"));
        } else if restart.is_empty() {
            info!("configuration read again, nothing has changed");
        }
        if !restart.is_empty() {
            warn!(
                keys = restart,
                remedy = "restart the daemon, or take the change back",
                "configuration read again, what has changed takes a restart"
            );
        }
    }

    fn toggle_debug(&self) {
        let log_level = self.level.toggled();
        aloud(
            || self.level.toggle_debug(),
            || info!(log_level, "log level changed by SIGUSR1"),
        );
    }

    fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    /// An account that is no longer configured keeps its budget, as it keeps all else.
    fn set_budgets(&self) {
        for worker in &self.workers {
            let name = &worker.api.account().name;
            if let Some(account) = self.config.accounts.iter().find(|account| account.name == *name) {
                worker.api.limit(account.limits);
            }
        }
    }
}

async fn listen(reload: Arc<Reload>, (mut hangup, mut user): (Signal, Signal)) {
    loop {
        tokio::select! {
            _ = hangup.recv() => reload.read_again(),
            _ = user.recv() => reload.toggle_debug(),
        }
    }
}

/// Changes the log's level, and says so under whichever of the two levels shows it.
fn aloud(change: impl FnOnce(), say: impl Fn()) {
    let is_heard = enabled!(Level::INFO);
    if is_heard {
        say();
    }
    change();
    if !is_heard {
        say();
    }
}

/// Those of these keys that are meant, as one field of a log line has them.
fn keys(changed: Vec<String>, are_meant: impl Fn(&str) -> bool) -> String {
    let meant: Vec<String> = changed.into_iter().filter(|key| are_meant(key)).collect();
    meant.join(" ")
}

/// Whether a change of this key is taken up while the daemon runs.
fn is_followed(key: &str) -> bool {
    match key.split('.').collect::<Vec<_>>()[..] {
        ["log", "level"] => true,
        ["account_defaults", key] | ["accounts", _, key] => BUDGET.contains(&key),
        _ => false,
    }
}
