use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing::warn;

use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::runs::{self, Preparation};
use crate::ledger::{LoadError, accounts, conflict, recent_counts};
use crate::telemetry::chain;
use crate::warehouse::left_out;

use super::super::account::AccountContext;
use super::super::density::Density;
use super::super::plan::head;
use super::super::read::ApiProfile;
use super::{DEFAULT_START, HeldLease};

/// About two weeks of polls.
const WINDOWS_REMEMBERED: i64 = 4_000;

pub(super) struct Prepared {
    pub(super) kept_from: Option<DateTime<Utc>>,
    pub(super) watermark: DateTime<Utc>,
    pub(super) profile: ApiProfile,
    pub(super) known: ApiProfile,
    pub(super) density: Density,
}

/// Why it cannot is a problem until a run has begun: no run tells it.
pub(super) async fn prepare(account: &AccountContext, held: &HeldLease) -> Result<Prepared, LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    let prepared = prepared(account, held).await;
    match &prepared {
        Ok(_) => {
            problems::clear(pool, account_id, ProblemCode::CannotBegin).await?;
        }
        Err(LoadError::LeaseLost) => {}
        Err(error) if error.is_unreachable() => {}
        Err(error) => {
            let why = chain(error).to_string();
            // The first error is the one to tell.
            problems::raise(pool, account_id, ProblemCode::CannotBegin, &why)
                .await
                .ok();
        }
    }
    prepared
}

async fn prepared(account: &AccountContext, held: &HeldLease) -> Result<Prepared, LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    let kept_from = account.kept_from().await?;
    left_out::check_key(pool, account.settings.policy.key.as_ref()).await?;
    accounts::check(pool, account_id).await?;
    let at = account.clock.now();
    let preparation = Preparation {
        account: account.api.account(),
        default_start: head(at - DEFAULT_START, Duration::ZERO),
        kept_from,
        at,
    };
    let preparing = || runs::prepare(pool, &held.lease, &preparation);
    let ready = conflict::retry(account.name(), preparing).await?;
    if ready.coverage_began_anew {
        warn!("the account's filters have changed: coverage begins anew, everything is read again");
    }
    // Unreadable (newer version, manual edit): learn again.
    let known: ApiProfile =
        serde_json::from_value(accounts::traits(pool, account_id).await?).unwrap_or_default();
    let mut density = Density::default();
    for (window, records) in recent_counts(pool, account_id, WINDOWS_REMEMBERED).await? {
        density.observe_count(window, records);
    }
    Ok(Prepared {
        kept_from,
        watermark: ready.watermark,
        profile: known.clone().of_an_earlier_process(),
        known,
        density,
    })
}
