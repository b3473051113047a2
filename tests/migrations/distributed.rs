//! What allows the tables of data to be distributed by `interaction_key` over several nodes (Citus): no trigger, no unique index or foreign
//! key without it, no statement that joins them with the ledger. All of these work on one node, so no other test would fail.

use std::collections::{BTreeSet, HashMap};

use nix::sys::signal::Signal;
use serde_json::json;
use smartassist_etl::postgres::migrate;
use sqlx::AssertSqlSafe;

use crate::support::own_server::OwnServer;
use crate::support::{Program, Setup, TestDatabase, days_ago, midnight};

/// The tables of schema `smartassist` that are no data: small, and copied to every node.
const REFERENCE: &str = "('reporting', 'queues', 'agents')";

fn data_tables() -> String {
    format!(
        "select oid from pg_class where relnamespace = 'smartassist'::regnamespace and relkind in ('r', 'p') \
         and relname not in {REFERENCE}"
    )
}

/// What breaks the rules, by name.
async fn broken(database: &TestDatabase) -> Vec<String> {
    let data = data_tables();
    let key = |table: &str| {
        format!("(select attnum from pg_attribute where attrelid = {table} and attname = 'interaction_key')")
    };
    let sql = format!(
        "with data as ({data}) \
         select 'trigger ' || tgname from pg_trigger where tgrelid in (select oid from data) and not tgisinternal \
         union all select 'no primary key on ' || oid::regclass from data \
         where not exists (select from pg_index where indrelid = data.oid and indisprimary) \
         union all select 'index ' || indexrelid::regclass from pg_index where indrelid in (select oid from data) \
         and (indisunique or indisexclusion) and ({of_index} = any (indkey)) is not true \
         union all select 'foreign key ' || conname from pg_constraint where contype = 'f' \
         and (conrelid in (select oid from data) or confrelid in (select oid from data)) \
         and not (conrelid in (select oid from data) and confrelid in (select oid from data) \
         and coalesce(array_position(conkey, {of_referrer}) = array_position(confkey, {of_referred}), false)) \
         order by 1",
        of_index = key("indrelid"),
        of_referrer = key("conrelid"),
        of_referred = key("confrelid"),
    );
    let rows = sqlx::query_scalar(AssertSqlSafe(sql));
    rows.fetch_all(&database.pool).await.unwrap()
}

#[tokio::test]
async fn keys_of_data_tables_hold_the_interaction_key() {
    let database = TestDatabase::migrated().await;
    let tables = database
        .number(&format!("select count(*) from ({}) as data", data_tables()))
        .await;
    assert_eq!(tables, 10);
    assert_eq!(broken(&database).await, Vec::<String>::new());
    // Each rule sees what breaks it.
    database
        .execute(
            "create table smartassist.odd (interaction_key uuid, id bigint constraint odd_id unique, session_id uuid \
             constraint odd_session references smartassist.sessions (interaction_key), \
             account_id text, agent_key text, constraint odd_agent foreign key (account_id, agent_key) references smartassist.agents); \
             create table public.stranger (interaction_key uuid constraint stranger_key references smartassist.sessions); \
             create trigger odd_trigger before update on smartassist.tags for each row \
             execute function suppress_redundant_updates_trigger()",
        )
        .await;
    let expected = [
        "foreign key odd_agent",
        "foreign key odd_session",
        "foreign key stranger_key",
        "index smartassist.odd_id",
        "no primary key on smartassist.odd",
        "trigger odd_trigger",
    ];
    assert_eq!(broken(&database).await, expected);
}

/// `distribute.sql` gives readers what the views are made of, which COPY reads past the views.
#[tokio::test]
async fn no_view_is_made_of_what_customers_said_or_are() {
    let database = TestDatabase::migrated().await;
    let read = "select distinct attname::text from pg_rewrite join pg_class as view on view.oid = ev_class \
                join pg_depend on objid = pg_rewrite.oid and classid = 'pg_rewrite'::regclass \
                join pg_attribute on attrelid = refobjid and attnum = refobjsubid \
                where view.relnamespace = 'smartassist_bi'::regnamespace and refobjid = 'smartassist.sessions'::regclass order by 1";
    let read: Vec<String> = sqlx::query_scalar(read).fetch_all(&database.pool).await.unwrap();
    let expected = "account_id bot_id campaign_id disconnecting_event final_status interaction_key is_shadow is_voicemail \
                    last_changed_at missing_since session_ended_at session_id session_started_at smart_status survey_type";
    assert_eq!(read.join(" "), expected);
    let others = "select count(distinct refobjid) from pg_rewrite join pg_class as view on view.oid = ev_class \
                  join pg_depend on objid = pg_rewrite.oid and classid = 'pg_rewrite'::regclass \
                  join pg_class as relation on relation.oid = refobjid \
                  where view.relnamespace = 'smartassist_bi'::regnamespace and relation.relnamespace = 'smartassist'::regnamespace \
                  and relation.relname not like 'fact_%' and relation.relname not in ('sessions', 'reporting', 'queues', 'agents')";
    assert_eq!(database.number(others).await, 0);
}

