use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::{LoadError, accounts, gaps};
use crate::telemetry;

use super::super::account::AccountContext;
use super::super::report::Progress;

const REQUESTS_THAT_SHOW_ROOM: u64 = 120;

pub(super) async fn judge_api(
    account: &AccountContext,
    ignores_range: bool,
    progress: &Progress,
) -> Result<(), LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    let history = accounts::history(pool, account_id).await?;
    let unserved = history.filter(|history| history.is_wanted);
    let detail = unserved.map(|history| {
        format!(
            "nothing before {} is served",
            telemetry::instant(history.served_from)
        )
    });
    judge(account, ProblemCode::HistoryNotServed, detail.as_deref()).await?;

    // A refresh reads covered windows, which have no gaps.
    for (code, is_seen) in [
        (ProblemCode::RecordsOutsideWindow, ignores_range),
        (ProblemCode::ElementsWithoutId, false),
    ] {
        let gaps = gaps::count_of(pool, account_id, code).await?;
        let detail = (is_seen || gaps > 0).then(|| format!("gaps: {gaps}"));
        judge(account, code, detail.as_deref()).await?;
    }

    let shows_room = progress.counters.requests >= REQUESTS_THAT_SHOW_ROOM;
    if account.api.was_hour_used_up() {
        judge(account, ProblemCode::HourlyLimit, Some("")).await?;
    } else if shows_room || account.api.account().limits.per_hour > 0 {
        judge(account, ProblemCode::HourlyLimit, None).await?;
    }
    Ok(())
}

async fn judge(account: &AccountContext, code: ProblemCode, detail: Option<&str>) -> Result<(), LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    match detail {
        Some(detail) => problems::raise(pool, account_id, code, detail).await?,
        None => problems::clear(pool, account_id, code).await?,
    };
    Ok(())
}
