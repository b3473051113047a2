//! What holds for every function of ours, so that a later one cannot forget it.

use smartassist_etl::transform::Ids;
use uuid::Uuid;

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
async fn no_function_looks_names_up_where_others_may_write() {
    let database = TestDatabase::migrated().await;
    let fixed = "array['search_path=pg_catalog, pg_temp']";
    let without = those(
        &database,
        // Names in a body that was parsed when it was made are not looked up again.
        &format!("p.prosqlbody is null and not coalesce(p.proconfig, '{{}}') @> {fixed}"),
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
async fn the_key_of_a_row_can_be_computed_from_it() {
    let database = TestDatabase::migrated().await;
    let object_id = "65B2f0a1c3d4e5f607182930";
    for (conversation, session) in [
        (Some("c-1"), Some("s-1")),
        (None, Some("s-1")),
        (Some("c-1"), None),
        (Some("c-1"), Some(object_id)),
        (None, Some(object_id)),
        (Some("é \u{1f600} '"), Some("65b2f0a1c3d4e5f60718293")),
        (None, Some("65b2f0a1c3d4e5f60718293g")),
    ] {
        let ids = Ids {
            session_id: session.map(str::to_owned),
            conversation_id: conversation.map(str::to_owned),
        };
        let computed: Uuid = sqlx::query_scalar("select smartassist.interaction_key($1, $2, $3)")
            .bind("acct-é")
            .bind(conversation)
            .bind(session)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        assert_eq!(computed, ids.key("acct-é"), "{ids:?}");
    }
}

#[tokio::test]
async fn the_view_of_ages_has_the_bounds_that_are_counted_by() {
    let database = TestDatabase::migrated().await;
    database
        .execute(
            "insert into smartassist_sync.accounts (account_id, name, start_from) values ('a', 'a', now()); \
             insert into smartassist_sync.changes_by_age (account_id, age_from_seconds) \
             select 'a', unnest(smartassist_sync.age_bounds())",
        )
        .await;
    let differs = "select count(*) from unnest(smartassist_sync.age_bounds()) with ordinality as bound (seconds, place) \
        full join (select *, row_number() over (order by age_from_hours) as place from smartassist_bi.change_by_age) as shown \
        using (place) where round(bound.seconds / 3600.0, 2) is distinct from shown.age_from_hours";
    assert_eq!(database.number(differs).await, 0);
}