/// They show watermarks beside data, one row of the ledger for each account.
const VIEWS_OF_BOTH: [&str; 2] = ["smartassist_bi.contacts", "smartassist_bi.data_freshness"];

#[tokio::test]
async fn no_other_view_joins_data_with_the_ledger() {
    let database = TestDatabase::migrated().await;
    let views = format!(
        "with recursive named as ( \
         select ev_class as view, refobjid as relation from pg_rewrite join pg_depend on objid = pg_rewrite.oid \
         where classid = 'pg_rewrite'::regclass and refclassid = 'pg_class'::regclass and refobjid <> ev_class), \
         reads as (select * from named \
         union select reads.view, named.relation from reads join named on named.view = reads.relation) \
         select view::regclass::text from reads join pg_class on pg_class.oid = relation group by view \
         having bool_or(relation in ({})) and bool_or(relnamespace = 'smartassist_sync'::regnamespace) order by 1",
        data_tables()
    );
    let views: Vec<String> = sqlx::query_scalar(AssertSqlSafe(views))
        .fetch_all(&database.pool)
        .await
        .unwrap();
    assert_eq!(views, VIEWS_OF_BOTH);
}

/// Logs every statement behind a mark, without its parameters.
const LOGGED: [(&str, &str); 3] = [
    ("log_statement", "all"),
    ("log_line_prefix", "@@@"),
    ("log_parameter_max_length", "0"),
];

const PHONE: &str = "+49 30 5550199";

#[tokio::test]
async fn no_statement_joins_data_with_the_ledger() {
    let server = OwnServer::start_with(&LOGGED).await;
    let database = server.database();
    migrate(&database.pool).await.unwrap();
    let ours = Tables::of(&database).await;
    assert_eq!(ours.both_in_functions(&database).await, Vec::<String>::new());
    let begun = server.log().len();
    do_everything(&server.url(), &database).await;
    let planted = "select count(*) from smartassist.tags cross join smartassist_sync.runs";
    database.number(planted).await;
    let log = server.log();
    let statements = statements(&log[begun..]);
    let both: Vec<&String> = statements
        .iter()
        // It reads one after the other.
        .filter(|statement| !statement.starts_with("analyze ") && ours.are_both_in(statement))
        .collect();
    assert_eq!(both, [planted]);
}

/// The different statements of a log that [`LOGGED`] made.
fn statements(log: &str) -> BTreeSet<String> {
    let entries = log.split("@@@");
    let texts = entries.filter_map(|entry| {
        let (how, text) = entry.strip_prefix("LOG:  ")?.split_once(": ")?;
        (how == "statement" || how.starts_with("execute ")).then_some(text)
    });
    // Some are sent together.
    let single = texts.flat_map(|text| text.split(";\n"));
    single.map(|text| text.trim().to_owned()).collect()
}

struct Tables {
    data: Vec<String>,
    /// With its views, and the functions that read it.
    ledger: Vec<String>,
}

impl Tables {
    async fn of(database: &TestDatabase) -> Self {
        let names = async |sql: String| {
            let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(&database.pool)
                .await
                .unwrap();
            names
        };
        let data = names(format!(
            "select oid::regclass::text from ({}) as data",
            data_tables()
        ))
        .await;
        let ledger = "select oid::regclass::text from pg_class where relnamespace = 'smartassist_sync'::regnamespace and relkind in ('r', 'v')";
        let mut ours = Self {
            data,
            ledger: names(ledger.to_owned()).await,
        };
        for (name, body) in functions(database).await {
            if mentions(&body, &ours.ledger) {
                ours.ledger.push(name);
            }
        }
        ours
    }

