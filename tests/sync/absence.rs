//! A source that loses much, or all, for a while: nothing is marked before somebody has looked, and what
//! is really gone is marked in the end.

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::warehouse::bulk;
use smartassist_simulator::Behaviour;

use super::past::Past;

const ACCOUNT: &str = "acct-sim";
const MISSING: &str = "select count(*) from smartassist.sessions where missing_since is not null";
const PROBLEM: &str =
    "select coalesce(string_agg(code || ': ' || detail, '; '), '') from smartassist_sync.problems";

/// So many hours of polls and refreshes as by default, looked at each hour.
async fn hours(past: &Past, hours: usize) {
    for _ in 0..hours {
        past.pass(TimeDelta::hours(1)).await;
        assert_eq!(past.catch_up().await.outcome, Outcome::Succeeded);
    }
}

fn answers_nothing(past: &Past, is_so: bool) {
    past.setup.simulator.world().set_behaviour(Behaviour {
        empty_answers: is_so,
        ..Behaviour::default()
    });
}

#[tokio::test]
async fn two_days_of_empty_answers_mark_nothing() {
    let past = Past::of(300).await;
    let untouched = past.versions_but(&[]).await;
    let seen = "select count(*) from smartassist_bi.interactions";
    assert_eq!(past.database.number(seen).await, 300);
    answers_nothing(&past, true);
    hours(&past, 48).await;
    assert_eq!(past.database.number(MISSING).await, 0);
    assert_eq!(past.versions_but(&[]).await, untouched);
    assert_eq!(past.database.number(seen).await, 300);
    let (withheld, _) = bulk::withheld(&past.database.pool, ACCOUNT).await.unwrap();
    assert!(withheld > 100, "{withheld}");
    let problem = past.database.text(PROBLEM).await;
    assert!(
        problem.starts_with(&format!(
            "bulk_missing: {withheld} interactions, not returned since 2026-01-15T"
        )),
        "{problem}"
    );

    let mut confirmed = 0;
    bulk::confirm(&past.database.pool, (ACCOUNT, "main"), past.now(), &mut confirmed)
        .await
        .unwrap();
    assert_eq!(confirmed, withheld);
    let withheld = i64::try_from(withheld).unwrap();
    assert_eq!(past.database.number(MISSING).await, withheld);
    assert_eq!(past.database.number(seen).await, 300 - withheld);
    assert_eq!(past.database.text(PROBLEM).await, "");
}

#[tokio::test]
async fn what_is_gone_in_bulk_is_marked_once_it_has_lasted() {
    let past = Past::of_a_day(300).await;
    let (mut gone, now) = (Vec::new(), past.now());
    {
        let mut world = past.setup.simulator.world();
        let recent: Vec<_> = world
            .interactions()
            .filter(|one| one.start > now - TimeDelta::hours(20) && one.end.is_some_and(|end| end < now))
            .map(|one| one.session_id.clone())
            .collect();
        for id in recent.iter().step_by(2) {
            gone.push(id.clone());
            world.vanish(id);
        }
    }
    assert!(gone.len() > 20, "{}", gone.len());
    hours(&past, 23).await;
    assert_eq!(past.database.number(MISSING).await, 0);
    assert!(past.database.text(PROBLEM).await.starts_with("bulk_missing: "));
    // The tier of seven days reads them again once a day.
    hours(&past, 26).await;
    let marked = past.database.number(MISSING).await;
    assert_eq!(usize::try_from(marked).unwrap(), gone.len());
    assert_eq!(past.database.text(PROBLEM).await, "");
    past.refresh_in_an_hour(TimeDelta::days(20)).await;
    assert_eq!(past.database.number(MISSING).await, marked);
}
