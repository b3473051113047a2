//! Answers that are kept back for as long as a test needs.

use smartassist_simulator::Seed;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, day, monday, simulator, until};

#[tokio::test]
async fn an_answer_is_held_until_it_is_let_go_and_others_are_not() {
    let simulator = simulator(10).await;
    let client = Client::new(&simulator);
    let hold = CancellationToken::new();
    simulator.world().hold = Some(hold.clone());
    let (day, later) = (day(), async {
        until("a request", async || simulator.world().counters().in_flight == 1).await;
        simulator.world().hold = None;
        let more = Seed::new(2, monday(), monday() + chrono::TimeDelta::hours(1), 5);
        simulator.world().seed(&more);
        let others = client.ids("", &day()).await.len();
        let in_flight = simulator.world().counters().in_flight;
        hold.cancel();
        (others, in_flight)
    });
    let (held, (others, in_flight)) = tokio::join!(client.ids("", &day), later);
    assert_eq!((others, in_flight), (15, 1), "another one was answered meanwhile");
    assert_eq!(held.len(), 10, "it says what was there when it was asked for");
}
