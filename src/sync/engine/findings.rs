//! What a run showed.

use tracing::{error, info, warn};

use crate::ledger::gaps::{self, Gap};
use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::runs::Kind;
use crate::ledger::{LoadError, Purpose, accounts, conflict};
use crate::telemetry;
use crate::warehouse::{bulk, moved};

use super::super::account::AccountContext;
use super::super::report::RunReport;
use super::super::time_zone::{TimeZoneVerdict, Witness};
use super::close::Closing;

const REQUESTS_THAT_SHOW_ROOM: u64 = 120;

impl Closing {
    pub(super) async fn look_back(&self, report: &mut RunReport) -> Result<bool, LoadError> {
        let reads_again = self.remember_profile().await?;
        let gaps = self.tell_gaps(report).await?;
        self.settle_missing(report).await?;
        self.judge_api(&gaps, report).await?;
        if let Some(minutes) = self.time_zone.minutes() {
            telemetry::time_zone(self.account.name(), minutes);
        }
        self.review_time_zone().await?;
        Ok(reads_again)
    }

    async fn remember_profile(&self) -> Result<bool, LoadError> {
        let Some(json) = &self.new_profile else {
            return Ok(false);
        };
        let remembering = || accounts::remember_traits(&self.account.pool, &self.lease, json);
        let remembered = conflict::retry(self.account.name(), remembering).await?;
        let (windows, watermark) = (remembered.withdrawn, remembered.watermark);
        if windows > 0 {
            warn!(
                windows,
                watermark = %telemetry::instant(watermark),
                "the API pages otherwise than was thought: windows that may lack records are read again"
            );
        }
        Ok(windows > 0)
    }

    async fn settle_missing(&self, report: &mut RunReport) -> Result<(), LoadError> {
        let Some(run) = self
            .run
            .as_ref()
            .filter(|_| self.ends_request || self.request.is_none())
        else {
            return Ok(());
        };
        let ending = bulk::Ending {
            lease: &self.lease,
            run_id: run.id,
            request_id: self.request.as_ref().map(|request| request.id),
            confirm_after: self.account.sync.missing_confirm,
            at: self.account.clock.now(),
        };
        let settling = || bulk::settle(&self.account.pool, &ending);
        let marked = conflict::retry(self.account.name(), settling).await?;
        report.counters.missing += marked;
        let withheld = bulk::review(&self.account.pool, self.account.account_id()).await?;
        if marked + withheld > 0 {
            info!(marked, withheld, "interactions are no longer returned by the API");
        }
        Ok(())
    }

    /// A command reports the gaps in what it asked for; returns all.
    pub(super) async fn tell_gaps(&self, report: &mut RunReport) -> Result<Vec<Gap>, LoadError> {
        let concerns = |gap: &&Gap| match (&self.request, self.kind) {
            (None, Kind::Sync) => gap.wanted,
            (Some(request), _) if matches!(request.purpose, Purpose::Backfill | Purpose::Repair) => {
                gap.window.overlaps(request.range)
            }
            _ => false,
        };
        let open = gaps::open(&self.account.pool, self.account.account_id()).await?;
        let gaps: Vec<&Gap> = open.iter().filter(concerns).collect();
        if !gaps.is_empty() {
            let wanted = gaps.iter().filter(|gap| gap.wanted);
            let next_try = wanted.map(|gap| gap.next_try_at).min();
            warn!(
                gaps = gaps.len(),
                next_try_at = next_try.map(telemetry::instant),
                "gaps remain: records are missing"
            );
            report.remaining_gaps(gaps.len());
        }
        Ok(open)
    }

    async fn judge_api(&self, gaps: &[Gap], report: &RunReport) -> Result<(), LoadError> {
        let account = &self.account;
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

        for (code, is_seen) in [
            (ProblemCode::RecordsOutsideWindow, self.ignores_range),
            (ProblemCode::ElementsWithoutId, false),
        ] {
            let is_of_it = |gap: &&Gap| gap.wanted && gap.error_code.as_deref() == Some(code.as_str());
            let gaps = gaps.iter().filter(is_of_it).count();
            let detail = (is_seen || gaps > 0).then(|| format!("gaps: {gaps}"));
            judge(account, code, detail.as_deref()).await?;
        }

        let shows_room = report.counters.requests >= REQUESTS_THAT_SHOW_ROOM;
        if account.api.budget.was_hour_used_up() {
            judge(account, ProblemCode::HourlyLimit, Some("")).await?;
        } else if shows_room || account.api.account().limits.per_hour > 0 {
            judge(account, ProblemCode::HourlyLimit, None).await?;
        }
        Ok(())
    }

    async fn review_time_zone(&self) -> Result<(), LoadError> {
        let (pool, account_id) = (&self.account.pool, self.account.account_id());
        let offset = self.account.api.account().time_zone_offset;
        match self.time_zone {
            TimeZoneVerdict::Disagrees {
                minutes,
                records,
                witness,
            } => {
                let fitting = self.time_zone.fitting_offset(offset).unwrap_or_default();
                error!(
                    minutes,
                    records,
                    witness = witness.words(),
                    time_zone_offset = offset,
                    fitting_time_zone_offset = fitting,
                    remedy = ProblemCode::TimeZone.problem().remedy,
                    "time stamps disagree"
                );
                let detail = format!(
                    "{} are {minutes} min later than time stamps without a zone, in {records} records; \
                     time_zone_offset = {fitting} fits",
                    witness.words()
                );
                problems::raise(pool, account_id, ProblemCode::TimeZone, &detail).await?;
                Ok(())
            }
            TimeZoneVerdict::Agrees { witness, .. } => {
                let by_ids = witness == Witness::SessionIds;
                if by_ids && !self.newest_agree {
                    return Ok(());
                }
                moved::agrees(pool, account_id, by_ids).await
            }
            TimeZoneVerdict::Unknown => moved::forget_old(pool, account_id).await,
        }
    }
}

async fn judge(account: &AccountContext, code: ProblemCode, detail: Option<&str>) -> Result<(), LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    match detail {
        Some(detail) => problems::raise(pool, account_id, code, detail).await?,
        None => problems::clear(pool, account_id, code).await?,
    };
    Ok(())
}
