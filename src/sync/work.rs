//! The work of an open run: plan, drive, review.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::BudgetSpan;
use crate::ledger::conflict;
use crate::ledger::gaps;
use crate::ledger::problems::{self, ProblemCode};
use crate::ledger::runs::OpenRun;
use crate::ledger::wanted::{self, Wanted};
use crate::ledger::{LoadError, accounts, recent_counts, spent_by_others};
use crate::telemetry;
use crate::time::pulse::Pulse;
use crate::time::window::Window;
use crate::warehouse::bulk;
use crate::warehouse::moved;

use super::density::Density;
use super::drive::{Drive, Ends};
use super::job::Job;
use super::lease::Held;
use super::plan::{Limits, Planner};
use super::report::Progress;
use super::run::AccountWorker;
use super::time_zone::{TimeZoneVerdict, Witness};
use super::traits::ApiTraits;
use super::window::Books;

/// About two weeks of polls.
const WINDOWS_REMEMBERED: i64 = 4_000;

pub(super) struct Task<'a> {
    pub(super) held: &'a Held,
    pub(super) run: &'a OpenRun,
    pub(super) job: &'a Job,
    pub(super) pulse: &'a Arc<Pulse>,
    pub(super) until: DateTime<Utc>,
    pub(super) stop: &'a CancellationToken,
}

pub(super) struct Agenda {
    known: ApiTraits,
    gaps: Vec<Window>,
    stretches: Vec<Window>,
}

impl Agenda {
    pub(super) fn is_empty_for(&self, job: &Job) -> bool {
        self.stretches.is_empty() && (self.gaps.is_empty() || !job.answers_for_gaps())
    }
}

impl AccountWorker {
    pub(super) async fn agenda(
        &self,
        job: &Job,
        wanted: Vec<Wanted>,
        until: DateTime<Utc>,
    ) -> Result<Agenda, LoadError> {
        let account_id = &self.api.account().account_id;
        let known = self.learn_from_books(account_id).await?;
        let gaps = gaps::open(&self.pool, account_id).await?;
        let mut unread = Vec::new();
        for wanted in &wanted {
            unread.extend(wanted::unread(&self.pool, account_id, wanted, until, self.settings.settle).await?);
        }
        let mut stretches = from(self.kept_from(), unread);
        if matches!(job, Job::Refresh { .. }) {
            let history = accounts::history(&self.pool, account_id).await?;
            stretches = from(history.map(|history| history.served_from), stretches);
        }
        stretches.sort_unstable();
        Ok(Agenda {
            known,
            gaps: gaps.iter().map(|gap| gap.window).collect(),
            stretches,
        })
    }

    pub(super) async fn work(
        &self,
        task: &Task<'_>,
        agenda: Agenda,
        progress: &mut Progress,
    ) -> Result<(), LoadError> {
        let Agenda {
            known,
            gaps,
            stretches,
        } = agenda;
        self.traits.learn(ApiTraits::begin_run);
        let planner = Planner::new(&stretches, &gaps, self.density(), self.limits());
        let (records, windows) = planner.expected_left();
        info!(
            stretches = stretches.len(),
            windows_expected = windows,
            records_expected = records.round().abs(),
            watermark = %telemetry::instant(progress.watermark),
            "run started"
        );
        let books = Books {
            worker: self,
            lease: &task.held.lease,
            run_id: task.run.id,
        };
        self.try_history(task, &books, progress).await?;
        let mut drive = Drive::new(books, task, planner, gaps);
        let ends = Ends {
            stop: task.stop.clone(),
            lost: task.held.lost.clone(),
        };
        let driven = drive.run(progress, &ends).await;
        *self.density.lock().unwrap_or_else(PoisonError::into_inner) = Some(drive.planner.density.clone());
        driven?;
        if task.stop.is_cancelled() {
            progress.interrupted("told to stop");
        } else if drive.gives_way && !progress.tried_all {
            progress.give_way();
        }
        self.remember_traits(task, &known, progress).await?;
        self.look_back(task, progress).await
    }

    pub(super) fn limits(&self) -> Limits {
        let traits = self.traits.get();
        Limits {
            reach: traits.reach() as u64,
            totals: traits.gives_totals(),
            longest: traits.longest_window(),
            time_zone_offset: self.api.account().time_zone_offset,
        }
    }

