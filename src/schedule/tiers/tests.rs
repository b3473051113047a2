//! Tier order and retries.

mod noon;

use super::*;

use noon::{Script, Warnings, at_noon, ring_when_due, two_tiers};

const MINUTE: Duration = Duration::from_secs(60);

async fn log(script: Script, minutes: u32) -> Vec<String> {
    let (refresher, fake) = at_noon(script, two_tiers(), None);
    for Tier { every, bell, .. } in &refresher.tiers {
        tokio::spawn(ring_when_due(
            every.clone(),
            Bell::clone(bell),
            Arc::clone(&fake.clock),
        ));
    }
    let ended = tokio::time::timeout(MINUTE * minutes, refresher.answer()).await;
    assert!(ended.is_err(), "the runner ended by itself");
    fake.log.lock().unwrap().clone()
}

fn succeeds(minutes: u32) -> (Duration, Option<Outcome>) {
    (MINUTE * minutes, Some(Outcome::Succeeded))
}

#[tokio::test(start_paused = true)]
async fn every_tier_runs_at_the_start_since_its_last_ring_and_then_when_it_rings() {
    let want = [
        "12:00:00 2h since 11:47:00",
        "12:01:00 24h since 11:23:00",
        "12:02:00 2h since 12:02:00",
        "12:17:00 2h since 12:17:00",
        "12:23:00 24h since 12:23:00",
    ];
    assert_eq!(log(|_, _| succeeds(1), 30).await, want);
}

