//! The past is read again: what changed is written, what did not is not touched, and nothing is
//! read twice for one reason.

use std::collections::HashSet;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync::RunReport;
use smartassist_simulator::{Interaction, Mutation, Survey, SurveyKind, Text};

use crate::support::{Job, Setup, TestDatabase, instant, real_now};

use super::past::{Past, stored_id};

/// Farther back than anything was loaded.
const ALL: TimeDelta = TimeDelta::days(20);

fn written(report: &RunReport) -> (u64, u64, u64, u64) {
    let counters = &report.counters;
    (
        counters.inserted,
        counters.updated,
        counters.unchanged,
        counters.missing,
    )
}

/// Copies of the first so many sessions that started then or later and fit.
fn sessions(past: &Past, from: &str, count: usize, fits: impl Fn(&Interaction) -> bool) -> Vec<Interaction> {
    let world = past.setup.simulator.world();
    let from = instant(from);
    let found: Vec<_> = world
        .interactions()
        .filter(|one| one.start >= from && fits(one))
        .take(count)
        .cloned()
        .collect();
    assert_eq!(found.len(), count);
    found
}

fn any(_: &Interaction) -> bool {
    true
}

#[tokio::test]
async fn a_refresh_stores_every_change_within_its_lookback_only() {
    let past = Past::of(2_000).await;
    let before: Vec<Interaction> = sessions(&past, "2026-01-01T00:00:00Z", 2_000, any);
    let changes = past.setup.simulator.world().mutate_some(4, 0.3);
    // 12:58 less three days.
    let reached_from = instant("2026-01-12T12:58:00Z");
    let is_reached = |id: &String| {
        before
            .iter()
            .any(|one| one.session_id == *id && one.start >= reached_from)
    };
    let (mut kinds, mut touched) = (HashSet::new(), Vec::new());
    let (mut updated, mut promoted) = (0, 0);
    for change in changes.iter().filter(|change| is_reached(&change.session_id)) {
        kinds.insert(change.mutation);
        match change.mutation {
            Mutation::Vanish => continue,
            Mutation::Promote => promoted += 1,
            _ => updated += 1,
        }
        let old = before.iter().find(|one| one.session_id == change.session_id);
        touched.push(stored_id(old.unwrap()));
    }
    assert_eq!(kinds.len(), 6, "every kind is among them");
    let versions = past.versions_but(&touched).await;
    let report = past.refresh_in_an_hour(TimeDelta::days(3)).await;
    let reached = before.iter().filter(|one| one.start >= reached_from).count() as u64;
    let vanished = changes
        .iter()
        .filter(|change| is_reached(&change.session_id) && change.mutation == Mutation::Vanish)
        .count() as u64;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(
        written(&report),
        (
            promoted,
            updated,
            reached - promoted - updated - vanished,
            promoted
        )
    );
    // New rows are those of the promoted ones alone.
    let new: Vec<String> = past
        .setup
        .simulator
        .world()
        .interactions()
        .map(stored_id)
        .filter(|id| !before.iter().any(|one| stored_id(one) == *id))
        .collect();
    touched.extend(new);
    assert_eq!(past.versions_but(&touched).await, versions);
    let runs = "select concat_ws(' ', kind, status, inserted, updated, unchanged, missing) \
                 from smartassist_sync.runs where kind = 'refresh' order by id desc limit 1";
    let (inserted, updated, unchanged, missing) = written(&report);
    assert_eq!(
        past.database.text(runs).await,
        format!("refresh succeeded {inserted} {updated} {unchanged} {missing}")
    );
}

#[tokio::test]
async fn each_kind_of_change_is_in_its_table() {
    let past = Past::of_a_day(200).await;
    let is_conversation = |one: &Interaction| one.conversation.is_some();
    let four = sessions(&past, "2026-01-15T00:00:00Z", 4, is_conversation);
    let ids: Vec<&str> = four.iter().map(|one| one.session_id.as_str()).collect();
    let survey = Survey {
        kind: SurveyKind::Csat,
        score: 4,
        feedback: Text::Borrowed("late but kind"),
    };
    {
        let mut world = past.setup.simulator.world();
        assert!(world.end_session(ids[0], instant("2026-01-15T11:57:00Z")));
        assert!(world.set_disposition(ids[1], "Looked at", "again"));
        assert!(world.set_survey(ids[2], survey));
        assert!(world.add_tag(ids[3], "afterthought", json!("yes")));
    }
    let report = past.refresh_in_an_hour(ALL).await;
    assert_eq!(written(&report), (0, 4, 196, 0));
    for (id, change) in ids.iter().zip([
        "session_ended_at = '2026-01-15T11:57:00Z'",
        "dispositions = '{\"Looked at\"}'",
        "to_jsonb(session)::text like '%late but kind%'",
        "exists (select from smartassist.tags as tag where tag.interaction_key = session.interaction_key \
         and tag.name = 'afterthought')",
    ]) {
        let sql = format!(
            "select count(*) from smartassist.sessions as session where session_id = '{id}' and {change}"
        );
        assert_eq!(past.database.number(&sql).await, 1, "{change}");
    }
}

