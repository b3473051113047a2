//! Views, functions and datasets at the edges of what they are asked for.

use std::collections::BTreeSet;

use super::made;
use crate::support::TestDatabase;

/// `at` as time of day, seconds, Erlangs and agents of each row.
async fn workload(database: &TestDatabase, from: &str, to: &str, step: &str) -> String {
    let day = "2025-01-06 ";
    database
        .text(&format!(
            "select coalesce(string_agg(format('%s %s %s %s', to_char(at at time zone 'UTC', 'HH24:MI'), work_seconds, erlangs, agents_at_work), \
             ', ' order by at), '') \
             from smartassist_bi.workload('{day}{from}Z', '{day}{to}Z', interval '{step}')"
        ))
        .await
}

#[tokio::test]
async fn work_is_clipped_to_the_intervals_that_are_asked_for() {
    let database = TestDatabase::migrated().await;
    database
        .execute(
            "insert into smartassist.fact_agent_offers (interaction_key, destination_index, segment_index, account_id, \
             assigned_quarter_local, assigned_on, assigned_quarter, accepted_at, work_ended_at, session_started_at, channel, direction, \
             agent_key, outcome, transferred_out, consultations, consultations_merged) \
             values (gen_random_uuid(), 0, 0, 'acct', '2025-01-06 08:00', '2025-01-06', '2025-01-06 08:00Z', '2025-01-06 08:00Z', \
             '2025-01-06 11:00Z', '2025-01-06 08:00Z', 'Voice', 'Inbound', 'a', 'answered', 0, 0, 0)",
        )
        .await;
    for (from, to, step, rows) in [
        ("10:00", "12:00", "1 hour", "10:00 3600 1 1"),
        ("07:30", "08:45", "30 minutes", "08:00 1800 1 1, 08:30 900 1 1"),
        ("10:45", "12:00", "1 hour", "10:45 900 0.25 1"),
        ("09:00", "11:00", "1 day", "09:00 7200 1 1"),
        ("11:00", "12:00", "1 hour", ""),
        ("10:00", "10:00", "1 hour", ""),
        ("10:00", "09:00", "1 hour", ""),
        ("09:00", "11:00", "0", ""),
        ("09:00", "11:00", "-1 hour", ""),
    ] {
        let given = workload(&database, from, to, step).await;
        assert_eq!(given, rows, "from {from} to {to} by {step}");
    }
}

#[tokio::test]
async fn a_callback_in_time_counts_whether_or_not_it_came() {
    let database = made("UTC").await;
    let asked = |connected: i32| {
        format!(
            "select (sum(callback_asked_in_target) > 0)::text from smartassist_bi.queue_visits where callback_connected = {connected}"
        )
    };
    for connected in [0, 1] {
        assert_eq!(database.text(&asked(connected)).await, "true", "{connected}");
    }
    let late = "update smartassist.reporting set service_level_seconds = 3";
    database.execute(late).await;
    assert_eq!(database.text(&asked(1)).await, "false");
}

#[tokio::test]
async fn a_channel_may_have_a_service_level_of_its_own() {
    let database = made("UTC").await;
    let by_channel = |answered: &str| {
        format!(
            "select string_agg(format('%s %s', channel, answered), ', ' order by channel) from ( \
             select channel, sum({answered}) as answered from smartassist_bi.queue_visits group by 1) as by_channel"
        )
    };
    let in_target = by_channel("answered_in_target");
    let in_a_day = by_channel(
        "case when channel = 'Voice' then (answer_seconds <= 86400)::integer else answered_in_target end",
    );
    let (before, expected) = (database.text(&in_target).await, database.text(&in_a_day).await);
    assert_ne!(before, expected, "all are answered in time");
    let own = r#"update smartassist.reporting set service_level_seconds_by_channel = '{"Voice": 86400}'"#;
    database.execute(own).await;
    assert_eq!(database.text(&in_target).await, expected);
}

