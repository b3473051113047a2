//! An account's problems and their remedies. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::ledger::gaps;
use crate::ledger::problems::Severity;
use crate::ledger::status::{AccountStatus, RunStatus, Verdict};
use crate::sync::Problem;
use crate::time::clock::Skew;

use crate::telemetry::{grouped, plural, second, span};

const FEW_REFUSALS: i64 = 3;
const REFUSAL_IN: i64 = 20;

/// Severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Information only.
    Note,
    /// Needs a look.
    Warning,
    /// Data is missing, late or wrong.
    Failed,
}

/// What an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// Severity.
    pub level: Level,
    /// The problem, without bodies, values or secrets.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// Overall state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Everything due is loaded.
    Complete,
    /// Loading what is due.
    CatchingUp,
    /// Needs a look.
    Warning,
    /// Data is missing, late or wrong.
    Trouble,
}

impl Standing {
    /// Display text.
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CatchingUp => "catching up",
            Self::Warning => "needs a look",
            Self::Trouble => "in trouble",
        }
    }
}

/// Normal limits.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Lag of the watermark.
    pub lag: TimeDelta,
    /// Time without progress.
    pub stall: TimeDelta,
}

/// Worker state.
#[derive(Debug, Clone, Default)]
pub struct WorkerState {
    /// Time with work but nothing stored.
    pub idle_for: TimeDelta,
    /// Whether `idle_for` is too long.
    pub has_stalled: bool,
    /// Problem of the newest poll.
    pub problem: Option<Problem>,
    /// API clock skew.
    pub api_clock_ahead: Option<TimeDelta>,
}

/// All concerns, worst first.
pub fn concerns(
    account: &AccountStatus,
    inside: Option<&WorkerState>,
    tolerance: Tolerance,
    now: DateTime<Utc>,
) -> Vec<Concern> {
    let failure = failure(account, inside);
    let stall = stall(account, inside, tolerance);
    let is_explained = failure.is_some() || stall.is_some();
    let mut concerns: Vec<Concern> = [
        failure,
        failed_refresh(account),
        stall,
        gap(account),
        late(account, tolerance, now).filter(|_| !is_explained),
        holes(account),
        skew(account, inside),
        rate_limit(account),
        rejected(account),
        drift(account),
    ]
    .into_iter()
    .flatten()
    .chain(standing_problems(account))
    .collect();
    concerns.sort_by_key(|concern| std::cmp::Reverse(concern.level));
    concerns
}

/// Overall state.
pub fn standing(account: &AccountStatus, concerns: &[Concern], tolerance: Tolerance) -> Standing {
    match concerns.iter().map(|concern| concern.level).max() {
        Some(Level::Failed) => Standing::Trouble,
        Some(Level::Warning) => Standing::Warning,
        Some(Level::Note) | None if account.lag_seconds > tolerance.lag.num_seconds() => Standing::CatchingUp,
        Some(Level::Note) | None => Standing::Complete,
    }
}

/// Current runs, except replays.
pub fn work(account: &AccountStatus) -> impl Iterator<Item = &RunStatus> {
    let is_alive = account.lease_holder.is_some();
    account
        .runs
        .iter()
        .filter(move |run| is_alive && run.is_running() && run.kind != "replay")
}

fn concern(level: Level, what: String, remedy: impl Into<String>) -> Option<Concern> {
    Some(Concern {
        level,
        what,
        remedy: remedy.into(),
    })
}

fn failure(account: &AccountStatus, inside: Option<&WorkerState>) -> Option<Concern> {
    let problem = inside.and_then(|inside| inside.problem.as_ref());
    let (kind, error, remedy) = match problem {
        Some(Problem { error, remedy }) => ("poll", error.as_str(), *remedy),
        None => {
            let poll = account.newest_poll.as_ref().filter(|poll| poll.is_failed())?;
            let (error, remedy) = words_of(poll);
            (poll.kind.as_str(), error, remedy)
        }
    };
    if gaps::is_about_gaps(error) {
        return None;
    }
    failed(kind, error, remedy)
}

/// Gaps found here are listed nowhere else.
fn failed_refresh(account: &AccountStatus) -> Option<Concern> {
    let tiers = &account.failed_refreshes;
    let (error, remedy) = words_of(tiers.first()?);
    let lookbacks = tiers.iter().filter_map(|tier| tier.lookback_seconds).map(span);
    let of_tiers = format!("refresh of {}", lookbacks.collect::<Vec<_>>().join(" and of "));
    failed(&of_tiers, error, remedy)
}

fn words_of(verdict: &Verdict) -> (&str, &str) {
    let error = verdict.error.as_deref().unwrap_or("the log says why");
    (error, verdict.remedy.as_deref().unwrap_or_default())
}

fn failed(what: &str, error: &str, remedy: &str) -> Option<Concern> {
    let remedy = if remedy.is_empty() { "see the log" } else { remedy };
    concern(Level::Failed, format!("the last {what} failed: {error}"), remedy)
}