#[tokio::test]
async fn refreshed_tables_are_those_of_a_fresh_load() {
    let past = Past::of_a_day(700).await;
    for seed in [1, 2, 3] {
        past.setup.simulator.world().mutate_some(seed, 0.2);
        let report = past.refresh_in_an_hour(ALL).await;
        assert_eq!(report.outcome, Outcome::Succeeded);
    }
    let last = past.refresh_in_an_hour(ALL).await;
    assert_eq!(
        (last.counters.inserted, last.counters.updated),
        (0, 0),
        "only deletions need a second look"
    );
    let missing = past
        .database
        .number("select count(*) from smartassist.sessions where missing_since is not null")
        .await;
    let left = past.setup.simulator.world().len();
    assert_eq!(
        past.database.counts().await[0] - missing,
        i64::try_from(left).unwrap()
    );
    past.database
        .execute("delete from smartassist.sessions where missing_since is not null")
        .await;
    let fresh = TestDatabase::migrated().await;
    past.setup.sync(&fresh).await;
    assert_eq!(past.database.digest(&[]).await, fresh.digest(&[]).await);
}

#[tokio::test]
async fn a_deleted_session_is_missing_from_the_second_refresh_on() {
    let past = Past::of_a_day(300).await;
    let gone = sessions(&past, "2026-01-15T03:00:00Z", 1, any).remove(0);
    let id = stored_id(&gone);
    past.setup.simulator.world().vanish(&gone.session_id);
    let untouched = past.versions_but(&[]).await;
    let untouched_others = past.versions_but(std::slice::from_ref(&id)).await;
    assert_eq!(written(&past.refresh_in_an_hour(ALL).await), (0, 0, 299, 0));
    assert_eq!(past.versions_but(&[]).await, untouched, "once proves nothing");

    assert_eq!(written(&past.refresh_in_an_hour(ALL).await), (0, 0, 299, 1));
    let missing = "select missing_since::text || ' ' || coalesce(conversation_id, session_id) from smartassist.sessions \
                   where missing_since is not null";
    assert_eq!(
        past.database.text(missing).await,
        format!("2026-01-15 13:00:00+00 {id}"),
        "since the first that missed it"
    );
    assert_eq!(
        written(&past.refresh_in_an_hour(ALL).await),
        (0, 0, 299, 0),
        "marked once"
    );

    past.setup.simulator.world().insert(gone);
    assert_eq!(written(&past.refresh_in_an_hour(ALL).await), (0, 1, 299, 0));
    let marked = "select count(*) from smartassist.sessions where missing_since is not null";
    assert_eq!(past.database.number(marked).await, 0);
    let others = past.versions_but(std::slice::from_ref(&id)).await;
    assert_eq!(others, untouched_others);
    let fresh = TestDatabase::migrated().await;
    past.setup.sync(&fresh).await;
    assert_eq!(past.database.digest(&[]).await, fresh.digest(&[]).await);
}

#[tokio::test]
async fn a_refresh_supersedes_a_bot_session_that_was_handed_over() {
    let past = Past::of_a_day(300).await;
    let bot_only = sessions(&past, "2026-01-15T03:00:00Z", 1, |one| one.conversation.is_none()).remove(0);
    assert!(past.setup.simulator.world().promote(&bot_only.session_id));
    let report = past.refresh_in_an_hour(ALL).await;
    assert_eq!(written(&report), (1, 0, 299, 1));
    let rows = format!(
        "select string_agg((conversation_id is null)::text || (missing_since is null)::text, ' ' order by first_seen_at) \
         from smartassist.sessions where session_id = '{}'",
        bot_only.session_id
    );
    assert_eq!(past.database.text(&rows).await, "truefalse falsetrue");
    assert_eq!(written(&past.refresh_in_an_hour(ALL).await), (0, 0, 300, 0));
}

#[tokio::test]
async fn a_refresh_that_is_stopped_reads_only_the_rest_the_next_time() {
    let past = Past::of(4_000).await;
    past.setup.pass(TimeDelta::hours(1));
    let job = past.refresh(ALL);
    let stopped = past.run_until_request(&job, 35).await;
    assert_eq!(stopped.outcome, Outcome::Interrupted);
    let first = past.requests();
    past.setup.pass(TimeDelta::minutes(1));
    let rest = past.run(&job).await;
    assert_eq!(rest.outcome, Outcome::Succeeded);
    let (read, twice) = past.seconds_read("refresh").await;
    let covered = instant("2026-01-15T11:58:00Z") - instant("2026-01-01T00:00:00Z");
    assert_eq!((read, twice), (covered.num_seconds(), 0));
    let drained = stopped.counters.unchanged + rest.counters.unchanged;
    assert!((4_000..4_020).contains(&drained), "{drained}");
    assert!(
        stopped.counters.unchanged > 500,
        "whole windows of the first were kept"
    );
    assert!((35..50).contains(&first), "{first}");
    assert_eq!(past.requests() as u64, rest.counters.requests);
}

