//! The schema: applied from nothing, described in full, readable by whom it should be.

use smartassist_etl::database::{MigrationError, migrate};

mod bi;
mod functions;

use crate::support::TestDatabase;

const OURS: &str = "('smartassist', 'smartassist_sync', 'smartassist_bi')";

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let database = TestDatabase::empty().await;
    migrate(&database.pool).await.unwrap();
    let applied = "select count(*) from smartassist_sync.schema_migrations where success";
    let first = database.number(applied).await;
    migrate(&database.pool).await.unwrap();
    assert_eq!(database.number(applied).await, first);
}

#[tokio::test]
async fn processes_that_migrate_at_once_wait_for_each_other() {
    let database = TestDatabase::empty().await;
    let pools = (0..4).map(|_| migrate(&database.pool));
    for migrated in futures_util::future::join_all(pools).await {
        migrated.unwrap();
    }
}

#[tokio::test]
async fn a_schema_that_is_newer_than_the_binary_is_refused() {
    let database = TestDatabase::migrated().await;
    database
        .execute(
            "insert into smartassist_sync.schema_migrations \
             (version, description, success, checksum, execution_time) values (9999, 'future', true, '', 0)",
        )
        .await;
    let error = migrate(&database.pool).await.unwrap_err();
    assert!(matches!(error, MigrationError::Newer(9999)), "{error}");
}

#[tokio::test]
async fn every_schema_table_view_column_and_function_says_what_it_means() {
    let database = TestDatabase::migrated().await;
    let without = format!(
        "select coalesce(string_agg(name, ', '), '') from ( \
         select nspname as name from pg_namespace where nspname in {OURS} and obj_description(oid, 'pg_namespace') is null \
         union all select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = relnamespace \
         where nspname in {OURS} and relkind in ('r', 'v', 'm') and obj_description(c.oid, 'pg_class') is null \
         union all select c.oid::regclass || '.' || attname from pg_class c join pg_namespace n on n.oid = relnamespace \
         join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped \
         where nspname in {OURS} and relkind in ('r', 'v', 'm') and col_description(c.oid, attnum) is null \
         union all select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = pronamespace \
         where nspname in {OURS} and obj_description(p.oid, 'pg_proc') is null) undescribed"
    );
    assert_eq!(database.text(&without).await, "");
}

#[tokio::test]
async fn every_foreign_key_is_served_by_an_index() {
    let database = TestDatabase::migrated().await;
    let without = format!(
        "select coalesce(string_agg(conname, ', '), '') from pg_constraint c join pg_namespace n on n.oid = connamespace \
         where contype = 'f' and nspname in {OURS} and not exists (select from pg_index i where i.indrelid = c.conrelid \
         and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)"
    );
    assert_eq!(database.text(&without).await, "");
}

#[tokio::test]
async fn the_reader_reads_the_data_and_the_views_and_nothing_else() {
    let database = TestDatabase::migrated().await;
    let may = |schema: &str, right: &str| {
        format!(
            "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = '{schema}' \
             and relkind in ('r', 'v') and has_schema_privilege('smartassist_reader', nspname, 'usage') \
             and has_table_privilege('smartassist_reader', c.oid, '{right}')"
        )
    };
    assert_eq!(database.number(&may("smartassist", "select")).await, 7);
    assert!(database.number(&may("smartassist_bi", "select")).await >= 2);
    assert_eq!(database.number(&may("smartassist_sync", "select")).await, 0);
    assert_eq!(
        database
            .number(&may("smartassist", "insert, update, delete, truncate"))
            .await,
        0
    );
    assert_eq!(
        database
            .number("select rolcanlogin::int::bigint from pg_roles where rolname = 'smartassist_reader'")
            .await,
        0
    );
}

#[tokio::test]
async fn who_joined_before_there_was_a_table_stays() {
    let database = TestDatabase::migrated().await;
    // As the version before had it.
    database
        .execute(
            "drop table smartassist.joined_users; \
             alter table smartassist.agent_segments add column joined_users jsonb; \
             insert into smartassist.sessions (account_id, interaction_id, session_started_at, content_hash, first_seen_at, last_changed_at) \
             values ('a', 'i', now(), '', now(), now()); \
             insert into smartassist.destinations (account_id, interaction_id, destination_index) values ('a', 'i', 0); \
             insert into smartassist.agent_segments (account_id, interaction_id, destination_index, segment_index, response, joined_users) \
             values ('a', 'i', 0, 0, 'responding', '[{\"name\": \"Pia\", \"agentId\": \"u-1\"}, \"Omar\"]'), \
                    ('a', 'i', 0, 1, 'responding', '{\"name\": \"Lone\"}'), ('a', 'i', 0, 2, 'responding', null)",
        )
        .await;
    let migration = include_str!("../../migrations/0032_shapes_of_all_versions.sql");
    let start = migration.find("create table smartassist.joined_users").unwrap();
    let end = migration.find("create or replace view").unwrap();
    database.execute(&migration[start..end]).await;
    let rows = "select string_agg(concat_ws(' ', segment_index, user_index, name, extra), ', ' order by segment_index, user_index) \
                from smartassist.joined_users";
    assert_eq!(
        database.text(rows).await,
        r#"0 0 Pia {"agentId": "u-1"}, 0 1 Omar, 1 0 Lone"#
    );
}
