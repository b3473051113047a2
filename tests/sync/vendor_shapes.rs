//! A contact centre that sends the shapes of all versions of the API.

use chrono::TimeDelta;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_simulator::{Seed, Spelling};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant, real_now};

async fn shaped(count: usize) -> Setup {
    let setup = Setup::start().await;
    let mut world = setup.simulator.world();
    world.behaviour.vendor_shapes = true;
    let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-15T11:55:00Z"));
    world.seed(&Seed::new(7, from, to, count));
    drop(world);
    setup
}

#[tokio::test]
async fn every_shape_of_a_busy_fortnight_becomes_rows() {
    let setup = shaped(1_000).await;
    let database = TestDatabase::migrated().await;
    let report = setup.sync(&database).await;
    assert_eq!(
        (report.outcome, report.counters.rejected),
        (Outcome::Succeeded, 0)
    );
    let served = i64::try_from(setup.simulator.world().len()).unwrap();
    assert_eq!(database.counts().await[0], served);
    assert_eq!(
        database
            .number("select count(*) from smartassist_sync.schema_drift")
            .await,
        0
    );
    let warnings = "select coalesce(string_agg(distinct warning, ', '), '') from smartassist.sessions, unnest(warnings) as warning";
    assert_eq!(
        database.text(warnings).await,
        "sessionStartTime: taken from sessionId"
    );
    for (what, at_least) in [
        ("smartassist.agent_segments where hold_seconds is not null", 100),
        (
            "smartassist.joined_users where agent_id like 'u-a%' and email is not null and joined_at <= left_at",
            10,
        ),
        (
            "smartassist.consultations where consultant_agent_id is not null and consultant_email is not null",
            20,
        ),
        ("smartassist.consultations where consultant_agent_id is null", 20),
        ("smartassist.sessions where warnings <> '{}'", 10),
        ("smartassist.sessions where is_shadow", 10),
    ] {
        let rows = database.number(&format!("select count(*) from {what}")).await;
        assert!(rows >= at_least, "{rows} of {what}");
    }
    let blanks = "select count(*) from smartassist.sessions where channel <> trim(channel)";
    assert_eq!(database.number(blanks).await, 0);
    // Each shadow leads to its conversation.
    let lost = "select count(*) from smartassist.sessions as shadow where shadow.is_shadow and not exists (select from smartassist.sessions as contact \
                where contact.conversation_id = split_part(shadow.channel_specific_user_id, '/', 3))";
    assert_eq!(database.number(lost).await, 0);
}

#[tokio::test]
async fn a_session_told_as_open_is_followed_until_it_ends() {
    let setup = shaped(0).await;
    let database = TestDatabase::migrated().await;
    let (start, end) = (instant("2026-01-15T11:50:00Z"), instant("2026-01-15T12:10:00Z"));
    let seed = Seed::new(7, start, start + TimeDelta::seconds(1), 20);
    for mut it in seed.interactions() {
        it.end = Some(end);
        it.spelling = Spelling(0);
        setup.simulator.world().insert(it);
    }
    setup.sync(&database).await;
    let state = "select string_agg(distinct concat_ws(' ', final_status, session_seconds, outcome), ', ') from smartassist_bi.interactions";
    assert_eq!(database.text(state).await, "TRANSIENT_OPEN open");

    setup.pass(TimeDelta::minutes(30));
    let job = Job::Refresh {
        lookback: TimeDelta::minutes(1),
        since: real_now(),
        open_since: Some(instant("2026-01-12T12:00:00Z")),
        unsettled: false,
    };
    let report = setup
        .worker(&database.pool)
        .run(&job, &CancellationToken::new())
        .await;
    assert_eq!(
        (report.outcome, report.counters.updated),
        (Outcome::Succeeded, 20)
    );
    let open = "select count(*) from smartassist.sessions where session_ended_at is distinct from '2026-01-15T12:10:00Z'";
    assert_eq!(database.number(open).await, 0);
}