#[tokio::test(start_paused = true)]
async fn a_larger_tier_makes_way_for_a_smaller_one_and_goes_on_with_its_instant() {
    let script: Script = |hours, _| succeeds(if hours == 2 { 1 } else { 100 });
    let want = [
        "12:00:00 2h since 11:47:00",
        "12:01:00 24h since 11:23:00",
        "12:02:00 stopped",
        "12:02:00 2h since 12:02:00",
        "12:03:00 24h since 11:23:00",
        "12:17:00 stopped",
        "12:17:00 2h since 12:17:00",
        "12:18:00 24h since 11:23:00",
        "12:32:00 stopped",
        "12:32:00 2h since 12:32:00",
        "12:33:00 24h since 11:23:00",
    ];
    let warnings = Warnings::default();
    let listening = warnings.listen();
    assert_eq!(log(script, 40).await, want);
    drop(listening);
    let late = "a refresh tier did not finish before its next ring".to_owned();
    assert_eq!(
        warnings.lines(),
        [(late, 24 * 60, "2026-01-05T11:23:00Z".to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn a_tier_that_takes_longer_than_its_period_leaves_the_others_their_turn() {
    let script: Script = |hours, _| succeeds(if hours == 2 { 20 } else { 5 });
    let want = [
        "12:00:00 2h since 11:47:00",
        "12:20:00 24h since 11:23:00",
        "12:32:00 2h since 12:32:00",
    ];
    let warnings = Warnings::default();
    let listening = warnings.listen();
    assert_eq!(log(script, 46).await, want);
    drop(listening);
    let late: Vec<i64> = warnings
        .lines()
        .into_iter()
        .map(|(_, lookback, _)| lookback)
        .collect();
    assert_eq!(late, [120, 120, 24 * 60], "at 12:02, 12:17 and 12:23");
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_tried_again_after_ever_longer_rests_that_a_ring_ends() {
    let fails: Script = |hours, _| match hours {
        2 => (Duration::ZERO, Some(Outcome::Failed)),
        _ => succeeds(0),
    };
    let panics: Script = |hours, _| match hours {
        2 => (Duration::ZERO, None),
        _ => succeeds(0),
    };
    let want = [
        "12:00:00 2h since 11:47:00",
        "12:00:00 24h since 11:23:00",
        "12:01:00 2h since 11:47:00",
        "12:02:00 2h since 12:02:00",
        "12:06:00 2h since 12:02:00",
        "12:14:00 2h since 12:02:00",
        "12:17:00 2h since 12:17:00",
        "12:23:00 2h since 12:17:00",
        "12:23:00 24h since 12:23:00",
    ];
    for script in [fails, panics] {
        assert_eq!(log(script, 24).await, want);
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_another_worker_has_is_tried_again_when_its_lease_may_be_over() {
    let script: Script = |_, nth| match nth {
        1 => (Duration::ZERO, Some(Outcome::Skipped)),
        2 => (Duration::ZERO, Some(Outcome::Interrupted)),
        _ => succeeds(0),
    };
    let want = [
        "12:00:00 2h since 11:47:00",
        "12:00:30 2h since 11:47:00",
        "12:01:00 2h since 11:47:00",
        "12:01:00 24h since 11:23:00",
        "12:01:30 24h since 11:23:00",
    ];
    assert_eq!(log(script, 2).await[..5], want);
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_never_comes_is_answered_all_the_same() {
    let (refresher, fake) = at_noon(|_, _| succeeds(0), two_tiers(), None);
    let warnings = Warnings::default();
    let listening = warnings.listen();
    let ended = tokio::time::timeout(MINUTE * 20, refresher.answer()).await;
    assert!(ended.is_err());
    drop(listening);
    let missed = (
        "the scheduler did not ring, refreshing all the same".to_owned(),
        120,
        String::new(),
    );
    assert_eq!(warnings.lines(), [missed.clone(), missed]);
    let log = fake.log.lock().unwrap().clone();
    let minutes: Vec<&str> = log.iter().map(|line| &line[..5]).collect();
    assert_eq!(minutes, ["12:00", "12:00", "12:03", "12:18"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_holds_up_no_tier() {
    let (refresher, fake) = at_noon(|_, _| succeeds(0), two_tiers(), None);
    let set_back = async {
        tokio::time::sleep(MINUTE).await;
        fake.clock.set_back(TimeDelta::hours(1));
    };
    let answering = tokio::time::timeout(MINUTE * 30, refresher.answer());
    assert!(tokio::join!(answering, set_back).0.is_err());
    let log = fake.log.lock().unwrap().clone();
    let run: Vec<&str> = log.iter().map(|line| &line[..12]).collect();
    let (start, after) = run.split_at(2);
    assert_eq!(start, ["12:00:00 2h ", "12:00:00 24h"]);
    let minutes = |lookback: &str| -> Vec<&str> {
        let of_tier = after.iter().filter(|line| line.contains(lookback));
        of_tier.map(|line| &line[..5]).collect()
    };
    assert_eq!(minutes(" 24h"), ["11:24"], "{log:?}");
    assert!(minutes(" 2h").ends_with(&["11:03", "11:18"]), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_comes_after_it_was_missed_is_no_reason_to_complain() {
    let (refresher, _) = at_noon(|_, _| succeeds(5), two_tiers(), None);
    let bell = Bell::clone(&refresher.tiers[0].bell);
    let warnings = Warnings::default();
    let listening = warnings.listen();
    let late = async {
        tokio::time::sleep(MINUTE * 20).await;
        bell.notify_one();
    };
    let answering = tokio::time::timeout(MINUTE * 22, refresher.answer());
    assert!(tokio::join!(answering, late).0.is_err());
    drop(listening);
    let complaints = warnings
        .lines()
        .into_iter()
        .filter(|(_, _, since)| !since.is_empty());
    let since: Vec<String> = complaints.map(|(_, _, since)| since).collect();
    assert_eq!(
        since,
        ["2026-01-05T11:47:00Z"],
        "that of 12:02, when noon's run was not done"
    );
}

#[tokio::test(start_paused = true)]
async fn open_sessions_are_followed_by_the_smallest_lookback_alone() {
    let (refresher, fake) = at_noon(|_, _| succeeds(0), two_tiers(), Some(TimeDelta::hours(72)));
    let ended = tokio::time::timeout(MINUTE, refresher.answer()).await;
    assert!(ended.is_err());
    let want = [
        "12:00:00 2h since 11:47:00, open since 02th 12:00:00",
        "12:00:00 24h since 11:23:00",
    ];
    assert_eq!(*fake.log.lock().unwrap(), want);
}

#[tokio::test(start_paused = true)]
async fn the_runner_ends_when_it_is_told_to_and_with_it_the_run_in_hand() {
    for minutes in [5, 1_000] {
        let script: Script = |_, _| succeeds(60);
        let (refresher, fake) = at_noon(script, two_tiers(), None);
        let stop = refresher.stop.clone();
        let answering = tokio::spawn(refresher.answer());
        tokio::time::sleep(MINUTE * minutes).await;
        stop.cancel();
        tokio::time::timeout(MINUTE, answering).await.unwrap().unwrap();
        assert!(fake.log.lock().unwrap().last().unwrap().ends_with("stopped"));
    }
}

#[tokio::test(start_paused = true)]
async fn without_tiers_the_runner_waits_to_be_told_to_end() {
    let (refresher, fake) = at_noon(|_, _| succeeds(0), Vec::new(), None);
    let stop = refresher.stop.clone();
    let answering = tokio::spawn(refresher.answer());
    tokio::time::sleep(MINUTE * 1_000).await;
    assert!(!answering.is_finished());
    stop.cancel();
    answering.await.unwrap();
    assert!(fake.log.lock().unwrap().is_empty());
}

#[test]
fn what_is_due_for_one_pass_makes_way_for_what_is_smaller() {
    let tier = |every: &str, hours| RefreshTier {
        name: format!("{hours}h"),
        every: Cron::parse(every).unwrap(),
        lookback: TimeDelta::hours(hours),
    };
    let tiers = [tier("0 2,17,32,47 * * * *", 2), tier("0 23 * * * *", 24)];
    let at = |time: &str| {
        DateTime::parse_from_rfc3339(&format!("2026-01-05T{time}Z"))
            .unwrap()
            .to_utc()
    };
    let due: Vec<DueRefresh> = due_now(&tiers, Some(TimeDelta::hours(72)), at("12:00:00")).collect();
    let job = |hours, since, is_smallest: bool| Job::Refresh {
        policy: format!("{hours}h"),
        lookback: TimeDelta::hours(hours),
        since: at(since),
        open_since: is_smallest.then(|| at("12:00:00") - TimeDelta::hours(72)),
        unsettled: is_smallest,
    };
    let due_refresh = |job, makes_way_at| DueRefresh { job, makes_way_at };
    assert_eq!(
        due,
        [
            due_refresh(job(2, "11:47:00", true), None),
            due_refresh(job(24, "11:23:00", false), Some(at("12:02:00"))),
        ]
    );
}
