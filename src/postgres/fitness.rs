//! What no setting of ours can repair: a database that cannot hold every text, or that leaves out what our
//! tables rely on.

use super::Pool;

/// Why the database cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It cannot hold every text that comes.
    #[error(
        "the database's encoding is {0}, which cannot hold every text: make another database (create database <name> \
         encoding 'UTF8' template template0) and name it in database.url"
    )]
    Encoding(String),
    /// Foreign keys and triggers do not work for us.
    #[error(
        "session_replication_role is {0} for our user, so foreign keys and triggers do nothing: alter role <our user> \
         reset session_replication_role (and the same for the database)"
    )]
    Replica(String),
}

/// Whether it is unfit, and why.
///
/// # Errors
/// The database fails.
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
