//! What holds for every function of ours, so that a later one cannot forget it.

use crate::support::TestDatabase;

const FUNCTIONS: &str = "pg_proc p join pg_namespace n on n.oid = p.pronamespace \
    where n.nspname in ('smartassist', 'smartassist_sync', 'smartassist_bi')";

async fn those(database: &TestDatabase, condition: &str) -> String {
    let sql = format!(
        "select coalesce(string_agg(p.oid::regprocedure::text, ', '), '') from {FUNCTIONS} and {condition}"
    );
    database.text(&sql).await
}

#[tokio::test]
async fn every_function_looks_names_up_in_pg_catalog_alone() {
    let database = TestDatabase::migrated().await;
    let fixed = "array['search_path=pg_catalog, pg_temp']";
    let without = those(
        &database,
        &format!("not coalesce(p.proconfig, '{{}}') @> {fixed}"),
    )
    .await;
    assert_eq!(without, "");
}

#[tokio::test]
async fn no_function_is_for_everybody() {
    let database = TestDatabase::migrated().await;
    let open = those(&database, "has_function_privilege('public', p.oid, 'execute')").await;
    assert_eq!(open, "");
}

#[tokio::test]
async fn nobody_can_hang_the_counting_function_on_a_table_of_theirs() {
    let database = TestDatabase::migrated().await;
    let user = format!("curious_{}", database.name);
    let hang = format!(
        "create role {user}; grant usage on schema smartassist_sync to {user}; set local role {user}; \
         create temporary table mine (account_id text, session_started_at timestamptz); \
         create trigger emptied after truncate on mine for each statement \
         execute function smartassist_sync.count_interactions_by_day()"
    );
    let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(hang))
        .execute(&database.pool)
        .await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("permission denied for function"), "{refused}");
}

#[tokio::test]
async fn the_view_of_ages_has_the_bounds_that_are_counted_by() {
    let database = TestDatabase::migrated().await;
    database
        .execute(
            "insert into smartassist_sync.accounts (account_id, name, start_from, watermark) values ('a', 'a', now(), now()); \
             insert into smartassist_sync.changes_by_age (account_id, age_from_seconds) \
             select 'a', unnest(smartassist_sync.age_bounds())",
        )
        .await;
    let differs = "select count(*) from unnest(smartassist_sync.age_bounds()) with ordinality as bound (seconds, place) \
        full join (select *, row_number() over (order by age_from_hours) as place from smartassist_bi.change_by_age) as shown \
        using (place) where round(bound.seconds / 3600.0, 2) is distinct from shown.age_from_hours";
    assert_eq!(database.number(differs).await, 0);
}

/// Who loads without owning the tables, as an administrator has set it up, goes on after the upgrade.
#[tokio::test]
async fn a_loader_that_owns_nothing_keeps_the_functions_it_calls() {
    let database = TestDatabase::migrated().await;
    let user = format!("loader_{}", database.name);
    let upgrade = include_str!("../../migrations/0030_names_and_rights.sql");
    database
        .execute(&format!(
            "create role {user}; grant usage on schema smartassist_sync to {user}; \
             grant select, insert, update, delete on all tables in schema smartassist_sync to {user}; {upgrade}"
        ))
        .await;
    let may = format!("has_function_privilege('{user}', p.oid, 'execute')");
    let lacks = those(
        &database,
        &format!("p.prorettype <> 'trigger'::regtype and not {may}"),
    )
    .await;
    assert_eq!(lacks, "");
    let has = those(&database, &format!("p.prorettype = 'trigger'::regtype and {may}")).await;
    assert_eq!(has, "");
}