    fn knows_density(&self) -> bool {
        self.density
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    pub(super) fn density(&self) -> Density {
        self.density
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .unwrap_or_default()
    }

    /// Learns once per process; returns the stored traits.
    pub(super) async fn learn_from_books(&self, account_id: &str) -> Result<ApiTraits, LoadError> {
        let stored = accounts::traits(&self.pool, account_id).await?;
        // Unreadable (newer version, manual edit): learn again.
        let known: ApiTraits = serde_json::from_value(stored).unwrap_or_default();
        if !self.knows_density() {
            self.traits.set(ApiTraits {
                refusal_is_stale: true,
                ..known.clone()
            });
            let mut density = Density::default();
            for (window, records) in recent_counts(&self.pool, account_id, WINDOWS_REMEMBERED).await? {
                density.observe_count(window, records);
            }
            *self.density.lock().unwrap_or_else(PoisonError::into_inner) = Some(density);
        }
        Ok(known)
    }

    async fn remember_traits(
        &self,
        task: &Task<'_>,
        known: &ApiTraits,
        progress: &Progress,
    ) -> Result<(), LoadError> {
        self.traits.learn(|traits| {
            if std::mem::take(&mut traits.length_is_doubtful) {
                traits.longest_window_seconds = known.longest_window_seconds;
            }
        });
        // JSON omits what is of this process.
        let json = serde_json::to_value(self.traits.get()).unwrap_or_default();
        let is_told = progress.counters.records > 0 || self.traits.get().range != known.range;
        if !is_told || serde_json::to_value(known).is_ok_and(|known| known == json) {
            return Ok(());
        }
        let remembering = || accounts::remember_traits(&self.pool, &task.held.lease, &json);
        conflict::retry(&self.api.account().name, remembering).await
    }

    async fn look_back(&self, task: &Task<'_>, progress: &mut Progress) -> Result<(), LoadError> {
        let account = self.api.account();
        let mut concerning = gaps::open(&self.pool, &task.held.lease.account_id).await?;
        concerning.retain(|gap| match task.job.range(task.until) {
            None => gap.wanted,
            Some(range) => gap.window.start < range.end && range.start < gap.window.end,
        });
        if !concerning.is_empty() && task.job.answers_for_gaps() {
            let wanted = concerning.iter().filter(|gap| gap.wanted);
            let next_try = wanted.map(|gap| gap.next_try_at).min();
            warn!(
                gaps = concerning.len(),
                next_try_at = next_try.map(telemetry::instant),
                "gaps remain: records are missing"
            );
            progress.remaining_gaps(concerning.len());
        }
        bulk::review(&self.pool, &task.held.lease.account_id).await?;
        self.judge_api(progress).await?;
        let verdict = self.time_zone.verdict();
        if let Some(minutes) = verdict.minutes() {
            telemetry::time_zone(&account.name, minutes);
        }
        self.review_time_zone(&task.held.lease.account_id, verdict).await
    }

    async fn review_time_zone(&self, account_id: &str, verdict: TimeZoneVerdict) -> Result<(), LoadError> {
        let offset = self.api.account().time_zone_offset;
        match verdict {
            TimeZoneVerdict::Disagrees {
                minutes,
                records,
                witness,
            } => {
                let fitting = verdict.fitting_offset(offset).unwrap_or_default();
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
                problems::raise(&self.pool, account_id, ProblemCode::TimeZone, &detail).await?;
                Ok(())
            }
            TimeZoneVerdict::Agrees { witness, .. } => {
                let by_ids = witness == Witness::SessionIds;
                if by_ids && !self.time_zone.newest_agree() {
                    return Ok(());
                }
                moved::agrees(&self.pool, account_id, by_ids).await
            }
            TimeZoneVerdict::Unknown => moved::forget_old(&self.pool, account_id).await,
        }
    }

    /// First the last hour: the API's minute does not start with ours.
    pub(super) async fn learn_what_others_spent(&self) -> Result<(), LoadError> {
        let account = self.api.account();
        let mut learned = self.spent_learned_at.lock().await;
        let now = Instant::now();
        let since = learned.map_or(BudgetSpan::LONGEST.length(), |at| now - at);
        let spent = spent_by_others(&self.pool, &account.account_id, &self.holder, since).await?;
        self.api.remember_spent(spent);
        *learned = Some(now);
        Ok(())
    }
}

fn from(kept_from: Option<DateTime<Utc>>, stretches: Vec<Window>) -> Vec<Window> {
    let Some(from) = kept_from else { return stretches };
    let kept = stretches.into_iter().filter(|stretch| stretch.end > from);
    kept.map(|stretch| Window {
        start: stretch.start.max(from),
        ..stretch
    })
    .collect()
}
