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

/// What is needed to work on an account, and what is published of the work.
#[derive(Debug, Clone)]
pub struct AccountContext {
    pub api: Arc<ApiClient>,
    pub pool: Pool,
    pub settings: AccountSettings,
    pub clock: Arc<dyn Clock>,
    pub holder: String,
    pub headway: Arc<watch::Sender<Option<Headway>>>,
    pub health: Arc<watch::Sender<Health>>,
}

#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// How far behind now windows end: the API shows data late.
    pub settle: Duration,
    /// How late an interaction may be published.
    pub late: TimeDelta,
    /// How long bulk missing lasts until it is marked without an operator.
    pub missing_confirm: TimeDelta,
    pub lease: Duration,
    /// Allowed without progress.
    pub stall: Duration,
    pub keep_raw: bool,
    /// `None`: for ever.
    pub retention: Option<TimeDelta>,
    pub policy: Arc<Policy>,
}

/// The midnight (UTC) from which interactions are kept.
pub fn kept_from(now: DateTime<Utc>, retention: TimeDelta) -> Option<DateTime<Utc>> {
    let kept = now.checked_sub_signed(retention)?;
    Some(kept.date_naive().and_time(NaiveTime::MIN).and_utc())
}

impl AccountContext {
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

    /// As configured.
    pub fn name(&self) -> &str {
        &self.api.account().name
    }

    /// As the API knows it.
    pub fn account_id(&self) -> &str {
        &self.api.account().account_id
    }

    pub fn stalled_after(&self) -> Duration {
        stalled_after(self.settings.stall, self.api.account().limits)
    }

    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// By the earlier of all clocks, since deletion is final.
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
