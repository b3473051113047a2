//! Turns refresh policies into requests.

use chrono::{DateTime, Utc};
use tracing::warn;

use crate::config::{Cron, RefreshPolicy, Selection};
use crate::ledger::requests::{self, NewRequest};
use crate::ledger::{LoadError, Purpose, conflict};
use crate::time::Window;

use super::account::AccountContext;

/// Asks for the last tick of each policy, if it is due and was not served.
pub(super) async fn ask_all(
    account: &AccountContext,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<i64>, LoadError> {
    let mut asked = Vec::new();
    for policy in &account.sync.policies() {
        if let Some(tick) = due(&policy.every, now, since) {
            asked.extend(ask(account, policy, tick, until).await?);
        }
    }
    Ok(asked)
}

/// The last tick, if nobody has looked since. Several missed ticks count as one.
pub(super) fn due(every: &Cron, now: DateTime<Utc>, since: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let tick = every.last_before(now)?;
    // If the clock was set back, the last look lies ahead.
    since
        .is_none_or(|since| since < tick || since > now)
        .then_some(tick)
}

async fn ask(
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn due_at(last_look: &mut Option<DateTime<Utc>>, minute: i64) -> Option<i64> {
        let every = Cron::parse("0 */5 * * * *").unwrap();
        let day = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let now = day + TimeDelta::seconds(minute * 60 + 30);
        let tick = due(&every, now, last_look.replace(now))?;
        Some((tick - day).num_minutes())
    }

    #[test]
    fn each_tick_is_due_once() {
        let mut last_look = None;
        let ticks: Vec<_> = (0..11)
            .filter_map(|minute| due_at(&mut last_look, minute))
            .collect();
        assert_eq!(ticks, [0, 5, 10]);
    }

    #[test]
    fn ticks_that_were_slept_through_are_one() {
        let mut last_look = None;
        due_at(&mut last_look, 0);
        assert_eq!(due_at(&mut last_look, 12 * 60 + 3), Some(12 * 60));
        assert_eq!(due_at(&mut last_look, 12 * 60 + 4), None);
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_tick() {
        let mut last_look = None;
        due_at(&mut last_look, 60);
        assert_eq!(due_at(&mut last_look, 0), Some(0));
        assert_eq!(due_at(&mut last_look, 1), None);
        assert_eq!(due_at(&mut last_look, 5), Some(5));
    }
}
