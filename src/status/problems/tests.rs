use serde_json::{Value, json};

use crate::config::Config;
use crate::ledger::status::StoredFailure;

use super::*;

const TOLERANCE: Tolerance = Tolerance {
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
    let mut run =
        json!({ "kind": kind, "status": status, "started_at": now(), "rate_limited": 0, "quiet_seconds": 1 });
    for count in counts {
        run[count] = Value::from(0);
    }
    serde_json::from_value(run).unwrap()
}

fn account(runs: Vec<RunStatus>) -> AccountStatus {
    AccountStatus {
        name: "main".to_owned(),
        account_id: "acct".to_owned(),
        start_from: now() - TimeDelta::days(30),
        served_from: None,
        watermark: now() - TimeDelta::minutes(3),
        settled_through: now() - TimeDelta::minutes(45),
        filters: None,
        lag_seconds: 180,
        last_polled_at: Some(now() - TimeDelta::minutes(1)),
        holes: 0,
        gaps: 0,
        next_gap_try_at: None,
        interactions: 10,
        rejected_waiting: 0,
        drifted_fields: 0,
        rebuild_from: None,
        requests_last_minute: 1,
        requests_last_hour: 100,
        rate_limited_last_hour: 0,
        api_clock_ahead_seconds: Some(0),
        time_zone_disagreement_minutes: Some(0),
        lease_holder: None,
        runs,
        newest_poll: None,
        newest_replay: None,
        requests: Vec::new(),
        standing_problems: Vec::new(),
    }
}

fn ended(status: &str) -> RunStatus {
    RunStatus {
        finished_at: Some(now() - TimeDelta::minutes(1)),
        failure: StoredFailure {
            error_code: Some("api_transport".to_owned()),
            error: Some("it broke".to_owned()),
            remedy: Some("mend it".to_owned()),
        },
        ..run("poll", status)
    }
}

fn request(policy: &str, error_code: Option<&str>, error: Option<&str>) -> RequestStatus {
    serde_json::from_value(json!({
        "id": 1, "purpose": "refresh", "policy": policy, "state": "open", "start": now(), "end": now(), "percent": 5,
        "requested_by": "somebody", "requested_at": now(), "error_code": error_code, "error": error,
    }))
    .unwrap()
}

fn judged(account: &AccountStatus, inside: Option<&WorkerState>) -> (Standing, String) {
    let problems = problems(account, inside, TOLERANCE, now());
    let said: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
    (standing(account, &problems, TOLERANCE), said.join("; "))
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
    assert!(said.starts_with("1 d behind and no run is active"), "{said}");
}

#[test]
fn an_api_whose_clock_is_behind_makes_no_daemon_late() {
    let mut polled = account(vec![run("poll", "succeeded")]);
    (polled.lag_seconds, polled.api_clock_ahead_seconds) = (3_800, Some(-3_600));
    let (_, said) = judged(&polled, None);
    assert!(said.contains("the API's clock is 1 h behind"), "{said}");
    assert!(!said.contains("no run is active"), "{said}");
    polled.lag_seconds = 86_400;
    assert!(judged(&polled, None).1.contains("no run is active"));
}

#[test]
fn a_refresh_that_fails_is_told_though_polls_go_well() {
    let mut refreshed = account(vec![run("poll", "succeeded")]);
    refreshed.newest_poll = Some(ended("succeeded"));
    let (code, error) = (Some("api_transport"), Some("it broke"));
    refreshed.requests = vec![request("weekly", None, None), request("daily", code, error)];
    let told = "the last refresh (daily) failed: it broke".to_owned();
    assert_eq!(judged(&refreshed, None), (Standing::Trouble, told));
    let gap = request("hourly", Some(gaps::CODE), Some("too many"));
    refreshed.requests.insert(0, gap);
    let (_, said) = judged(&refreshed, None);
    assert_eq!(
        said, "the last refresh (hourly, daily) failed: too many",
        "its gap is in no list"
    );
}

#[test]
fn a_poll_that_failed_is_told_until_one_goes_well() {
    let mut polled = account(Vec::new());
    polled.newest_poll = Some(ended("failed"));
    let told = (Standing::Trouble, "the last poll failed: it broke".to_owned());
    assert_eq!(judged(&polled, None), told);
    polled.newest_poll = Some(ended("succeeded"));
    assert_eq!(judged(&polled, None).0, Standing::Complete);
}

#[test]
fn a_run_that_cannot_begin_is_told_once() {
    let mut polled = account(vec![run("poll", "succeeded")]);
    polled.standing_problems = vec![ProblemCode::CannotBegin.problem()];
    let cannot = ProblemCode::CannotBegin.problem().text;
    assert_eq!(judged(&polled, None), (Standing::Trouble, cannot));
    let worker = WorkerState {
        problem: Some(Problem::failed("erasure_key", "another key", "")),
        ..WorkerState::default()
    };
    let told = "the last poll failed: another key".to_owned();
    assert_eq!(judged(&polled, Some(&worker)), (Standing::Trouble, told));
}

