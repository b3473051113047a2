//! Account gauges, read from the ledger so that standbys show the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::debug;

use crate::config::BudgetSpan;
use crate::ledger::problems::ProblemCode;
use crate::ledger::status::{self, AccountStatus};
use crate::postgres::Pool;
use crate::sync::AccountWorker;
use crate::time::clock::Clock;

use crate::telemetry::{chain, metrics, show};

/// Prometheus allows 10 s by default.
const BOOKS_TIMEOUT: Duration = Duration::from_secs(2);

/// Account gauges.
#[derive(Debug)]
pub struct Gauges {
    pool: Pool,
    workers: Vec<Arc<AccountWorker>>,
    clock: Arc<dyn Clock>,
    /// Kept for when the database fails.
    read: Mutex<Option<Books>>,
}

#[derive(Debug)]
struct Books {
    read_at: Instant,
    accounts: Vec<AccountStatus>,
}

impl Gauges {
    /// Gauges of these workers.
    pub fn new(pool: Pool, workers: Vec<Arc<AccountWorker>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            pool,
            workers,
            clock,
            read: Mutex::default(),
        }
    }

    /// Updates all gauges. Must not run concurrently, to spare connections.
    pub async fn show(&self) {
        let is_read = self.read_books().await;
        if let Some(books) = &*self.read.lock().unwrap_or_else(PoisonError::into_inner) {
            ::metrics::gauge!(metrics::BOOKS_AGE).set(books.read_at.elapsed().as_secs_f64());
            for account in &books.accounts {
                self.show_books(account, is_read);
            }
        }
        for worker in &self.workers {
            show_worker(worker);
        }
        let connections = self.pool.connections();
        show_connections(metrics::CONNECTIONS, Some("in_use"), connections.in_use);
        show_connections(metrics::CONNECTIONS, Some("idle"), connections.idle);
        show_connections(metrics::CONNECTIONS_MAX, None, connections.max);
    }

    async fn read_books(&self) -> bool {
        let reading = status::accounts(&self.pool);
        match tokio::time::timeout(BOOKS_TIMEOUT, reading).await {
            Ok(Ok(mut accounts)) => {
                accounts.retain(|account| self.worker(&account.account_id).is_some());
                *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(Books {
                    read_at: Instant::now(),
                    accounts,
                });
                return true;
            }
            Ok(Err(error)) => debug!(error = %chain(&error), "could not read the books for the metrics"),
            Err(_) => debug!("could not read the books for the metrics in time"),
        }
        false
    }

    fn worker(&self, account_id: &str) -> Option<&Arc<AccountWorker>> {
        self.workers
            .iter()
            .find(|worker| worker.api.account().account_id == account_id)
    }

    fn show_books(&self, account: &AccountStatus, is_read: bool) {
        let Some(worker) = self.worker(&account.account_id) else {
            return;
        };
        // The ledger's name may be old; its series would never end.
        let name = &worker.api.account().name;
        let lag = self.clock.now() - account.watermark;
        show(metrics::WATERMARK, name, account.watermark.timestamp());
        show(
            metrics::SETTLED_THROUGH,
            name,
            account.settled_through.timestamp(),
        );
        show(metrics::LAG, name, lag.num_seconds().max(0));
        show(metrics::GAPS, name, account.gaps);
        show(metrics::INTERACTIONS, name, account.interactions);
        show(metrics::REJECTED_WAITING, name, account.rejected_waiting);
        show(metrics::DRIFTED_FIELDS, name, account.drifted_fields);
        if let Some(at) = account.last_polled_at {
            show(metrics::LAST_POLL, name, at.timestamp());
        }
        let failed_tiers = i64::try_from(account.failed_refreshes.len()).unwrap_or(i64::MAX);
        show(metrics::FAILED_TIERS, name, failed_tiers);
        show_problems(name, account);
        // Without the database, no lease is renewed.
        let is_ours = is_read && account.lease_holder.as_ref() == Some(&worker.holder);
        show(metrics::LEASE_HELD, name, i64::from(is_ours));
    }
}

/// All codes, since alerts need a final zero.
fn show_problems(name: &str, account: &AccountStatus) {
    for code in ProblemCode::ALL {
        let stands = account
            .problems
            .iter()
            .any(|problem| problem.known() == Some(code));
        let labels = [
            ("account", name.to_owned()),
            ("code", code.as_str().to_owned()),
            ("severity", code.severity().as_str().to_owned()),
        ];
        ::metrics::gauge!(metrics::PROBLEM, &labels).set(f64::from(u8::from(stands)));
    }
}

fn show_worker(worker: &AccountWorker) {
    let name = &worker.api.account().name;
    let stalled = ::metrics::gauge!(metrics::STALLED, "account" => name.clone());
    stalled.set(worker.liveness.idle_for().as_secs_f64());
    let stalled_after = ::metrics::gauge!(metrics::STALLED_AFTER, "account" => name.clone());
    stalled_after.set(worker.stalled_after().as_secs_f64());
    let spent = worker.api.budget_uses();
    for span in BudgetSpan::ALL {
        let of_span = spent.iter().find(|spent| spent.span == span);
        let (used, limit) = of_span.map_or((0, 0), |spent| (spent.used, spent.limit));
        for (metric, requests) in [(metrics::BUDGET_USED, used), (metrics::BUDGET_LIMIT, limit)] {
            let requests = u32::try_from(requests).unwrap_or(u32::MAX);
            ::metrics::gauge!(metric, "account" => name.clone(), "span" => span.as_str()).set(requests);
        }
    }
}

fn show_connections(metric: &'static str, state: Option<&'static str>, connections: u32) {
    let gauge = match state {
        Some(state) => ::metrics::gauge!(metric, "state" => state),
        None => ::metrics::gauge!(metric),
    };
    gauge.set(connections);
}