#[tokio::test]
async fn who_came_back_does_not_depend_on_the_time_zone_of_a_login() {
    let database = TestDatabase::migrated().await;
    // Clocks are set back in New York within the seven days, and the customer came back half an hour after them.
    database
        .execute(
            "insert into smartassist_sync.accounts (account_id, name, start_from, coverage, settled) \
             values ('acct', 'main', '2025-01-01Z', '{[2025-01-01Z, 2025-12-31Z)}', '{[2025-01-01Z, 2025-12-31Z)}'); \
             insert into smartassist.reporting (account_id, time_zone) values ('acct', 'UTC'); \
             insert into smartassist.fact_interactions (interaction_key, account_id, started_quarter_local, started_on, started_quarter, \
             session_started_at, contact_ended_at, channel, direction, outcome, conversations, contact_key, dispositions, destination_count, \
             queue_visits, segment_count, answered_segment_count, transfers, consultations, next_at) \
             values (gen_random_uuid(), 'acct', '2025-10-30 12:00', '2025-10-30', '2025-10-30 12:00Z', '2025-10-30 12:00Z', '2025-10-30 12:10Z', \
             'Voice', 'Inbound', 'answered', 1, gen_random_uuid(), '{}', 1, 1, 1, 1, 0, 0, '2025-11-06 12:40Z')",
        )
        .await;
    for time_zone in ["UTC", "America/New_York"] {
        let judged = format!(
            "with zone as materialized (select set_config('timezone', '{time_zone}', false) as zone) \
             select format('%s %s', judged, resolved_first) from smartassist_bi.contacts, zone where zone <> ''"
        );
        assert_eq!(database.text(&judged).await, "1 1", "{time_zone}");
    }
}

#[tokio::test]
async fn metric_views_can_be_divided_by_what_is_known() {
    let database = made("UTC").await;
    for (view, facts) in [
        (
            "select row(sum(answer_seconds), sum(answers_timed), sum(abandon_seconds), sum(abandons_timed), sum(hold_seconds), sum(with_hold), \
             sum(handled), sum(handle_seconds))::text from smartassist_bi.queue_metrics_by_quarter",
            "select row(sum(answer_seconds), count(answer_seconds), sum(abandon_seconds), count(abandon_seconds), hold, held, handled, handle)::text \
             from smartassist_bi.queue_visits cross join (select sum(hold_seconds) as hold, count(hold_seconds) as held, sum(handled) as handled, \
             sum(handle_seconds) as handle from smartassist_bi.agent_offers where visit_queue_label <> '(direct)') as offers \
             group by hold, held, handled, handle",
        ),
        (
            "select row(sum(accepted), sum(answered), sum(hold_seconds), sum(with_hold), sum(after_call_work_seconds))::text \
             from smartassist_bi.agent_metrics_by_day",
            "select row(sum(answered), sum(answered), sum(hold_seconds), count(hold_seconds), sum(after_call_work_seconds))::text \
             from smartassist_bi.agent_offers",
        ),
    ] {
        assert_eq!(database.text(view).await, database.text(facts).await, "{view}");
    }
    // Where none of a day is known, it is not zero.
    let unknown = "select count(*) from smartassist_bi.agent_metrics_by_day where with_hold = 0 and hold_seconds is not null";
    assert_eq!(database.number(unknown).await, 0);
}

/// Those that a query makes itself are left out.
fn dataset(yaml: &str) -> Option<(String, BTreeSet<String>)> {
    let after = |key: &str| {
        yaml.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(str::to_owned)
    };
    let table = after("table_name: ").filter(|_| after("sql: ").as_deref() == Some("null"))?;
    let columns = yaml.split("- column_name: ").skip(1);
    let columns = columns.filter(|column| column.contains("\n  expression: null\n"));
    let name = |column: &str| column.lines().next().unwrap_or_default().to_owned();
    Some((table, columns.map(name).collect()))
}

#[tokio::test]
async fn the_datasets_of_superset_have_the_columns_of_the_views() {
    let database = TestDatabase::migrated().await;
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/superset/bundle/datasets/SmartAssist"
    );
    let mut datasets = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let yaml = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let Some((table, columns)) = dataset(&yaml) else {
            continue;
        };
        datasets += 1;
        let in_view = database
            .text(&format!(
                "select coalesce(string_agg(column_name, ' '), '') from information_schema.columns \
                 where table_schema = 'smartassist_bi' and table_name = '{table}'"
            ))
            .await;
        let in_view: BTreeSet<String> = in_view.split(' ').map(str::to_owned).collect();
        assert_eq!(columns, in_view, "{table}");
    }
    assert!(datasets > 10, "{datasets}");
}
