//! An account's problems, and the standing they give. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::ledger::gaps;
use crate::ledger::problems::{Problem, ProblemCode, Severity};
use crate::ledger::status::{AccountStatus, RequestStatus, RunStatus};
use crate::telemetry::{grouped, plural, second, span};
use crate::time::NORMAL_SKEW;

/// Fewer refused requests in an hour are normal.
const FEW_REFUSED_REQUESTS: i64 = 3;
/// Fewer than one in these are normal.
const ONE_REFUSED_IN: i64 = 20;

const LARGE_SKEW: TimeDelta = TimeDelta::seconds(300);

const STALL_REMEDY: &str = "read the log from then on; a run that hangs is ended and started again by itself, `doctor` tests what it needs";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Everything due is loaded.
    Complete,
    /// What is due is being loaded.
    CatchingUp,
    Warning,
    /// Data is missing, late or wrong.
    Trouble,
}

impl Standing {
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CatchingUp => "catching up",
            Self::Warning => "needs a look",
            Self::Trouble => "in trouble",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    pub lag: TimeDelta,
    /// Allowed without progress.
    pub stall: TimeDelta,
}

#[derive(Debug, Clone, Default)]
pub struct WorkerState {
    /// With work, but nothing stored.
    pub idle_for: TimeDelta,
    pub has_stalled: bool,
    /// Of the newest poll.
    pub problem: Option<Problem>,
}

/// Worst first.
pub fn problems(
    account: &AccountStatus,
    inside: Option<&WorkerState>,
    tolerance: Tolerance,
    now: DateTime<Utc>,
) -> Vec<Problem> {
    let failure = failed_poll(account, inside);
    let stall = stall(account, inside, tolerance);
    let is_explained = failure.is_some() || stall.is_some();
    let is_told_by_worker = inside.is_some_and(|inside| inside.problem.is_some());
    let standing = account.standing_problems.iter();
    let standing = standing.filter(|one| !is_told_by_worker || one.code != ProblemCode::CannotBegin.as_str());
    let mut problems: Vec<Problem> = [
        failure,
        failed_refresh(account),
        stall,
        gap(account),
        late(account, tolerance, now).filter(|_| !is_explained),
        holes(account),
        api_clock(account),
        rate_limit(account),
        rejected(account),
        replay(account, tolerance),
    ]
    .into_iter()
    .flatten()
    .chain(standing.cloned())
    .collect();
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
}

pub fn standing(account: &AccountStatus, problems: &[Problem], tolerance: Tolerance) -> Standing {
    match problems.iter().map(|problem| problem.severity).max() {
        Some(Severity::Failed) => Standing::Trouble,
        Some(Severity::Warning) => Standing::Warning,
        _ if account.lag_seconds > tolerance.lag.num_seconds() => Standing::CatchingUp,
        _ => Standing::Complete,
    }
}

/// Except replays.
pub fn work(account: &AccountStatus) -> impl Iterator<Item = &RunStatus> {
    let is_alive = account.lease_holder.is_some();
    account
        .runs
        .iter()
        .filter(move |run| is_alive && run.is_running() && run.kind != "replay")
}

/// Open gaps are a problem of their own.
fn failed_poll(account: &AccountStatus, inside: Option<&WorkerState>) -> Option<Problem> {
    let of_worker = inside.and_then(|inside| inside.problem.clone());
    let (kind, problem) = match of_worker {
        Some(problem) => ("poll", problem),
        None => {
            let poll = account.newest_poll.as_ref().filter(|poll| poll.is_failed())?;
            (poll.kind.as_str(), poll.failure.problem())
        }
    };
    (problem.code != gaps::CODE).then(|| last_failed(kind, problem))
}

/// A gap that a refresh found is listed nowhere else.
fn failed_refresh(account: &AccountStatus) -> Option<Problem> {
    let failed = account.requests.iter().filter_map(RequestStatus::failed_policy);
    let (policies, problems): (Vec<&str>, Vec<Problem>) = failed.unzip();
    let what = format!("refresh ({})", policies.join(", "));
    Some(last_failed(&what, problems.into_iter().next()?))
}

fn last_failed(what: &str, problem: Problem) -> Problem {
    Problem {
        text: format!("the last {what} failed: {}", problem.text),
        ..problem
    }
}

/// The worker's measure wins over the ledger's.
fn stall(account: &AccountStatus, inside: Option<&WorkerState>, tolerance: Tolerance) -> Option<Problem> {
    let stalled = |text| Problem::failed("stalled", text, STALL_REMEDY);
    if let Some(inside) = inside.filter(|inside| !inside.idle_for.is_zero()) {
        let since = span(inside.idle_for.num_seconds());
        let text = format!("stalled: there is work, and nothing was stored for {since}");
        return inside.has_stalled.then(|| stalled(text));
    }
    let quiet = work(account).map(|run| run.quiet_seconds).min()?;
    let text = format!(
        "stalled: the current run has made no progress for {}",
        span(quiet)
    );
    (quiet >= tolerance.stall.num_seconds()).then(|| stalled(text))
}

