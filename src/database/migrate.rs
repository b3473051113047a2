//! Bringing the schema to what this binary knows.

use std::sync::LazyLock;

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};
use tracing::info;

/// Where the migrations that were applied are listed. By its full name: sqlx would otherwise put
/// the list into whatever schema the user's search path begins with, which changes once a schema
/// is named like the user.
const APPLIED: &str = "smartassist_sync.schema_migrations";

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("./migrations");
    migrations.dangerous_set_table_name(APPLIED);
    migrations
});

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
    /// The schema for the list of migrations could not be made.
    #[error(
        "cannot make the schema smartassist_sync; an administrator can: create schema smartassist_sync authorization <our user>"
    )]
    Schema(#[source] sqlx::Error),
}

/// Applies what is missing. Two processes that do so at once wait for each other.
///
/// # Errors
/// The schema is newer than this binary, was altered, or a statement fails.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrationError> {
    make_books_schema(pool).await.map_err(MigrationError::Schema)?;
    MIGRATIONS.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            MigrationError::Newer(version)
        }
        MigrateError::VersionMismatch(version) => MigrationError::Altered(version),
        other => MigrationError::Failed(other),
    })?;
    info!(version = newest_migration(), "schema is up to date");
    Ok(())
}

/// The newest migration that this binary has.
pub fn newest_migration() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().unwrap_or_default()
}

/// Makes the schema that the list of migrations is in, unless it is there: an administrator may
/// have made it for a user who has no right to. The lock lasts until the transaction ends, so two
/// processes do not make it at once.
async fn make_books_schema(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(hashtext('smartassist_sync'))")
        .execute(&mut *transaction)
        .await?;
    let exists: bool = sqlx::query_scalar("select to_regnamespace('smartassist_sync') is not null")
        .fetch_one(&mut *transaction)
        .await?;
    if !exists {
        sqlx::query("create schema smartassist_sync")
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

impl MigrationError {
    /// Whether the database is out of reach, as opposed to refusing a statement.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Failed(MigrateError::Execute(error)) => crate::load::is_unreachable(error),
            Self::Schema(error) => crate::load::is_unreachable(error),
            Self::Newer(_) | Self::Altered(_) | Self::Failed(_) => false,
        }
    }
}
