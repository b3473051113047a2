//! Every query that is published gives the right figures where interactions are missing, superseded, open or
//! of late, compared with what is reckoned here by hand.

use sqlx::{AssertSqlSafe, Connection};

use crate::support::{TestDatabase, midnight};

const README: &str = include_str!("../../README.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
const RULES: &str = include_str!("../../deploy/prometheus/rules.yml");

/// Ten days ago at 10 o'clock, and what else the rows are made of.
const DATA: &str = r"
insert into smartassist_sync.accounts (account_id, name, start_from, coverage, settled)
select
    'acct', 'main', noon.today - interval '30 days',
    tstzmultirange(tstzrange(noon.today - interval '30 days', noon.today - interval '1 minute')),
    tstzmultirange(tstzrange(noon.today - interval '30 days', noon.today - interval '30 minutes'))
from (select date_trunc('minute', now()) as today) as noon;

create function pg_temp.key(id text) returns uuid language sql as $$
    select smartassist.interaction_key('acct', case when id like 'c%' then id end, 's-' || id)
$$;
create function pg_temp.session(id text, by_user text, starts timestamptz, lasts interval, channel text, missing boolean) returns void
language sql as $$
    insert into smartassist.sessions (interaction_key, account_id, session_id, conversation_id, user_id, channel, session_started_at,
        session_ended_at, missing_since, final_status, content_hash, first_seen_at, last_changed_at)
    values (pg_temp.key(id), 'acct', 's-' || id, case when id like 'c%' then id end, by_user, channel, starts, starts + lasts,
        case when missing then now() end, 'CLOSED', sha256('x'), starts, starts);
$$;
create function pg_temp.queued(id text, entered timestamptz, queue text default 'Support') returns void
language sql as $$
    insert into smartassist.destinations (interaction_key, destination_index, destination_type, queue_id, queue_name, entered_at)
    values (pg_temp.key(id), 0, 'QueueEntry', queue, queue, entered);
$$;
create function pg_temp.segment(id text, place integer, agent text, name text, assigned timestamptz, accepted timestamptz, talk integer, acw integer)
returns void
language sql as $$
    insert into smartassist.agent_segments (interaction_key, destination_index, segment_index, response, agent_id, agent_name,
        assigned_at, accepted_at, interaction_seconds, after_call_work_seconds)
    values (pg_temp.key(id), 0, place, case when accepted is null then 'non_responding' else 'responding' end, agent, name,
        assigned, accepted, talk, acw);
$$;
create function pg_temp.tag(id text, tag_value text) returns void
language sql as $$
    insert into smartassist.tags (interaction_key, tag_scope, tag_index, name, value)
    values (pg_temp.key(id), 'user', 0, 'accountnum', tag_value);
$$;
create temporary table day as select date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '10 days' as d;
create temporary table month as select date_trunc('month', now()) + interval '1 second' as m;
grant select on day, month to public;

-- u1 comes back the next day; both are real.
select pg_temp.session('c1', 'u1', d + interval '10 h', interval '10 min', 'Voice', false) from day;
select pg_temp.queued('c1', d + interval '10 h') from day;
select pg_temp.segment('c1', 0, 'a-1', 'Kim', d + interval '10 h', d + interval '10 h 30 s', 300, 20) from day;
select pg_temp.session('c2', 'u1', d + interval '33 h', interval '5 min', 'Voice', false) from day;
select pg_temp.queued('c2', d + interval '33 h') from day;
-- u2 was handed over from the bot, whose session is superseded: one contact.
select pg_temp.session('b3', 'u2', d + interval '11 h' - interval '10 s', interval '10 s', 'Chat', true) from day;
select pg_temp.session('c3', 'u2', d + interval '11 h', interval '10 min', 'Chat', false) from day;
select pg_temp.queued('c3', d + interval '11 h') from day;
select pg_temp.segment('c3', 0, 'a-1', 'Kim', d + interval '11 h', d + interval '11 h 1 min', 60, 60) from day;
-- u3 has another one that the API no longer returns.
select pg_temp.session('c4', 'u3', d + interval '12 h', interval '10 min', 'Voice', false) from day;
select pg_temp.session('c5', 'u3', d + interval '20 h', interval '10 min', 'Voice', true) from day;
select pg_temp.queued('c5', d + interval '20 h') from day;
-- u4 came back, and that contact is open still.
select pg_temp.session('c6', 'u4', d + interval '13 h', interval '10 min', 'Voice', false) from day;
select pg_temp.session('c7', 'u4', d + interval '14 h', null, 'Voice', false) from day;
-- Of u5 it is too early to say.
select pg_temp.session('c8', 'u5', now() - interval '1 day', interval '10 min', 'Voice', false);
-- Waits of this month: 10 s, 40 s, and one that is missing.
select pg_temp.session('c' || n, null, m, interval '5 min', 'Mail', n = 13) from month, generate_series(11, 13) as n;
select pg_temp.queued('c' || n, m, 'Post') from month, generate_series(11, 13) as n;
select pg_temp.segment('c11', 0, 'a-9', 'Lee', m, m + interval '10 s', null, null) from month;
select pg_temp.segment('c12', 0, 'a-9', 'Lee', m, m + interval '40 s', null, null) from month;
select pg_temp.segment('c13', 0, 'a-9', 'Lee', m, m + interval '900 s', null, null) from month;
update smartassist.agent_segments set assigned_at = null where agent_id = 'a-9';
-- Agents of the last week: two of the same name, an offer that was missed, and what is missing.
select pg_temp.session('c2' || n, null, now() - interval '2 days', interval '5 min', 'Voice', n = 3) from generate_series(1, 3) as n;
select pg_temp.queued('c2' || n, now() - interval '2 days') from generate_series(1, 3) as n;
select pg_temp.segment('c21', 0, 'a-2', 'Alex', now() - interval '2 days', null, null, null);
select pg_temp.segment('c21', 1, 'a-3', 'Alex', now() - interval '2 days', now() - interval '2 days', 100, 20);
select pg_temp.segment('c22', 0, 'a-3', 'Alex', now() - interval '2 days', now() - interval '2 days', 60, null);
select pg_temp.segment('c23', 0, 'a-3', 'Alex', now() - interval '2 days', now() - interval '2 days', 9000, 9000);
-- Missed twice, and withheld.
insert into smartassist_sync.requests (account_id, purpose, range, remaining) select 'acct', 'backfill', range, range from (select '{[2026-01-01,2026-01-02)}'::tstzmultirange as range) as asked;
insert into smartassist_sync.absences (account_id, interaction_key, first_missed_at, withheld_since) values ('acct', pg_temp.key('c6'), now(), now());
-- Tags: of one that is there and one that is missing.
select pg_temp.tag('c4', '121413243141234132');
select pg_temp.tag('c5', '121413243141234132');
";

/// A query that readers are given.
struct Published {
    sql: String,
    /// The words before it, or itself.
    title: String,
}

/// Of a document, those in blocks and those in a line.
fn published() -> Vec<Published> {
    let mut all = Vec::new();
    for block in README.split("```sql\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for statement in block.split(";\n").filter(|one| !one.trim().is_empty()) {
            let comment = |line: &&str| line.trim_start().starts_with("--");
            let title = statement.lines().find(comment).unwrap();
            let sql: Vec<&str> = statement.lines().filter(|line| !comment(line)).collect();
            all.push(Published {
                sql: sql.join("\n"),
                title: title.trim_start_matches("-- ").to_owned(),
            });
        }
    }
    for document in [README, OPERATIONS, RULES] {
        for sql in document.split('`').filter(|text| text.starts_with("select ")) {
            all.push(Published {
                sql: sql.to_owned(),
                title: sql.to_owned(),
            });
        }
    }
    all
}