#[test]
fn a_gap_hides_no_daemon_that_has_stopped() {
    let mut with_gap = account(vec![run("poll", "succeeded")]);
    (with_gap.gaps, with_gap.lag_seconds) = (1, 500_000);
    with_gap.last_polled_at = Some(now() - TimeDelta::days(6));
    let mut met_it = ended("failed");
    met_it.failure.error_code = Some(gaps::CODE.to_owned());
    with_gap.newest_poll = Some(met_it.clone());
    let (_, said) = judged(&with_gap, None);
    assert_eq!(
        said,
        "1 gap: a stretch of which the API does not show all records"
    );
    with_gap.newest_poll = Some(RunStatus {
        finished_at: Some(now() - TimeDelta::days(3)),
        ..met_it
    });
    let (_, said) = judged(&with_gap, None);
    assert!(said.contains("3 d behind and no run is active"), "{said}");
}

#[test]
fn a_worker_knows_its_own_stall_and_others_use_the_ledger() {
    let mut quiet = account(vec![run("poll", "running")]);
    quiet.lease_holder = Some("somebody".to_owned());
    quiet.runs[0].quiet_seconds = 1_200;
    assert!(judged(&quiet, None).1.starts_with("stalled: "));
    let waits = WorkerState {
        idle_for: TimeDelta::minutes(20),
        ..WorkerState::default()
    };
    assert_eq!(
        judged(&quiet, Some(&waits)).0,
        Standing::Complete,
        "it waits for its budget"
    );
    let hangs = WorkerState {
        has_stalled: true,
        ..waits
    };
    assert!(judged(&quiet, Some(&hangs)).1.starts_with("stalled: "));
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
fn a_skew_of_an_hour_and_a_standing_problem_are_trouble() {
    let mut off = account(vec![run("poll", "succeeded")]);
    off.api_clock_ahead_seconds = Some(-90);
    assert_eq!(judged(&off, None).0, Standing::Warning);
    off.api_clock_ahead_seconds = Some(3_600);
    let (standing, said) = judged(&off, None);
    assert_eq!(standing, Standing::Trouble);
    assert!(said.contains("1 h ahead of"), "{said}");
    off.api_clock_ahead_seconds = Some(0);
    let stored = json!({ "code": "time_zone", "detail": "time_zone_offset = 60 fits", "since": now() });
    off.standing_problems = vec![serde_json::from_value(stored).unwrap()];
    let (standing, said) = judged(&off, None);
    assert_eq!(standing, Standing::Trouble);
    assert!(said.contains("time_zone_offset = 60 fits"), "{said}");
}

#[test]
fn what_a_small_budget_needs_for_its_first_window_is_no_stall() {
    let set = [
        ("BASE_URL", "https://example.com"),
        ("ACCOUNT_ID", "acct"),
        ("STREAM_ID", "st"),
        ("CLIENT_ID", "cs"),
        ("CLIENT_SECRET", "0123456789abcdef0123456789abcdef"),
    ];
    let environment = set.map(|(key, value)| {
        let name = format!("SMARTASSIST_ETL__ACCOUNTS__MAIN__{key}");
        (name, value.to_owned())
    });
    let mut config = Config::from_layers(None, environment.into()).unwrap();
    let mut allowed = |per_hour| {
        config.accounts[0].limits.per_hour = per_hour;
        Tolerance::at(now(), &config.sync, Some(config.accounts[0].limits))
    };
    assert_eq!(allowed(0).stall, TimeDelta::seconds(1_200), "the default");
    let allowed = allowed(600);
    assert_eq!(allowed.stall.num_minutes(), 64);
    assert!(allowed.lag > allowed.stall);
    let mut quiet = account(vec![run("poll", "running")]);
    quiet.lease_holder = Some("somebody".to_owned());
    quiet.runs[0].quiet_seconds = 3_600;
    let said = |tolerance| problems(&quiet, None, tolerance, now()).len();
    assert_eq!((said(TOLERANCE), said(allowed)), (1, 0));
}

#[test]
fn a_backfill_of_days_hides_no_daemon_that_has_stopped() {
    let mut stopped = account(vec![run("backfill", "running")]);
    stopped.lease_holder = Some("somebody".to_owned());
    stopped.lag_seconds = 86_400;
    let (standing, said) = judged(&stopped, None);
    assert_eq!(standing, Standing::Trouble);
    assert!(said.starts_with("1 d behind"), "{said}");
}
