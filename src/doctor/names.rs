//! Checks whether objects in `public` can shadow PostgreSQL's own.

use crate::postgres::Pool;
use crate::postgres::inspect;

use super::database::broken;
use super::finding::Finding;

const SHADOWS_TOLD: usize = 5;

pub(super) async fn examine(pool: &Pool) -> Finding {
    const CHECK: &str = "database names";
    const RISK: &str = "this program looks nothing up there, but whoever else works in this database may call a \
        function of somebody else's with their own rights";
    let names = match inspect::names(pool).await {
        Ok(names) => names,
        Err(error) => return broken(CHECK, error),
    };
    if !names.shadows.is_empty() {
        let told: Vec<_> = names
            .shadows
            .iter()
            .take(SHADOWS_TOLD)
            .map(String::as_str)
            .collect();
        let more = names.shadows.len() - told.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        return Finding::warning(
            CHECK,
            format!(
                "schema public holds what is named as PostgreSQL's own: {}{more}",
                told.join(", ")
            ),
        )
        .means(RISK)
        .remedy("find out who made them, drop them, and: revoke create on schema public from public");
    }
    if names.public_is_open {
        return Finding::warning(CHECK, "everybody may create things in schema public")
            .means(RISK)
            .remedy("revoke create on schema public from public");
    }
    Finding::ok(CHECK, "nothing in schema public stands before PostgreSQL's own")
}