    fn are_both_in(&self, statement: &str) -> bool {
        mentions(statement, &self.data) && mentions(statement, &self.ledger)
    }

    async fn both_in_functions(&self, database: &TestDatabase) -> Vec<String> {
        let mut both = functions(database).await;
        both.retain(|(_, body)| body.split(";\n").any(|statement| self.are_both_in(statement)));
        both.into_iter().map(|(name, _)| name).collect()
    }
}

/// Name and definition of each.
async fn functions(database: &TestDatabase) -> Vec<(String, String)> {
    let functions = "select pronamespace::regnamespace || '.' || proname, pg_get_functiondef(oid) from pg_proc \
                     where pronamespace::regnamespace::text in ('smartassist', 'smartassist_sync', 'smartassist_bi')";
    sqlx::query_as(functions).fetch_all(&database.pool).await.unwrap()
}

fn mentions(text: &str, names: &[String]) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
    words.any(|word| {
        let mut rests = names.iter().filter_map(|name| word.strip_prefix(name.as_str()));
        rests.any(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// 300 interactions, a call of a customer to be erased, and a record that is rejected.
async fn source() -> Setup {
    let setup = Setup::live().await;
    setup.seed_days(5, 2, 0, 300);
    let start = midnight() - chrono::TimeDelta::hours(3);
    let stamp = start.format("%Y-%m-%dT%H:%M:%S").to_string();
    let call = json!({
        "conversationId": "c-1", "sessionId": "s-1", "sessionStartTime": stamp, "sessionEndTime": stamp,
        "customerinfo": {"CustomerPhone": PHONE},
    });
    for record in [call, json!({"sessionId": "s-2"})] {
        setup.simulator.world().insert_raw(start, &record);
    }
    setup
}

fn change(setup: &Setup) {
    let mut world = setup.simulator.world();
    world.mutate_some(5, 0.5);
    let gone = world.interactions().next().unwrap().session_id.clone();
    world.vanish(&gone);
}

/// Runs every command that writes, each with something to do, and those that show the state.
async fn do_everything(url: &str, database: &TestDatabase) {
    let setup = source().await;
    let mut environment = setup.environment();
    let mut set = |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
    set("DATABASE_URL", url);
    set("SMARTASSIST_ETL__HTTP__BIND", "127.0.0.1:0");
    set(
        "SMARTASSIST_ETL__PRIVACY__KEY",
        "0123456789abcdef0123456789abcdef",
    );
    set(
        "SMARTASSIST_ETL__SYNC__REFRESH",
        r#"[{"every":"* * * * * *","lookback":"2d"}]"#,
    );
    run(&["sync"], &environment).await;
    change(&setup);
    let (from, to) = (days_ago(2), days_ago(0));
    let range = ["--from", from.as_str(), "--to", to.as_str()];
    for command in [
        &["sync"][..],
        &["sync"],
        &[&["backfill", "--refetch"][..], &range].concat(),
        &[&["verify", "--by-identity", "--repair"][..], &range].concat(),
        &["retry-rejected"],
        &["rebuild-facts"],
        &["confirm-missing", "--account", "main"],
        &["erase", "--phone", PHONE],
        &["status"],
        &["doctor"],
    ] {
        run(command, &environment).await;
    }
    let mut set = |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
    set("SMARTASSIST_ETL__PRIVACY__CUSTOMER", "hash");
    set("SMARTASSIST_ETL__STORAGE__RETENTION_DAYS", "1");
    set("SMARTASSIST_ETL__STORAGE__CLEAN_UP", "* * * * * *");
    run(&["replay"], &environment).await;
    for done in [
        "smartassist.sessions where missing_since is not null",
        "smartassist_sync.erasures",
        "smartassist.raw_interactions where payload::text like '%hmac:%'",
    ] {
        let rows = database.number(&format!("select count(*) from {done}")).await;
        assert!(rows > 0, "{done}");
    }
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("what has become too old is deleted").await;
    daemon.signal(Signal::SIGTERM);
    daemon.ended().await;
}

async fn run(command: &[&str], environment: &HashMap<String, String>) {
    let ended = Program::run(command, environment).await;
    // A difference that it found is no failure here.
    assert!(ended.code() <= 1, "{command:?}: {}", ended.log.join("\n"));
}
