//! The tiers from noon on, on a clock that stands until everybody waits, with a worker that only
//! takes its time.

use std::sync::Mutex;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A wall clock that goes with the runtime's.
#[derive(Debug)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> DateTime<Utc> {
        let noon = DateTime::parse_from_rfc3339("2026-01-05T12:00:00Z")
            .unwrap()
            .to_utc();
        noon + self.0.elapsed()
    }
}

/// How long a run takes and how it ends, by its lookback in hours and how many of that there were.
type Script = fn(i64, usize) -> (Duration, Option<Outcome>);

/// Writes down what it is asked to do.
#[derive(Clone)]
struct Fake {
    clock: Arc<dyn Clock>,
    script: Script,
    lookbacks: Arc<Mutex<Vec<i64>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn note(&self, what: &str) {
        let line = format!("{} {what}", self.clock.now().format("%T"));
        self.log.lock().unwrap().push(line);
    }
}

impl Runs for Fake {
    async fn run(&self, job: Job, stop: CancellationToken) -> Option<Outcome> {
        let Job::Refresh {
            lookback,
            since,
            open_since,
        } = job
        else {
            panic!("{job:?}");
        };
        let hours = lookback.num_hours();
        let open = open_since.map_or(String::new(), |at| {
            format!(", open since {}", at.format("%dth %T"))
        });
        self.note(&format!("{hours}h since {}{open}", since.format("%T")));
        let nth = {
            let mut lookbacks = self.lookbacks.lock().unwrap();
            lookbacks.push(hours);
            lookbacks.iter().filter(|other| **other == hours).count()
        };
        let (takes, outcome) = (self.script)(hours, nth);
        match stop.run_until_cancelled(tokio::time::sleep(takes)).await {
            Some(()) => outcome,
            None => {
                self.note("stopped");
                Some(Outcome::Interrupted)
            }
        }
    }

    fn account(&self) -> &'static str {
        "main"
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// Two tiers: 2 h each quarter hour, and 24 h hourly.
fn two_tiers() -> Vec<Tier> {
    // In this order, since who builds them need not know of any.
    [("0 23 * * * *", 24), ("0 2,17,32,47 * * * *", 2)]
        .map(|(every, hours)| Tier {
            every: Cron::parse(every).unwrap(),
            lookback: TimeDelta::hours(hours),
            bell: Bell::default(),
        })
        .into()
}

/// Rings when due, in place of the scheduler.
async fn ring_when_due(every: Cron, bell: Bell, clock: Arc<dyn Clock>) {
    loop {
        let now = clock.now();
        let wait = every.next_after(now).unwrap() - now;
        tokio::time::sleep(wait.to_std().unwrap()).await;
        bell.notify_one();
    }
}

/// A runner at noon, and its worker.
fn at_noon(script: Script, tiers: Vec<Tier>, follow_open: Option<TimeDelta>) -> (Refresher<Fake>, Fake) {
    let clock: Arc<dyn Clock> = Arc::new(RuntimeClock(Instant::now()));
    let fake = Fake {
        clock: Arc::clone(&clock),
        script,
        lookbacks: Arc::default(),
        log: Arc::default(),
    };
    let stop = CancellationToken::new();
    (
        Refresher::new(fake.clone(), tiers, follow_open, clock, stop),
        fake,
    )
}

/// What two tiers do in the first minutes after noon.
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
    // The larger one needs more than the smaller ones leave it; its own ring changes nothing.
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
    assert_eq!(log(script, 40).await, want);
}

#[tokio::test(start_paused = true)]
async fn a_tier_that_takes_longer_than_its_period_leaves_the_others_their_turn() {
    let script: Script = |hours, _| succeeds(if hours == 2 { 20 } else { 5 });
    let want = [
        "12:00:00 2h since 11:47:00",
        "12:20:00 24h since 11:23:00",
        "12:32:00 2h since 12:32:00",
    ];
    assert_eq!(log(script, 50).await, want);
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
        "12:02:00 2h since 11:47:00",
        "12:06:00 2h since 11:47:00",
        "12:14:00 2h since 11:47:00",
        "12:17:00 2h since 11:47:00",
        "12:23:00 2h since 11:47:00",
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
        // The lease was lost on the way.
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
    let ended = tokio::time::timeout(MINUTE * 20, refresher.answer()).await;
    assert!(ended.is_err());
    let log = fake.log.lock().unwrap().clone();
    let minutes: Vec<&str> = log.iter().map(|line| &line[..5]).collect();
    assert_eq!(minutes, ["12:00", "12:00", "12:03", "12:18"]);
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