/// What each gives, by the beginning of its title. Reckoned by hand from `DATA`.
fn expected(title: &str) -> String {
    let day = |days: i64| (midnight() - chrono::TimeDelta::days(days)).format("%Y-%m-%d");
    let (ten, nine) = (day(10), day(9));
    let by_title = [
        (
            "Answer rate and service level by local day",
            format!("({ten},Support,2,100.0,0.0) ({nine},Support,1,0.0,0.0)"),
        ),
        (
            "How long customers wait, by queue, this month",
            "(Post,2,10,40)".to_owned(),
        ),
        (
            "Handling time and missed offers, by agent",
            "(\"Alex (a-2)\",0,1,) (\"Alex (a-3)\",2,0,90)".to_owned(),
        ),
        ("Every interaction that carries a tag", "c4".to_owned()),
        ("First contact resolution", "(2,3)".to_owned()),
        ("complete_through:", "(main,1,30,0,0)".to_owned()),
        ("select name, watermark, coverage", "(main,t)".to_owned()),
        (
            "select range, error_code, error from smartassist_sync.windows",
            String::new(),
        ),
        ("select api_traits", "({})".to_owned()),
        ("select id, purpose, policy, range", "(backfill)".to_owned()),
        ("select * from smartassist_sync.gaps", String::new()),
        (
            "select * from smartassist.sessions where missing_since",
            "b3 c13 c23 c5".to_owned(),
        ),
        ("select * from smartassist_bi.change_by_age", String::new()),
        ("select * from smartassist_sync.absences", "c6".to_owned()),
        ("select reason, count(*)", String::new()),
    ];
    let found = by_title
        .into_iter()
        .find(|(beginning, _)| title.starts_with(beginning));
    found
        .unwrap_or_else(|| panic!("say here what comes out of a new query: {title}"))
        .1
}

