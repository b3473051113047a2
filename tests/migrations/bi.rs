//! The views for BI tools: for those who may see no personal data of customers, and for filters that tools build.

use serde_json::json;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::postgres::migrate;
use sqlx::AssertSqlSafe;

use crate::support::{Setup, TestDatabase, instant};

/// What identifies the customer in the record below.
const CANARIES: [&str; 8] = [
    "canary.user@example.com",
    "+49 30 555 0101",
    "4930555",
    "Zelda",
    "Erasable",
    "canary.mail@example.com",
    "203.0.113.77",
    "the customer said",
];

/// Interactions in which a customer stands wherever the API may put one, beside ordinary ones.
async fn loaded() -> TestDatabase {
    let setup = Setup::with_interactions(60).await;
    let start = instant("2026-01-10T10:00:00Z");
    for (id, user) in [
        ("s-1", "canary.user@example.com"),
        ("s-2", "canary.user@example.com"),
        ("s-3", "+49305550101"),
    ] {
        let record = json!({
            "sessionId": id, "sessionStartTime": start, "channel": "Voice", "userId": user,
            "channelSpecificUserId": "+49 30 555 0101", "reason": "Zelda was rude", "finalStatus": "CLOSED",
            "dispositions": ["Billing", "mail canary.mail@example.com"], "dispositionRemarks": ["the customer said Zelda"],
            "csatFeedback": "the customer said", "lastIntentUserInput": "the customer said",
            "customerinfo": {
                "CustomerFirstName": "Zelda", "CustomerLastName": "Erasable",
                "CustomerEmail": "canary.mail@example.com", "CustomerPhone": "+49305550101",
            },
            "metaInfo": { "caller": "+49305550101", "ip": "203.0.113.77", "note": "the customer said" },
            "userleveltags": [{ "name": "mail", "value": "canary.mail@example.com" }],
            "sessionleveltags": [{ "name": "customer", "value": "Zelda" }, { "name": "topic", "value": "the customer said" }, { "name": "Zelda", "value": "x" }],
        });
        setup.simulator.world().insert_raw(start, &record);
    }
    let database = TestDatabase::migrated().await;
    assert_eq!(setup.sync(&database).await.outcome, Outcome::Succeeded);
    assert_eq!(database.counts().await[0], 63);
    database.rebuild_facts("acct-sim").await;
    database
}

/// The names of the views.
async fn views(database: &TestDatabase) -> Vec<String> {
    sqlx::query_scalar("select relname::text from pg_class where relnamespace = 'smartassist_bi'::regnamespace and relkind in ('v', 'm', 'r')")
        .fetch_all(&database.pool)
        .await
        .unwrap()
}

/// All rows of a view as this role sees them.
async fn rows(database: &TestDatabase, role: &str, view: &str) -> Vec<String> {
    let sql = format!("select to_jsonb(shown)::text from smartassist_bi.{view} as shown");
    let read: Result<_, sqlx::Error> = database
        .pool
        .transact(async |transaction| {
            let become_role = format!("set local role {role}");
            sqlx::raw_sql(AssertSqlSafe(become_role))
                .execute(&mut *transaction)
                .await?;
            sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(transaction)
                .await
        })
        .await;
    read.unwrap()
}

#[tokio::test]
async fn the_bi_reader_sees_nothing_of_customers() {
    let database = loaded().await;
    let views = views(&database).await;
    assert!(views.len() >= 4, "{views:?}");
    for view in views {
        let rows = rows(&database, "smartassist_bi_reader", &view).await.join("\n");
        assert!(
            ["change_by_age", "removed_interactions"].contains(&view.as_str()) || !rows.is_empty(),
            "{view} is empty"
        );
        for canary in CANARIES {
            assert!(!rows.contains(canary), "{canary} in {view}");
        }
    }
}