/// The worker's measure wins over the ledger's.
fn stall(account: &AccountStatus, inside: Option<&WorkerState>, tolerance: Tolerance) -> Option<Concern> {
    const REMEDY: &str = "read the log from then on; a run that hangs is ended and begun anew by itself, `doctor` tests what it needs";
    if let Some(inside) = inside.filter(|inside| !inside.idle_for.is_zero()) {
        if !inside.has_stalled {
            return None;
        }
        let since = span(inside.idle_for.num_seconds());
        return concern(
            Level::Failed,
            format!("stalled: there is work, and nothing was stored for {since}"),
            REMEDY,
        );
    }
    let quiet = work(account)
        .filter(|run| run.kind != "verify")
        .map(|run| run.quiet_seconds)
        .min()?;
    if quiet < tolerance.stall.num_seconds() {
        return None;
    }
    let since = span(quiet);
    concern(
        Level::Failed,
        format!("stalled: nothing has come of the run that goes on for {since}"),
        REMEDY,
    )
}

fn gap(account: &AccountStatus) -> Option<Concern> {
    if account.gaps == 0 {
        return None;
    }
    let next = account
        .next_gap_try_at
        .map(|at| format!(" (tried again from {} on)", second(at)))
        .unwrap_or_default();
    let what = if account.gaps == 1 {
        "1 gap: a stretch of which the API does not show all records".to_owned()
    } else {
        format!(
            "{} gaps: stretches of which the API does not show all records",
            grouped(account.gaps)
        )
    };
    concern(Level::Failed, what + &next, gaps::REMEDY)
}

/// Open gaps stop the watermark; then the newest poll counts.
fn late(account: &AccountStatus, tolerance: Tolerance, now: DateTime<Utc>) -> Option<Concern> {
    // A backfill does not advance the watermark.
    let is_worked_on = work(account).any(|run| matches!(run.kind.as_str(), "poll" | "sync"));
    let polled_at = account.newest_poll.as_ref().and_then(|poll| poll.finished_at);
    let behind = match polled_at {
        Some(at) if account.gaps > 0 => (now - at).num_seconds(),
        _ => account.lag_seconds,
    };
    if is_worked_on || behind <= tolerance.lag.num_seconds() {
        return None;
    }
    let since = account.last_polled_at.map_or_else(
        || "no poll has succeeded yet".to_owned(),
        |at| format!("no poll has succeeded since {}", second(at)),
    );
    concern(
        Level::Failed,
        format!("{} behind, and nobody works on it: {since}", span(behind)),
        "see that the daemon runs (`smartassist-etl run`, /healthz) and what its log says; `doctor` tests what it needs",
    )
}

fn holes(account: &AccountStatus) -> Option<Concern> {
    if account.holes == 0 || work(account).next().is_some() {
        return None;
    }
    let stretches = plural(account.holes, "stretch", "stretches");
    concern(
        Level::Warning,
        format!("{stretches} before the newest loaded instant not read yet"),
        "nothing, unless it stays: the next poll reads what is missing",
    )
}

fn skew(account: &AccountStatus, inside: Option<&WorkerState>) -> Option<Concern> {
    let of_books = account.api_clock_ahead_seconds.and_then(TimeDelta::try_seconds);
    // A standby's own measurement may be old.
    let ahead = of_books.or(inside.and_then(|inside| inside.api_clock_ahead))?;
    let level = match Skew::of(ahead) {
        Skew::Small => return None,
        Skew::Notable => Level::Warning,
        Skew::Large => Level::Failed,
    };
    let direction = if ahead < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    let apart = span(ahead.abs().num_seconds());
    concern(
        level,
        format!("the API's clock is {apart} {direction} that of the machine that loads"),
        "have this machine's clock set by NTP; until then the newest interactions come late",
    )
}

fn rate_limit(account: &AccountStatus) -> Option<Concern> {
    let (refused, all) = (account.rate_limited_last_hour, account.requests_last_hour);
    if refused < FEW_REFUSALS || refused * REFUSAL_IN < all {
        return None;
    }
    concern(
        Level::Warning,
        format!(
            "the API turned away {} of {} requests of the last hour: its rate limit is used up, perhaps by another program",
            grouped(refused),
            grouped(all)
        ),
        "lower requests_per_minute to what is left for us; nothing is lost meanwhile, only late",
    )
}

fn rejected(account: &AccountStatus) -> Option<Concern> {
    if account.rejected_waiting == 0 {
        return None;
    }
    concern(
        Level::Warning,
        format!(
            "{} set aside: they could not become rows",
            plural(account.rejected_waiting, "record", "records")
        ),
        "see smartassist_sync.rejected_records for why; after an upgrade, run `retry-rejected`",
    )
}

fn standing_problems(account: &AccountStatus) -> impl Iterator<Item = Concern> {
    account.problems.iter().map(|problem| Concern {
        level: match problem.severity() {
            Severity::Failed => Level::Failed,
            Severity::Warning => Level::Warning,
        },
        what: problem.text(),
        remedy: problem.remedy().to_owned(),
    })
}

fn drift(account: &AccountStatus) -> Option<Concern> {
    if account.drifted_fields == 0 {
        return None;
    }
    concern(
        Level::Note,
        format!(
            "the API sends {} that this version does not know",
            plural(account.drifted_fields, "field", "fields")
        ),
        "nothing is lost: smartassist_sync.schema_drift names them, and their values are in the column extra; look for a newer version",
    )
}

#[cfg(test)]
mod tests;