/// The rows as one text, in an order of its own; of some, what can be compared.
fn as_text(query: &Published) -> String {
    let sql = &query.sql;
    let (rows, condition) = if query
        .title
        .starts_with("Answer rate and service level by local day")
    {
        let of_days = "where entered_on < (now() at time zone 'UTC')::date - 8 and entered_on > (now() at time zone 'UTC')::date - 11 and queue_label <> 'Post'";
        (
            "format('(%s,%s,%s,%s,%s)', entered_on, queue_label, offered, answered_percent, service_level_percent)",
            of_days,
        )
    } else if query.title.starts_with("How long customers wait") {
        // Of the others, how many are of this month depends on the day.
        ("q::text", "where queue_label = 'Post'")
    } else if query.title.starts_with("Handling time") {
        // Whether those of this month are of the last seven days depends on the day.
        ("q::text", "where agent_label <> 'Lee'")
    } else if query.title.starts_with("complete_through") {
        (
            // Before the minute of the rows, not of now: it may be the next one.
            "format('(%s,%s,%s,%s,%s)', account_name, round(extract(epoch from today - complete_through) / 60), \
             round(extract(epoch from today - settled_through) / 60), open_gaps, rejected_records)",
            "cross join (select start_from + interval '30 days' as today from smartassist_sync.accounts) as account",
        )
    } else if query.title.starts_with("select id, purpose, policy, range") {
        ("format('(%s)', purpose)", "")
    } else if query.title.starts_with("Every interaction that carries a tag") {
        (
            "(select session.conversation_id from smartassist.sessions as session where session.session_started_at = q.session_started_at)",
            "",
        )
    } else if [
        "select * from smartassist.sessions",
        "select * from smartassist_sync.absences",
    ]
    .iter()
    .any(|list| query.title.starts_with(list))
    {
        (
            "(select coalesce(s.conversation_id, ltrim(s.session_id, 's-')) from smartassist.sessions as s where s.interaction_key = q.interaction_key)",
            "",
        )
    } else if query.title.starts_with("select name, watermark") {
        ("format('(%s,%s)', name, upper(coverage) = watermark)", "")
    } else {
        ("q::text", "")
    };
    format!(
        "select coalesce(string_agg(line, ' ' order by line collate \"C\"), '') from (select {rows} as line from ({sql}) as q {condition}) as lines"
    )
}

#[tokio::test]
async fn every_published_query_gives_the_right_figures() {
    let database = TestDatabase::migrated().await;
    let mut connection = sqlx::PgConnection::connect_with(
        &crate::support::database::server()
            .await
            .options()
            .database(&database.name),
    )
    .await
    .unwrap();
    sqlx::raw_sql("set time zone 'UTC'; set search_path = pg_catalog")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::raw_sql(DATA).execute(&mut connection).await.unwrap();
    database.rebuild_facts("acct").await;
    let queries = published();
    assert!(queries.len() >= 12, "{}", queries.len());
    for query in &queries {
        // Of the server, and what repairs coverage; neither counts interactions.
        let others = [
            "select relname, pg_size_pretty",
            "select smartassist_sync.mend_coverage",
        ];
        if others.iter().any(|other| query.title.starts_with(other)) {
            continue;
        }
        let found: String = sqlx::query_scalar(AssertSqlSafe(as_text(query)))
            .fetch_one(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", query.title));
        assert_eq!(found, expected(&query.title), "{}", query.title);
    }
}
