//! A daemon that suffers a fault, is healed, and must come out as if nothing had been.

use nix::sys::signal::Signal;
use smartassist_simulator::{Fault, FaultKind, When};

use super::watch;
use crate::support::daemon::{environment, get};
use crate::support::{Program, Setup, TestDatabase, wait};

/// Interactions of two whole days: several windows of several pages.
const INTERACTIONS: usize = 1_500;

pub(super) struct Trial {
    pub(super) setup: Setup,
    pub(super) database: TestDatabase,
    daemon: Program,
    port: u16,
}

impl Trial {
    /// A daemon that polls every second, and meets the fault from its first request on.
    pub(super) async fn of(fault: Fault) -> Self {
        let mut setup = Setup::live().await;
        // The fault outlasts what one request tries.
        setup.set("max_retries", "2");
        setup.set("request_timeout_seconds", "2");
        setup.seed_days(17, 2, 0, INTERACTIONS);
        setup.simulator.world().inject(fault);
        Self::with(setup).await
    }

    /// The same, of an account that has been prepared.
    pub(super) async fn with(setup: Setup) -> Self {
        let database = TestDatabase::migrated().await;
        watch::install(&database).await;
        let (environment, port) = environment(&setup, &database).await;
        let mut daemon = Program::start(&["run"], &environment);
        daemon
            .event("serving the status page, /healthz, /readyz and /metrics")
            .await;
        Self {
            setup,
            database,
            daemon,
            port,
        }
    }

    /// About every seventh request suffers it.
    pub(super) fn now_and_then(kind: FaultKind) -> Fault {
        Fault {
            when: When::Chance {
                probability: 0.15,
                seed: 6,
            },
            kind,
        }
    }

    /// Waits until the log has a line with this text.
    pub(super) async fn shows(&mut self, text: &str) -> &mut Self {
        let seen = self.daemon.log.iter().any(|line| line.contains(text));
        if !seen {
            self.daemon.line_with(text).await;
        }
        self
    }

    /// Waits until a metric that begins so is above zero.
    pub(super) async fn counts(&mut self, metric: &str) -> &mut Self {
        wait::until(&format!("{metric} above zero"), async || {
            let (_, metrics) = get(self.port, "/metrics").await;
            let value = metrics.lines().find_map(|line| line.strip_prefix(metric));
            let value = value.map(|value| value.trim().parse::<f64>().unwrap());
            if value > Some(0.0) { Ok(()) } else { Err(value) }
        })
        .await;
        self
    }

    /// The log says why requests failed, and the metric counts them, as this kind of error.
    pub(super) async fn is_told_as(&mut self, text: &str, outcome: &str) -> &mut Self {
        let metric = format!(r#"smartassist_etl_requests_total{{account="main",outcome="{outcome}"}}"#);
        self.shows(text).await.counts(&metric).await
    }

    /// It is told to stop, with the fault going on.
    pub(super) async fn ends(self) {
        self.daemon.signal(Signal::SIGTERM);
        assert_eq!(self.daemon.ended().await.code(), 0);
        assert_eq!(self.database.counts().await, [0; 7]);
    }

    /// The fault ends; the daemon catches up by itself, and everything is as it should be.
    pub(super) async fn heals(self) {
        self.setup.simulator.world().clear_faults();
        let caught_up =
            "select count(*) from smartassist_sync.accounts where watermark > now() - interval '10 seconds'";
        self.database
            .until("an account that has caught up", caught_up, |caught_up| {
                caught_up > 0
            })
            .await;
        self.daemon.signal(Signal::SIGTERM);
        let ended = self.daemon.ended().await;
        assert_eq!(ended.code(), 0);
        watch::check(&self.database).await;
        watch::same_as_a_fresh_load(&self.setup, &self.database).await;
    }
}
