//! Turns refresh policies into requests.

use chrono::{DateTime, Utc};
use tracing::warn;

use crate::config::{RefreshPolicy, Selection};
use crate::ledger::requests::{self, NewRequest};
use crate::ledger::{LoadError, Purpose, conflict};
use crate::time::Window;

use super::account::AccountContext;

/// Asks for each policy's last tick, unless it was served.
pub(super) async fn ask_all(account: &AccountContext) -> Result<Vec<i64>, LoadError> {
    let now = account.clock.now();
    let mut asked = Vec::new();
    for policy in &account.sync.policies() {
        if let Some(tick) = policy.every.last_before(now) {
            asked.extend(ask(account, policy, tick, account.head()).await?);
        }
    }
    Ok(asked)
}

pub(super) async fn ask(
    account: &AccountContext,
    policy: &RefreshPolicy,
    tick: DateTime<Utc>,
    head: DateTime<Utc>,
) -> Result<Option<i64>, LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    let back = |span| Window::new(head - span, head);
    let (purpose, ranges) = match policy.selection {
        Selection::Lookback { lookback, late } => {
            let mut ranges = vec![back(lookback)];
            if let Some(late) = late {
                let now = account.clock.now();
                ranges.extend(requests::select_late(pool, account_id, late, now).await?);
            }
            (Purpose::Refresh, ranges)
        }
        Selection::Open { age, beyond } => {
            let range = Window {
                end: head - beyond,
                ..back(age)
            };
            let open = requests::select_open(pool, account_id, range).await?;
            (Purpose::Open, open)
        }
    };
    if ranges.is_empty() {
        return Ok(None);
    }
    let wish = NewRequest {
        due_for: Some(account.clock.now() - tick),
        policy: Some((&policy.name, tick)),
        ..NewRequest::of(purpose, &ranges)
    };
    let asking = || requests::ask(pool, (account_id, &account.holder), &wish);
    let asked = conflict::retry(account.name(), asking).await?;
    if asked.is_some_and(|asked| asked.is_new_tick) {
        warn!(
            account = account.name(),
            policy = policy.name,
            remedy = "see whether its runs fail or wait; else lengthen every or shorten lookback in sync.refresh, or raise requests_per_minute \
                      if the API allows more",
            "a refresh did not finish before its next tick"
        );
    }
    Ok(asked.map(|asked| asked.id))
}