fn gap(account: &AccountStatus) -> Option<Problem> {
    let next = account
        .next_gap_try_at
        .map(|at| format!(" (tried again from {} on)", second(at)))
        .unwrap_or_default();
    let text = if account.gaps == 1 {
        format!("1 gap: a stretch of which the API does not show all records{next}")
    } else {
        let gaps = grouped(account.gaps);
        format!("{gaps} gaps: stretches of which the API does not show all records{next}")
    };
    (account.gaps > 0).then(|| gaps::problem(text))
}

/// Open gaps stop the watermark; then the newest poll counts.
fn late(account: &AccountStatus, tolerance: Tolerance, now: DateTime<Utc>) -> Option<Problem> {
    // A backfill does not advance the watermark.
    let is_worked_on = work(account).any(|run| matches!(run.kind.as_str(), "poll" | "sync"));
    let polled_at = account.newest_poll.as_ref().and_then(|poll| poll.finished_at);
    let behind = match polled_at {
        Some(at) if account.gaps > 0 => (now - at).num_seconds(),
        // Windows end by the earlier of the two clocks; that they are apart is a problem of its own.
        _ => account.lag_seconds + account.api_clock_ahead_seconds.unwrap_or(0).min(0),
    };
    if is_worked_on || behind <= tolerance.lag.num_seconds() {
        return None;
    }
    let since = account.last_polled_at.map_or_else(
        || "no poll has succeeded yet".to_owned(),
        |at| format!("no poll has succeeded since {}", second(at)),
    );
    Some(Problem::failed(
        "behind",
        format!("{} behind and no run is active: {since}", span(behind)),
        "see that the daemon runs (`smartassist-etl run`, /healthz) and what its log says; `doctor` tests what it needs",
    ))
}

fn holes(account: &AccountStatus) -> Option<Problem> {
    let is_idle = work(account).next().is_none();
    let stretches = plural(account.holes, "stretch", "stretches");
    (account.holes > 0 && is_idle).then(|| {
        Problem::warning(
            "unread",
            format!("{stretches} before the newest loaded instant not read yet"),
            "nothing, unless it stays: the next poll reads what is missing",
        )
    })
}

/// How far a clock is from ours, in words too.
pub fn skew(whose: &str, ahead: TimeDelta, ours: &str) -> (Severity, String) {
    let severity = match ahead.abs() {
        apart if apart <= NORMAL_SKEW => Severity::Ok,
        apart if apart <= LARGE_SKEW => Severity::Warning,
        _ => Severity::Failed,
    };
    let direction = if ahead < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    let apart = span(ahead.abs().num_seconds());
    (
        severity,
        format!("the {whose}'s clock is {apart} {direction} {ours}"),
    )
}

fn api_clock(account: &AccountStatus) -> Option<Problem> {
    let ahead = TimeDelta::try_seconds(account.api_clock_ahead_seconds?)?;
    let (severity, text) = skew("API", ahead, "that of the machine that loads");
    let problem = Problem::warning(
        "clock_skew",
        text,
        "have this machine's clock set by NTP; until then the newest interactions come late",
    );
    (severity > Severity::Ok).then_some(Problem { severity, ..problem })
}

fn rate_limit(account: &AccountStatus) -> Option<Problem> {
    let (refused, all) = (account.rate_limited_last_hour, account.requests_last_hour);
    let is_shared = refused >= FEW_REFUSED_REQUESTS && refused * ONE_REFUSED_IN >= all;
    let (refused, all) = (grouped(refused), grouped(all));
    is_shared.then(|| {
        Problem::warning(
            "rate_limited",
            format!(
                "the API turned away {refused} of {all} requests of the last hour: its rate limit is used up, perhaps by another program"
            ),
            "lower requests_per_minute to what is left for us; data comes later, nothing is lost",
        )
    })
}

fn rejected(account: &AccountStatus) -> Option<Problem> {
    let records = plural(account.rejected_waiting, "record", "records");
    (account.rejected_waiting > 0).then(|| {
        Problem::warning(
            "records_rejected",
            format!("{records} rejected: kept with the reason, without rows"),
            "see smartassist_sync.rejected_records for why; after an upgrade, run `retry-rejected`",
        )
    })
}

fn replay(account: &AccountStatus, tolerance: Tolerance) -> Option<Problem> {
    let replay = account.newest_replay.as_ref()?;
    let is_quiet = replay.quiet_seconds >= tolerance.stall.num_seconds();
    let how = if replay.is_interrupted() {
        "was stopped".to_owned()
    } else if replay.is_running() && is_quiet {
        format!("has made no progress for {}", span(replay.quiet_seconds))
    } else {
        return None;
    };
    Some(Problem::warning(
        "replay_unfinished",
        format!("a replay {how}: rows after that point still follow the former rules"),
        "run `replay` again: it does not rewrite rows that are already right",
    ))
}

#[cfg(test)]
mod tests;
