//! Bringing the schema to what this binary knows.

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};
use tracing::info;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The schema could not be brought to what this binary knows.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database has migrations that this binary does not know.
    #[error(
        "the database's schema (migration {0}) is newer than this binary: run the newer version again, or restore a backup"
    )]
    Newer(i64),
    /// A migration that was applied is not what this binary has under that number.
    #[error("migration {0} was applied in another form than this binary has it")]
    Altered(i64),
    /// A migration failed; it left nothing behind.
    #[error("a migration failed and was rolled back")]
    Failed(#[source] MigrateError),
}

/// Applies what is missing. Two processes that do so at once wait for each other.
///
/// # Errors
/// The schema is newer than this binary, was altered, or a statement fails.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrationError> {
    MIGRATIONS.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            MigrationError::Newer(version)
        }
        MigrateError::VersionMismatch(version) => MigrationError::Altered(version),
        other => MigrationError::Failed(other),
    })?;
    let version = MIGRATIONS.iter().map(|migration| migration.version).max();
    info!(version, "schema is up to date");
    Ok(())
}

impl MigrationError {
    /// Whether the database is out of reach, as opposed to refusing a statement.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Failed(MigrateError::Execute(error)) => crate::load::is_unreachable(error),
            Self::Newer(_) | Self::Altered(_) | Self::Failed(_) => false,
        }
    }
}
