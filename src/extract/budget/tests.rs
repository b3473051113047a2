use std::cell::{Cell, RefCell};

use proptest::prelude::*;

use super::*;
use Priority::{Head, Other};

fn budget(per_minute: u32, per_hour: u32, max_in_flight: usize) -> Budget {
    Budget::new(limits(per_minute, per_hour, max_in_flight))
}

fn limits(per_minute: u32, per_hour: u32, max_in_flight: usize) -> RequestLimits {
    RequestLimits {
        per_minute,
        per_hour,
        max_in_flight: if max_in_flight == 0 {
            usize::MAX
        } else {
            max_in_flight
        },
    }
}

fn sent(requests_per_minute: u32, latencies: &[u64]) -> Vec<u64> {
    sent_after(&[], requests_per_minute, latencies)
}

fn sent_after(spent: &[(usize, u64)], requests_per_minute: u32, latencies: &[u64]) -> Vec<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let budget = budget(requests_per_minute, 0, 0);
        budget.spent_before(
            spent
                .iter()
                .map(|(requests, ago)| (*requests, Duration::from_millis(*ago))),
        );
        let begin = Instant::now();
        let requests = latencies.iter().map(async |latency| {
            let place = budget.admit(Head).await;
            let sent = begin.elapsed();
            tokio::time::sleep(Duration::from_millis(*latency)).await;
            drop(place);
            u64::try_from(sent.as_millis()).unwrap()
        });
        futures_util::future::join_all(requests).await
    })
}

#[test]
fn a_minutes_requests_may_go_at_once() {
    assert!(sent(60, &[0; 60]).iter().all(|at| *at == 0));
}

#[test]
fn no_request_waits_without_a_limit() {
    assert!(sent(0, &[1_000; 500]).iter().all(|at| *at == 0));
}

