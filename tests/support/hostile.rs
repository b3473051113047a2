//! A schema `public` in which somebody has put functions and operators before PostgreSQL's own.

use smartassist_etl::postgres::Pool;

/// Each of them ends the statement that calls it. `HOSTILE_PUBLIC=1` plants them in every database of a
/// test run.
const PLANTS: &str = include_str!("hostile_public.sql");

/// Whether every database of this run has such a schema.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os("HOSTILE_PUBLIC").is_some_and(|value| value == "1")
}

/// Plants them.
pub(crate) async fn plant(pool: &Pool) {
    sqlx::raw_sql(PLANTS).execute(pool).await.unwrap();
}
