//! An account: what is needed to work on it, and what is published of the work. Nothing in it changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::extract::ApiClient;
use crate::ledger::LoadError;
use crate::postgres::Pool;
use crate::time::clock::Clock;
use crate::transform::privacy::Policy;
use crate::warehouse::left_out::StoreLimits;
use crate::warehouse::retention;

use super::headway::Headway;
use super::health::{Health, stalled_after};
use super::plan::head;

/// An account.
#[derive(Debug, Clone)]
pub struct AccountContext {
    /// The account's API.
    pub api: Arc<ApiClient>,
    /// The database.
    pub pool: Pool,
    /// Settings.
    pub settings: AccountSettings,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Lease holder name.
    pub holder: String,
    /// Progress of the work.
    pub headway: Arc<watch::Sender<Option<Headway>>>,
    /// How the account's polls stand.
    pub health: Arc<watch::Sender<Health>>,
}

/// How an account is worked on.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// How far behind now windows end.
    pub settle: Duration,
    /// How late an interaction may be published.
    pub late: TimeDelta,
    /// How long bulk missing lasts until it is marked without an operator.
    pub missing_confirm: TimeDelta,
    /// Lease duration without renewal.
    pub lease: Duration,
    /// Allowed time without progress.
    pub stall: Duration,
    /// Whether raw records are kept.
    pub keep_raw: bool,
    /// Maximum age; `None` if unlimited.
    pub retention: Option<TimeDelta>,
    /// Privacy rules.
    pub policy: Arc<Policy>,
}

/// The midnight (UTC) from which interactions are kept.
pub fn kept_from(now: DateTime<Utc>, retention: TimeDelta) -> Option<DateTime<Utc>> {
    let kept = now.checked_sub_signed(retention)?;
    Some(kept.date_naive().and_time(NaiveTime::MIN).and_utc())
}

impl AccountContext {
    /// Takes leases as `holder`.
    pub fn new(
        api: ApiClient,
        pool: Pool,
        settings: AccountSettings,
        clock: Arc<dyn Clock>,
        holder: String,
    ) -> Self {
        Self {
            api: Arc::new(api),
            pool,
            settings,
            clock,
            holder,
            headway: Arc::new(watch::Sender::new(None)),
            health: Arc::new(watch::Sender::new(Health::default())),
        }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.api.account().name
    }

    /// Its id at the API.
    pub fn account_id(&self) -> &str {
        &self.api.account().account_id
    }

    /// Allowed time without progress.
    pub fn stalled_after(&self) -> Duration {
        stalled_after(self.settings.stall, self.api.account().limits)
    }

    /// How its polls stand.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// The oldest start that is kept now, by the earlier of all clocks.
    pub(super) async fn kept_from(&self) -> Result<Option<DateTime<Utc>>, LoadError> {
        let Some(retention) = self.settings.retention else {
            return Ok(None);
        };
        let now = self.clock.now().min(self.api.now());
        let now = retention::cautious_now(&self.pool, now).await?;
        Ok(kept_from(now, retention))
    }

    /// Follows the slower clock, ours or the API's.
    pub(super) fn head(&self) -> DateTime<Utc> {
        self.head_at(Instant::now())
    }

    pub(super) fn head_at(&self, then: Instant) -> DateTime<Utc> {
        let now = self.clock.now().min(self.api.now());
        let ago = self.clock.elapsed(then);
        head(now, self.settings.settle.saturating_add(ago))
    }

    pub(super) fn limits_of_storing(&self, kept_from: Option<DateTime<Utc>>) -> StoreLimits<'_> {
        StoreLimits {
            account_id: self.account_id(),
            key: self.settings.policy.key.as_ref(),
            kept_from,
        }
    }
}
