use super::*;

use Priority::{Head, Other};

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