/// A request says how long ago it came due, and by when it reaches a busy database it seems to have come due
/// later: what is read from now on still counts as read since then.
async fn let_it_have_come_due() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_smaller_tier_that_has_just_run_is_left_out_of_a_larger_one() {
    let past = Past::of(1_000).await;
    past.setup.pass(TimeDelta::hours(1));
    let larger = past.refresh(TimeDelta::days(10));
    let_it_have_come_due().await;
    past.setup.pass(TimeDelta::minutes(5));
    past.run(&past.refresh(TimeDelta::days(1))).await;
    let report = past.run(&larger).await;
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(past.seconds_read("refresh").await.1, 0, "nothing was read twice");
    let newest = "select upper(range)::text from smartassist_sync.windows where purpose = 'refresh' order by upper(range) desc, id desc limit 1";
    assert_eq!(past.database.text(newest).await, "2026-01-15 11:58:00+00");

    past.setup.pass(TimeDelta::minutes(5));
    past.requests();
    past.run(&past.refresh(TimeDelta::days(10))).await;
    assert!(
        past.seconds_read("refresh").await.1 > 0,
        "a newer ring reads all of it again"
    );
}

#[tokio::test]
async fn a_refresh_skips_what_was_just_read() {
    let past = Past::of(500).await;
    past.setup.pass(TimeDelta::hours(1));
    let job = past.refresh(TimeDelta::hours(1));
    let_it_have_come_due().await;
    past.run(&Job::Poll).await;
    assert_eq!(past.requests(), 1);
    let report = past.run(&job).await;
    assert_eq!((report.outcome, past.requests()), (Outcome::Succeeded, 0));
    assert_eq!(report.counters, smartassist_etl::ledger::Counters::default());

    let larger = past.refresh(ALL);
    past.run(&larger).await;
    assert!(past.requests() > 0);
    let again = past.run(&larger).await;
    assert_eq!((again.outcome, past.requests()), (Outcome::Succeeded, 0));
}

#[tokio::test]
async fn open_sessions_are_refreshed_beyond_the_lookback() {
    let setup = Setup::with_interactions(600).await;
    let ids: Vec<String> = {
        let mut world = setup.simulator.world();
        let in_a_morning = |one: &&Interaction| {
            (instant("2026-01-05T06:00:00Z")..instant("2026-01-05T16:00:00Z")).contains(&one.start)
        };
        let ids: Vec<String> = world
            .interactions()
            .filter(in_a_morning)
            .map(|one| one.session_id.clone())
            .take(5)
            .collect();
        ids.iter().for_each(|id| assert!(world.reopen(id)));
        ids
    };
    let past = Past::of_setup(setup).await;
    let follow = |days| Job::Refresh {
        lookback: TimeDelta::hours(2),
        since: real_now(),
        open_since: Some(past.now() - TimeDelta::days(days)),
        unsettled: false,
    };
    let open = "select count(*) from smartassist.sessions where session_ended_at is null";
    assert_eq!(past.database.number(open).await, 5);

    past.setup.pass(TimeDelta::hours(1));
    past.run(&past.refresh(TimeDelta::hours(2))).await;
    assert_eq!(past.requests(), 2);
    past.setup.pass(TimeDelta::seconds(1));
    past.run(&follow(3)).await;
    assert_eq!(
        past.requests(),
        2,
        "the new second and the lookback: too old to be followed"
    );
    past.setup.pass(TimeDelta::seconds(1));
    let report = past.run(&follow(30)).await;
    assert_eq!(
        (past.requests(), report.counters.updated),
        (4, 0),
        "one more for all five, and one that shows that ranges are kept to; they are open still"
    );

    for id in &ids {
        let mut world = past.setup.simulator.world();
        assert!(world.end_session(id, instant("2026-01-15T12:30:00Z")));
    }
    past.setup.pass(TimeDelta::seconds(1));
    let report = past.run(&follow(30)).await;
    assert_eq!((past.requests(), report.counters.updated), (4, 5));
    assert_eq!(past.database.number(open).await, 0);
    past.setup.pass(TimeDelta::seconds(1));
    past.run(&follow(30)).await;
    assert_eq!(past.requests(), 2, "the new second, and the lookback alone");
}

#[tokio::test]
async fn late_sessions_are_found_by_the_tier_that_reaches_them() {
    let past = Past::of(500).await;
    let mut late = sessions(&past, "2026-01-13T00:00:00Z", 1, |one| one.conversation.is_none()).remove(0);
    "late".clone_into(&mut late.session_id);
    past.setup.simulator.world().insert(late);
    assert_eq!(
        past.refresh_in_an_hour(TimeDelta::days(1))
            .await
            .counters
            .inserted,
        0
    );
    assert_eq!(past.run(&Job::Poll).await.counters.inserted, 0);
    assert_eq!(
        past.refresh_in_an_hour(TimeDelta::days(4))
            .await
            .counters
            .inserted,
        1
    );
    let late = "select count(*) from smartassist.sessions where session_id = 'late'";
    assert_eq!(past.database.number(late).await, 1);
}
