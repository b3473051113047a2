//! Reports: facts and the views over them, against figures that are reckoned from the rows by other means.

mod edges;
mod questions;

use sqlx::AssertSqlSafe;

use crate::support::TestDatabase;

const DATA: &str = include_str!("data.sql");
const INDEPENDENT: &str = include_str!("independent.sql");
const NAMES: &str = include_str!("names.sql");

/// Rows of every kind, written by hand, with the facts that the product makes of them in this zone.
async fn made(time_zone: &str) -> TestDatabase {
    let database = TestDatabase::migrated().await;
    database
        .pool
        .transact::<_, sqlx::Error>(async |transaction| {
            sqlx::raw_sql(AssertSqlSafe(DATA)).execute(&mut *transaction).await?;
            let settings = "insert into smartassist.reporting (account_id, time_zone, shown_tags) values ('acct', $1, '{topic}')";
            sqlx::query(settings).bind(time_zone).execute(transaction).await?;
            Ok(())
        })
        .await
        .unwrap();
    database.rebuild_facts("acct").await;
    database
}

/// Rows that only one of two has, where a table of facts is reckoned twice.
pub(crate) async fn differing(database: &TestDatabase) -> String {
    database
        .execute("drop schema if exists independent cascade")
        .await;
    database.execute(INDEPENDENT).await;
    let mut differing = String::new();
    for (table, view) in [
        ("queue_visits", "visits"),
        ("agent_offers", "offers"),
        ("interactions", "interactions"),
    ] {
        let [ours, theirs] = [
            format!(
                "select to_jsonb(f) - array['next_at', 'next_channel'] from smartassist.fact_{table} as f"
            ),
            format!("select to_jsonb(i) from independent.{view} as i"),
        ];
        let sql = format!(
            "select coalesce(string_agg(concat_ws(' ', '{table}', which, fact), E'\\n'), '') from (select * from ( \
             (select 'ours' as which, fact from (({ours}) except ({theirs})) as a (fact)) union all \
             (select 'theirs', fact from (({theirs}) except ({ours})) as b (fact))) as apart order by fact limit 4) as shown"
        );
        differing.push_str(&database.text(&sql).await);
    }
    let contacts = "select count(*) from (select interaction_key, next_at, next_channel from independent.contacts) as i \
                    full join smartassist_bi.contacts as f using (interaction_key) \
                    where (i.next_at, i.next_channel) is distinct from (f.next_at, f.next_channel) or f.account_id is null";
    let contacts = database.number(contacts).await;
    if contacts > 0 {
        differing.push_str(&format!("{contacts} contacts"));
    }
    differing
}
