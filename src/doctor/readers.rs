//! Checks reader roles: they are cluster-wide and may predate us.

use crate::postgres::Pool;
use crate::postgres::inspect;

use super::database::broken;
use super::finding::Finding;

pub(super) async fn examine(pool: &Pool) -> Vec<Finding> {
    const CHECK: &str = "database readers";
    let roles = match inspect::foreign_readers(pool).await {
        Ok(roles) => roles,
        Err(error) => return vec![broken(CHECK, error)],
    };
    let with_members = roles.into_iter().filter(|(_, members)| !members.is_empty());
    with_members
        .map(|(role, members)| {
            let found = format!("the role {role} was there before this program made one, with members: {}", members.join(", "));
            Finding::warning(CHECK, found)
                .means("they read what is stored here")
                .remedy("revoke it from whom it is not meant for; once it is as you want it, give the role a comment (comment on role … is '…')")
        })
        .collect()
}
