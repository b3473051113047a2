//! What is wrong with an account, in order of weight, and what to do about it. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::load::gaps;
use crate::load::status::{AccountStatus, RunStatus};
use crate::sync::Problem;

use super::text::{grouped, plural, second, span};

/// Clocks that are further apart are worth a word, and by more still something is wrong.
const NOTABLE_SKEW: TimeDelta = TimeDelta::seconds(60);
const LARGE_SKEW: TimeDelta = TimeDelta::minutes(5);

/// So many requests that were turned away in an hour, and one in so many, are worth a word.
const FEW_REFUSALS: i64 = 3;
const REFUSAL_IN: i64 = 20;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Note,
    /// It works, but somebody should look.
    Warning,
    /// Data is missing, late or wrong.
    Failed,
}

/// Something that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// How bad it is.
    pub level: Level,
    /// What is wrong, without bodies, values or secrets.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// How an account stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// All that should be loaded by now is.
    Complete,
    /// Somebody works on what is not.
    CatchingUp,
    /// It works, but somebody should look.
    Warning,
    /// Data is missing, late or wrong.
    Trouble,
}

impl Standing {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CatchingUp => "catching up",
            Self::Warning => "needs a look",
            Self::Trouble => "in trouble",
        }
    }
}

/// What may be expected of a daemon, as it is configured.
#[derive(Debug, Clone, Copy)]
pub struct Expectation {
    /// How far the watermark may be behind now.
    pub lag: TimeDelta,
    /// How long there may be work and nothing come of it.
    pub stall: TimeDelta,
}

/// What the process that works on an account knows beside the books.
#[derive(Debug, Clone, Default)]
pub struct Inside {
    /// For how long there has been work and nothing was stored.
    pub idle_for: TimeDelta,
    /// Whether that is too long.
    pub has_stalled: bool,
    /// What was wrong with its newest poll.
    pub problem: Option<Problem>,
    /// By how much the API's clock is ahead.
    pub api_clock_ahead: Option<TimeDelta>,
}

/// Everything that is wrong with an account, worst first.
pub fn concerns(
    account: &AccountStatus,
    inside: Option<&Inside>,
    expected: Expectation,
    now: DateTime<Utc>,
) -> Vec<Concern> {
    let failure = failure(account, inside);
    let stall = stall(account, inside, expected);
    let is_explained = failure.is_some() || stall.is_some();
    let mut concerns: Vec<Concern> = [
        failure,
        failed_refresh(account),
        stall,
        gap(account),
        late(account, expected, now).filter(|_| !is_explained),
        holes(account),
        time_zone(account),
        skew(account, inside),
        rate_limit(account),
        rejected(account),
        drift(account),
    ]
    .into_iter()
    .flatten()
    .collect();
    concerns.sort_by_key(|concern| std::cmp::Reverse(concern.level));
    concerns
}

/// The word for it all.
pub fn standing(account: &AccountStatus, concerns: &[Concern], expected: Expectation) -> Standing {
    match concerns.iter().map(|concern| concern.level).max() {
        Some(Level::Failed) => Standing::Trouble,
        Some(Level::Warning) => Standing::Warning,
        Some(Level::Note) | None if account.lag_seconds > expected.lag.num_seconds() => Standing::CatchingUp,
        Some(Level::Note) | None => Standing::Complete,
    }
}

/// The runs that go on now. One whose worker has no lease any more has died; a replay has none, and
/// shows how far it is where it was begun.
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

/// The newest poll that came to an end did not go well. Gaps have words of their own.
fn failure(account: &AccountStatus, inside: Option<&Inside>) -> Option<Concern> {
    if let Some(Problem { error, remedy }) = inside.and_then(|inside| inside.problem.as_ref()) {
        return words_of_failure("poll", error, remedy);
    }
    newest_failed(account, &["poll", "sync"])
}

/// The newest refresh that came to an end did not go well: what changes is not read again.
fn failed_refresh(account: &AccountStatus) -> Option<Concern> {
    newest_failed(account, &["refresh"])
}

/// One that was interrupted tells nothing.
fn newest_failed(account: &AccountStatus, kinds: &[&str]) -> Option<Concern> {
    let has_ended = |run: &&RunStatus| matches!(run.status.as_str(), "succeeded" | "failed");
    let mut ended = account.runs.iter().filter(has_ended);
    let newest = ended.find(|run| kinds.contains(&run.kind.as_str()))?;
    if newest.status != "failed" {
        return None;
    }
    let error = newest.error.as_deref().unwrap_or("the log says why");
    words_of_failure(&newest.kind, error, newest.remedy.as_deref().unwrap_or_default())
}