#[test]
fn the_sixty_first_waits_for_the_minute_after_the_first_answer() {
    assert_eq!(sent(60, &[200; 61])[60], 60_300);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_every_request_back() {
    let budget = budget(0, 0, 0);
    budget.pause(Duration::from_secs(7));
    budget.pause(Duration::from_secs(3));
    let begin = Instant::now();
    drop(budget.admit(Head).await);
    assert_eq!(begin.elapsed().as_secs(), 7);
}

#[test]
fn what_an_earlier_process_spent_is_waited_for() {
    let sent = sent_after(&[(10, 5_000), (30, 20_000)], 60, &[0; 70]);
    assert!(sent[..20].iter().all(|at| *at == 0), "{sent:?}");
    assert!(sent[20..50].iter().all(|at| *at == 40_100), "{sent:?}");
    assert!(sent[50..60].iter().all(|at| *at == 55_100), "{sent:?}");
    assert!(sent[60..].iter().all(|at| *at == 60_100), "{sent:?}");
}

#[test]
fn what_is_over_or_cannot_be_told_holds_nothing_back() {
    let spent = [(60, 60_100), (60, 3_600_000), (usize::MAX, u64::MAX)];
    assert!(sent_after(&spent, 60, &[0; 60]).iter().all(|at| *at == 0));
    assert_eq!(sent_after(&[(usize::MAX, 1_000)], 0, &[0])[0], 0);
    assert_eq!(sent_after(&[(usize::MAX, 1_000)], 60, &[0])[0], 59_100);
}

#[tokio::test(start_paused = true)]
async fn requests_of_earlier_processes_count_in_the_hourly_budget() {
    let budget = budget(0, 3, 0);
    drop(budget.admit(Head).await);
    tokio::time::advance(Duration::from_secs(10)).await;
    budget.spent_before([(1, Duration::from_secs(600)), (1, Duration::from_secs(3_000))]);
    let begin = Instant::now();
    for after in [600, 3_000, 3_590, 4_200] {
        drop(budget.admit(Head).await);
        assert_eq!(begin.elapsed().as_secs(), after);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_may_be() {
    let budget = budget(0, 0, 2);
    let begin = Instant::now();
    let requests = (0..6).map(async |_| {
        let _place = budget.admit(Head).await;
        let sent = begin.elapsed().as_secs();
        tokio::time::sleep(Duration::from_secs(5)).await;
        sent
    });
    assert_eq!(
        futures_util::future::join_all(requests).await,
        [0, 0, 5, 5, 10, 10]
    );
}

#[tokio::test(start_paused = true)]
async fn a_minutes_requests_are_used_where_there_is_always_work() {
    let budget = budget(60, 0, 4);
    let (begin, hour) = (Instant::now(), Duration::from_secs(3_600));
    let from = Duration::from_secs(600);
    let workers = (0..4).map(async |_| {
        let mut sent = 0_u32;
        while begin.elapsed() < from + hour {
            let _place = budget.admit(Other).await;
            sent += u32::from((from..from + hour).contains(&begin.elapsed()));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        sent
    });
    let sent: u32 = futures_util::future::join_all(workers).await.iter().sum();
    assert!((3_420..=3_600).contains(&sent), "{sent} of 3600");
}

#[tokio::test(start_paused = true)]
async fn the_hour_is_counted_beside_the_minute() {
    let budget = budget(60, 90, 0);
    let begin = Instant::now();
    for _ in 0..91 {
        drop(budget.admit(Head).await);
    }
    assert_eq!(begin.elapsed().as_secs(), 3_600);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_minute_of_the_servers_holds_more_than_the_limit(
        limit in 1_u32..20,
        requests in prop::collection::vec((0_u64..90_000, 0.0_f64..=1.0), 1..80),
    ) {
        let latencies: Vec<u64> = requests.iter().map(|(latency, _)| *latency).collect();
        let mut arrivals: Vec<f64> = sent(limit, &latencies)
            .into_iter()
            .zip(&requests)
            .map(|(sent, (latency, fraction))| sent as f64 + *latency as f64 * fraction)
            .collect();
        arrivals.sort_by(f64::total_cmp);
        for window in arrivals.windows(limit as usize + 1) {
            prop_assert!(window[limit as usize] - window[0] >= 60_000.0);
        }
    }

    #[test]
    fn no_minute_across_a_restart_holds_more_than_the_limit(
        limit in 1_u32..20,
        spent in prop::collection::vec((0_usize..30, 0_u64..90_000), 0..10),
        latencies in prop::collection::vec(0_u64..90_000, 1..60),
    ) {
        let arrivals = sent_after(&spent, limit, &latencies);
        for last in &arrivals {
            let within = |at: i64| (0..60_000).contains(&(last.cast_signed() - at));
            let ours = arrivals.iter().filter(|at| within(at.cast_signed())).count();
            let earlier: usize = spent
                .iter()
                .filter(|(_, ago)| within(-ago.cast_signed()))
                .map(|(requests, _)| requests)
                .sum();
            prop_assert!(ours + earlier <= limit as usize);
        }
    }
}

const A_PAGE: Duration = Duration::from_millis(400);

/// May rest for half a minute after each hundred pages.
async fn backfill(budget: &Budget, sent: &Cell<u32>, rests: bool) {
    for page in 1.. {
        let place = budget.admit(Other).await;
        sent.set(sent.get() + 1);
        tokio::time::sleep(A_PAGE).await;
        drop(place);
        if rests && page % 100 == 0 {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
    }
}

/// Every two minutes, one to nine pages.
async fn polls(budget: &Budget, sent: &Cell<u32>, waits: &RefCell<Vec<Duration>>) {
    for poll in 0.. {
        for _ in 0..=poll % 9 {
            let asked = Instant::now();
            let _place = budget.admit(Head).await;
            waits.borrow_mut().push(asked.elapsed());
            sent.set(sent.get() + 1);
            tokio::time::sleep(A_PAGE).await;
        }
        tokio::time::sleep(Duration::from_secs(120)).await;
    }
}

const HOURS: u32 = 6;

/// The head's longest wait, and the share of the budget used.
async fn beside_backfills(rest: bool) -> (Duration, f64) {
    let (budget, sent, waits) = (budget(60, 0, 4), Cell::new(0), RefCell::new(Vec::new()));
    let all = async {
        tokio::join!(
            backfill(&budget, &sent, rest),
            backfill(&budget, &sent, rest),
            backfill(&budget, &sent, rest),
            polls(&budget, &sent, &waits),
        )
    };
    let _ = tokio::time::timeout(Duration::from_secs(3_600) * HOURS, all).await;
    let waits = waits.into_inner();
    assert!(waits.len() > 600);
    let longest = waits.into_iter().max().unwrap_or_default();
    (longest, f64::from(sent.get()) / f64::from(60 * 60 * HOURS))
}

#[tokio::test(start_paused = true)]
async fn the_head_waits_a_second_and_a_page_while_others_use_the_rest() {
    let (longest, used) = beside_backfills(false).await;
    assert!(longest <= Duration::from_secs(1) + A_PAGE, "{longest:?}");
    assert!(used >= 0.95, "{used}");
    let (longest, _) = beside_backfills(true).await;
    assert!(longest <= Duration::from_secs(1) + A_PAGE, "{longest:?}");
}

const FOR_EVER: Duration = Duration::from_secs(30 * 86_400);

#[derive(Debug, Clone, Copy)]
struct WantedRequest {
    priority: Priority,
    at: u64,
    patience: Option<u64>,
    latency: u64,
}

fn wish(priority: Priority, at: u64) -> WantedRequest {
    WantedRequest {
        priority,
        at,
        patience: None,
        latency: 0,
    }
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    wish: usize,
    sent: u64,
    answered: u64,
}

async fn grant(budget: &Budget, wishes: &[WantedRequest]) -> Vec<Sent> {
    let begin = Instant::now();
    let elapsed = || u64::try_from(begin.elapsed().as_millis()).unwrap();
    let granted = RefCell::new(Vec::new());
    let requests = wishes.iter().enumerate().map(async |(index, wish)| {
        tokio::time::sleep(Duration::from_millis(wish.at)).await;
        let patience = wish.patience.map_or(FOR_EVER, Duration::from_millis);
        let Ok(_place) = tokio::time::timeout(patience, budget.admit(wish.priority)).await else {
            assert!(wish.patience.is_some(), "{index} waits for ever");
            return;
        };
        let sent = elapsed();
        granted.borrow_mut().push(Sent {
            wish: index,
            sent,
            answered: sent + wish.latency,
        });
        tokio::time::sleep(Duration::from_millis(wish.latency)).await;
    });
    futures_util::future::join_all(requests).await;
    granted.into_inner()
}

async fn order(budget: &Budget, wishes: &[WantedRequest]) -> Vec<(usize, u64)> {
    let granted = grant(budget, wishes).await;
    granted
        .iter()
        .map(|sent| (sent.wish, sent.sent / 1_000))
        .collect()
}

fn two_spent() -> Budget {
    let budget = budget(2, 0, 0);
    budget.spent_before([(2, Duration::ZERO)]);
    budget
}

#[tokio::test(start_paused = true)]
async fn live_overtakes_refreshes_that_wait_already() {
    let wishes = [wish(Other, 0), wish(Other, 0), wish(Other, 0), wish(Head, 10_000)];
    let want = [(3, 60), (0, 90), (1, 120), (2, 150)];
    assert_eq!(order(&two_spent(), &wishes).await, want);
}

#[tokio::test(start_paused = true)]
async fn within_a_priority_first_come_is_first_served() {
    let priorities = [Other, Other, Other, Head, Other, Head];
    let wishes: Vec<WantedRequest> = (0..)
        .zip(priorities)
        .map(|(at, priority)| wish(priority, at))
        .collect();
    let want = [(3, 60), (5, 60), (0, 120), (1, 150), (2, 180), (4, 210)];
    assert_eq!(order(&two_spent(), &wishes).await, want);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_holds_nobody_back() {
    for (live, refresh) in [(5, 0), (0, 5)] {
        for patience in [1, 10_000] {
            let gone = WantedRequest {
                patience: Some(patience),
                ..wish(Head, live)
            };
            let wishes = [gone, wish(Other, refresh)];
            assert_eq!(order(&two_spent(), &wishes).await, [(1, 60)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_for_an_end_in_flight_holds_nobody_back() {
    let budget = budget(0, 0, 1);
    let on_its_way = WantedRequest {
        latency: 20_000,
        ..wish(Other, 0)
    };
    let gone = WantedRequest {
        patience: Some(5_000),
        ..wish(Head, 1_000)
    };
    let wishes = [on_its_way, gone, wish(Other, 2_000), wish(Head, 3_000)];
    assert_eq!(order(&budget, &wishes).await, [(0, 0), (3, 20), (2, 20)]);
}

prop_compose! {
    fn any_wish()(
        priority in prop::sample::select(vec![Head, Other]),
        at in 0_u64..120_000,
        patience in prop::option::weighted(0.2, 0_u64..90_000),
        latency in 0_u64..20_000,
    ) -> WantedRequest {
        WantedRequest { priority, at, patience, latency }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_limit_and_every_priority_holds_whatever_comes(
        limit in 1_u32..20,
        max_in_flight in 1_usize..6,
        wishes in prop::collection::vec(any_wish(), 1..80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let granted = runtime.block_on(async { grant(&budget(limit, 0, max_in_flight), &wishes).await });
        for one in &granted {
            let a_minute_from = |at: fn(&Sent) -> u64| granted
                .iter()
                .filter(|other| (at(one)..at(one) + 60_000).contains(&at(other)))
                .count();
            prop_assert!(a_minute_from(|sent| sent.sent) <= limit as usize);
            prop_assert!(a_minute_from(|sent| sent.answered) <= limit as usize);
            let in_flight = granted.iter().filter(|other| (other.sent..other.answered).contains(&one.sent));
            prop_assert!(in_flight.count() <= max_in_flight);
            for later in granted.iter().filter(|later| later.sent > one.sent) {
                let (mine, other) = (wishes[one.wish], wishes[later.wish]);
                let came_before = other.at < one.sent && (other.priority, other.at) < (mine.priority, mine.at);
                prop_assert!(!came_before, "{other:?} was overtaken by {mine:?}");
            }
        }
    }
}
