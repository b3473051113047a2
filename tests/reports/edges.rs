//! Functions of reports at the edges of what they are asked for.

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
