//! Database properties that our settings cannot repair.

use super::Pool;

/// Why the database is unsuitable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Not UTF8.
    #[error(
        "the database's encoding is {0}, which cannot hold every text: make another database (create database <name> \
         encoding 'UTF8' template template0) and name it in database.url"
    )]
    Encoding(String),
    /// Foreign keys and triggers are off.
    #[error(
        "session_replication_role is {0} for our user, so foreign keys and triggers do nothing: alter role <our user> \
         reset session_replication_role (and the same for the database)"
    )]
    Replica(String),
}

pub(super) async fn unfit(pool: &Pool) -> Result<Option<Unfit>, sqlx::Error> {
    let settings = "select current_setting('server_encoding'), current_setting('session_replication_role')";
    let (encoding, role): (String, String) = sqlx::query_as(settings).fetch_one(pool).await?;
    Ok(if encoding != "UTF8" {
        Some(Unfit::Encoding(encoding))
    } else if role != "origin" {
        Some(Unfit::Replica(role))
    } else {
        None
    })
}