#[tokio::test]
async fn the_bi_reader_may_read_the_views_alone() {
    let database = TestDatabase::migrated().await;
    let may = |schema: &str| {
        format!(
            "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = '{schema}' \
             and relkind in ('r', 'v', 'm') and (has_table_privilege('smartassist_bi_reader', c.oid, 'select') \
             or has_schema_privilege('smartassist_bi_reader', nspname, 'usage, create'))"
        )
    };
    assert_eq!(database.number(&may("smartassist")).await, 0);
    assert_eq!(database.number(&may("smartassist_sync")).await, 0);
    assert!(database.number(&may("smartassist_bi")).await >= 4);
    let writes = "select count(*) from pg_class c where relnamespace = 'smartassist_bi'::regnamespace \
                  and has_table_privilege('smartassist_bi_reader', c.oid, 'insert, update, delete, truncate, references, trigger')";
    assert_eq!(database.number(writes).await, 0);
    let can_log_in = "select rolcanlogin::int::bigint from pg_roles where rolname = 'smartassist_bi_reader'";
    assert_eq!(database.number(can_log_in).await, 0);
}

#[tokio::test]
async fn contacts_of_one_customer_share_a_key_that_says_nothing() {
    let database = loaded().await;
    let keys = "select count(*) from smartassist_bi.interactions as shown join smartassist.sessions as s \
                using (interaction_key) group by s.user_id having count(distinct contact_key) <> 1";
    let differing = format!("select count(*) from ({keys}) as differing");
    assert_eq!(database.number(&differing).await, 0);
    let distinct = "select count(distinct user_id) - count(distinct contact_key) from smartassist.sessions \
                    join smartassist_bi.interactions using (interaction_key)";
    assert_eq!(database.number(distinct).await, 0);
    let null = "select count(*) from smartassist.sessions as s join smartassist_bi.interactions using (interaction_key) \
                where (s.user_id is null) <> (contact_key is null)";
    assert_eq!(database.number(null).await, 0);
    // Nobody can reckon it in another database.
    let other = TestDatabase::empty().await;
    migrate(&other.pool).await.unwrap();
    let secret = "select encode(secret, 'hex') from smartassist_sync.contact_key_secret";
    assert_ne!(database.text(secret).await, other.text(secret).await);
}

#[tokio::test]
async fn no_column_of_a_view_is_an_array_and_filters_of_tools_work() {
    let database = loaded().await;
    for view in views(&database).await {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "select attname::text, format_type(atttypid, null) from pg_attribute where attnum > 0 and not attisdropped \
             and attrelid = ('smartassist_bi.' || $1)::regclass",
        )
        .bind(&view)
        .fetch_all(&database.pool)
        .await
        .unwrap();
        for (column, kind) in columns {
            let known = [
                "text",
                "boolean",
                "integer",
                "bigint",
                "numeric",
                "date",
                "uuid",
                "timestamp with time zone",
                "timestamp without time zone",
                "time without time zone",
            ];
            assert!(known.contains(&kind.as_str()), "{view}.{column} is {kind}");
            if kind == "text" {
                // As Superset and Metabase write it.
                let filter = format!(
                    "select count(*) from smartassist_bi.{view} where lower(\"{column}\") like lower('%Billing%') or \"{column}\" = 'Billing'"
                );
                database.number(&filter).await;
            }
        }
    }
}

#[tokio::test]
async fn dispositions_are_counted_by_row_and_interactions_once() {
    let database = loaded().await;
    let given = "select string_agg(position || ' ' || disposition || ' ' || interactions, ', ' order by position) \
                 from smartassist_bi.interaction_dispositions join smartassist.sessions using (interaction_key) where session_id = 's-1'";
    assert_eq!(database.text(given).await, "1 Billing 1, 2 (withheld) 0");
    let joined = "select dispositions from smartassist_bi.interactions where session_id = 's-1'";
    assert_eq!(database.text(joined).await, "Billing, (withheld)");
    let counts = "select sum(interactions) - (select count(*) from smartassist.sessions where cardinality(dispositions) > 0 \
                  and missing_since is null) from smartassist_bi.interaction_dispositions";
    assert_eq!(database.number(&format!("select ({counts})::bigint")).await, 0);
    let rows = "select count(*) - (select sum(cardinality(dispositions)) from smartassist.sessions where missing_since is null) \
                from smartassist_bi.interaction_dispositions";
    assert_eq!(database.number(&format!("select ({rows})::bigint")).await, 0);
}
