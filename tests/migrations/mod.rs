//! The schema: applied from nothing, described in full, readable by whom it should be.

use smartassist_etl::postgres::{MigrationError, migrate};
use sqlx::migrate::Migrate;

mod bi;
mod distributed;
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
async fn a_newer_schema_is_refused_only_where_it_takes_away() {
    let database = TestDatabase::migrated().await;
    applied_by_a_newer_version(&database, 9997, "future").await;
    // What goes is not needed by a binary that has migration 1.
    applied_by_a_newer_version(&database, 9998, "contract 0001 past").await;
    migrate(&database.pool).await.unwrap();
    applied_by_a_newer_version(&database, 9999, "contract 9997 past").await;
    let error = migrate(&database.pool).await.unwrap_err();
    assert!(matches!(error, MigrationError::Newer(9999)), "{error}");
}

#[tokio::test]
async fn a_migration_that_is_lacking_or_altered_is_refused() {
    let database = TestDatabase::migrated().await;
    applied_by_a_newer_version(&database, 0, "of another branch").await;
    let error = migrate(&database.pool).await.unwrap_err();
    assert!(matches!(error, MigrationError::Newer(0)), "{error}");
    database
        .execute(
            "delete from smartassist_sync.schema_migrations where version = 0; \
             update smartassist_sync.schema_migrations set checksum = '' where version = 2",
        )
        .await;
    let error = migrate(&database.pool).await.unwrap_err();
    assert!(matches!(error, MigrationError::Altered(2)), "{error}");
}

async fn applied_by_a_newer_version(database: &TestDatabase, version: i64, description: &str) {
    let applied = format!(
        "insert into smartassist_sync.schema_migrations (version, description, success, checksum, execution_time) \
         values ({version}, '{description}', true, '', 0)"
    );
    database.execute(&applied).await;
}

#[tokio::test]
async fn every_object_of_the_database_has_a_comment() {
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
async fn large_columns_are_compressed_by_lz4_where_there_is_lz4() {
    let database = TestDatabase::migrated().await;
    let compressed = "select count(*) from pg_attribute join pg_class on pg_class.oid = attrelid \
                      where relnamespace = 'smartassist'::regnamespace and attcompression = 'l'";
    let wanted = "select case when 'lz4' = any (enumvals) then 3 else 0 end::bigint from pg_settings \
                  where name = 'default_toast_compression'";
    assert_eq!(database.number(compressed).await, database.number(wanted).await);
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
    assert_eq!(database.number(&may("smartassist", "select")).await, 13);
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

/// Rows as they were when a migration was the newest, by its number.
const SAMPLES: [(i64, &str); 3] = [
    (2, include_str!("samples/0002.sql")),
    (3, include_str!("samples/0003.sql")),
    (5, include_str!("samples/0005.sql")),
];

#[tokio::test]
async fn every_migration_takes_tables_that_hold_rows() {
    let database = TestDatabase::empty().await;
    database.execute("create schema smartassist_sync").await;
    let listed = database.pool.transact::<_, sqlx::Error>(async |connection| {
        let made = connection
            .ensure_migrations_table("smartassist_sync.schema_migrations")
            .await;
        made.map_err(|error| sqlx::Error::Protocol(error.to_string()))
    });
    listed.await.unwrap();
    for migration in sqlx::migrate!("./migrations").iter() {
        database.execute(migration.sql.as_str()).await;
        for (_, rows) in SAMPLES
            .iter()
            .filter(|(version, _)| *version == migration.version)
        {
            database.execute(rows).await;
        }
    }
    let tables = format!(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = relnamespace \
         where nspname in {OURS} and relkind in ('r', 'v') and relname <> 'schema_migrations'"
    );
    let tables: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(tables))
        .fetch_all(&database.pool)
        .await
        .unwrap();
    for table in tables {
        let rows = database.number(&format!("select count(*) from {table}")).await;
        assert!(rows > 0, "{table} has no sample");
    }
}