fn words_of_failure(kind: &str, error: &str, remedy: &str) -> Option<Concern> {
    if gaps::is_about_gaps(error) {
        return None;
    }
    let remedy = if remedy.is_empty() { "see the log" } else { remedy };
    concern(Level::Failed, format!("the last {kind} failed: {error}"), remedy)
}

/// Whoever works knows best. Others go by the run that has last finished a window.
fn stall(account: &AccountStatus, inside: Option<&Inside>, expected: Expectation) -> Option<Concern> {
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
    if quiet < expected.stall.num_seconds() {
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

/// A gap holds the watermark by itself, so then only polls tell whether anybody loads.
fn late(account: &AccountStatus, expected: Expectation, now: DateTime<Utc>) -> Option<Concern> {
    let is_worked_on = work(account).next().is_some();
    let behind = match account.last_polled_at {
        Some(at) if account.gaps > 0 => (now - at).num_seconds(),
        _ => account.lag_seconds,
    };
    if is_worked_on || behind <= expected.lag.num_seconds() {
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

/// Each gap is a hole too.
fn holes(account: &AccountStatus) -> Option<Concern> {
    let holes = account.holes - account.gaps;
    if holes <= 0 || work(account).next().is_some() {
        return None;
    }
    let stretches = plural(holes, "stretch", "stretches");
    concern(
        Level::Warning,
        format!("{stretches} before the newest loaded instant not read yet"),
        "nothing, unless it stays: the next poll reads what is missing",
    )
}

fn time_zone(account: &AccountStatus) -> Option<Concern> {
    let minutes = account
        .time_zone_disagreement_minutes
        .filter(|minutes| *minutes != 0)?;
    concern(
        Level::Failed,
        format!(
            "time stamps with a zone are {minutes} min later than those without: sessions are stored at wrong instants"
        ),
        "set time_zone_offset to 0, or ask the vendor which zone its stamps are in; read again with `backfill --refetch` once it is mended",
    )
}

fn skew(account: &AccountStatus, inside: Option<&Inside>) -> Option<Concern> {
    let of_books = account.api_clock_ahead_seconds.and_then(TimeDelta::try_seconds);
    // What a replica that stands by saw last may be long ago.
    let ahead = of_books.or(inside.and_then(|inside| inside.api_clock_ahead))?;
    if ahead.abs() < NOTABLE_SKEW {
        return None;
    }
    let level = if ahead.abs() < LARGE_SKEW {
        Level::Warning
    } else {
        Level::Failed
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
        "nothing is lost, their values are in the column extra; look for a newer version",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const EXPECTED: Expectation = Expectation {
        lag: TimeDelta::minutes(20),
        stall: TimeDelta::minutes(15),
    };

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn run(kind: &str, status: &str) -> RunStatus {
        let counts = [
            "windows",
            "requests",
            "records",
            "inserted",
            "updated",
            "unchanged",
            "rejected",
            "retries",
        ];
        let mut run = json!({ "kind": kind, "status": status, "started_at": now(), "rate_limited": 0, "quiet_seconds": 1 });
        for count in counts {
            run[count] = Value::from(0);
        }
        serde_json::from_value(run).unwrap()
    }

    fn failed(kind: &str) -> RunStatus {
        RunStatus {
            error: Some("it broke".to_owned()),
            remedy: Some("mend it".to_owned()),
            ..run(kind, "failed")
        }
    }

    /// An account that was polled a minute ago.
    fn account(runs: Vec<RunStatus>) -> AccountStatus {
        AccountStatus {
            name: "main".to_owned(),
            account_id: "acct".to_owned(),
            start_from: now() - TimeDelta::days(30),
            watermark: now() - TimeDelta::minutes(3),
            lag_seconds: 180,
            last_polled_at: Some(now() - TimeDelta::minutes(1)),
            holes: 0,
            gaps: 0,
            next_gap_try_at: None,
            interactions: 10,
            rejected_waiting: 0,
            drifted_fields: 0,
            requests_last_minute: 1,
            requests_last_hour: 100,
            rate_limited_last_hour: 0,
            api_clock_ahead_seconds: Some(0),
            time_zone_disagreement_minutes: Some(0),
            lease_holder: None,
            last_run_kind: None,
            last_run_status: None,
            last_run_started_at: None,
            last_run_error: None,
            last_run_remedy: None,
            runs,
        }
    }

    fn judged(account: &AccountStatus, inside: Option<&Inside>) -> (Standing, String) {
        let concerns = concerns(account, inside, EXPECTED, now());
        let said = concerns
            .iter()
            .map(|concern| concern.what.as_str())
            .collect::<Vec<_>>();
        (standing(account, &concerns, EXPECTED), said.join("; "))
    }

    #[test]
    fn an_account_that_was_polled_just_now_is_complete() {
        let polled = account(vec![run("poll", "succeeded")]);
        assert_eq!(judged(&polled, None), (Standing::Complete, String::new()));
    }

    #[test]
    fn a_first_load_of_days_is_catching_up_and_a_standstill_is_not() {
        let mut loading = account(vec![run("poll", "running"), run("refresh", "interrupted")]);
        loading.lag_seconds = 86_400;
        loading.lease_holder = Some("somebody".to_owned());
        assert_eq!(judged(&loading, None).0, Standing::CatchingUp);
        loading.lease_holder = None;
        let (standing, said) = judged(&loading, None);
        assert_eq!(standing, Standing::Trouble);
        assert!(said.starts_with("1 d behind, and nobody works on it"), "{said}");
    }

    #[test]
    fn a_refresh_that_fails_is_told_though_polls_go_well() {
        let runs = vec![
            run("poll", "succeeded"),
            run("refresh", "interrupted"),
            failed("refresh"),
        ];
        let (standing, said) = judged(&account(runs), None);
        assert_eq!(
            (standing, said.as_str()),
            (Standing::Trouble, "the last refresh failed: it broke")
        );
        let mended = vec![
            run("refresh", "succeeded"),
            failed("refresh"),
            run("poll", "succeeded"),
        ];
        assert_eq!(judged(&account(mended), None).0, Standing::Complete);
    }

    #[test]
    fn a_gap_hides_no_daemon_that_has_stopped() {
        let mut with_gap = account(vec![run("poll", "succeeded")]);
        (with_gap.gaps, with_gap.holes, with_gap.lag_seconds) = (1, 1, 500_000);
        let (_, said) = judged(&with_gap, None);
        assert_eq!(
            said,
            "1 gap: a stretch of which the API does not show all records"
        );
        with_gap.last_polled_at = Some(now() - TimeDelta::days(3));
        let (_, said) = judged(&with_gap, None);
        assert!(said.contains("3 d behind, and nobody works on it"), "{said}");
    }

    #[test]
    fn whoever_works_knows_whether_it_stalls_and_others_go_by_the_books() {
        let mut quiet = account(vec![run("poll", "running")]);
        quiet.lease_holder = Some("somebody".to_owned());
        quiet.runs[0].quiet_seconds = 1_200;
        assert!(judged(&quiet, None).1.starts_with("stalled: "));
        let waits = Inside {
            idle_for: TimeDelta::minutes(20),
            ..Inside::default()
        };
        assert_eq!(
            judged(&quiet, Some(&waits)).0,
            Standing::Complete,
            "it waits for its budget"
        );
        let hangs = Inside {
            has_stalled: true,
            ..waits
        };
        assert!(judged(&quiet, Some(&hangs)).1.starts_with("stalled: "));
        quiet.runs[0].kind = "verify".to_owned();
        assert_eq!(
            judged(&quiet, None).0,
            Standing::Complete,
            "verifying notes no progress"
        );
    }

    #[test]
    fn a_refusal_now_and_then_is_no_shared_limit() {
        let mut busy = account(vec![run("poll", "succeeded")]);
        (busy.requests_last_hour, busy.rate_limited_last_hour) = (3_000, 3);
        assert_eq!(judged(&busy, None).0, Standing::Complete);
        busy.rate_limited_last_hour = 200;
        assert_eq!(judged(&busy, None).0, Standing::Warning);
    }

    #[test]
    fn clocks_that_differ_by_an_hour_and_stamps_that_disagree_are_trouble() {
        let mut off = account(vec![run("poll", "succeeded")]);
        off.api_clock_ahead_seconds = Some(-90);
        assert_eq!(judged(&off, None).0, Standing::Warning);
        off.api_clock_ahead_seconds = Some(3_600);
        let (standing, said) = judged(&off, None);
        assert_eq!(standing, Standing::Trouble);
        assert!(said.contains("1 h ahead of"), "{said}");
        off.api_clock_ahead_seconds = Some(0);
        off.time_zone_disagreement_minutes = Some(60);
        assert_eq!(judged(&off, None).0, Standing::Trouble);
    }
}
