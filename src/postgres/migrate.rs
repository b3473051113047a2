use std::sync::LazyLock;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor};
use tracing::info;

use super::Pool;
use super::error_kind::{DatabaseErrorKind, is_unreachable, sql_state};
use crate::failpoint;

/// Qualified: `search_path` excludes our schemas.
const APPLIED: &str = "smartassist_sync.schema_migrations";

/// Another process may be migrating.
const LOCK_TIMEOUTS: u32 = 6;

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("./migrations");
    migrations.dangerous_set_table_name(APPLIED);
    migrations.set_locking(false);
    migrations.set_ignore_missing(true);
    migrations
});

/// Begins the description of a migration that takes something away, followed by the first migration whose
/// binary can do without it. All others only add.
const CONTRACT: &str = "contract";

#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error("the database's schema (migration {0}) is newer than this binary")]
    Newer(i64),
    #[error("migration {0} was applied in another form than this binary has it")]
    Altered(i64),
    #[error("a migration failed and was rolled back")]
    Failed(#[source] MigrateError),
    #[error("another process is migrating, and does not finish")]
    Locked(#[source] sqlx::Error),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error(
        "cannot make the schema smartassist_sync; an administrator can: create schema smartassist_sync authorization <our user>"
    )]
    Schema(#[source] sqlx::Error),
}

/// All of them in one transaction.
///
/// # Errors
/// The schema differs, or a statement fails.
pub async fn migrate(pool: &Pool) -> Result<(), MigrationError> {
    let migrated = match try_migrate(pool).await {
        // The other process has committed.
        Err(error) if error.is_made_by_another() => try_migrate(pool).await,
        migrated => migrated,
    };
    let (version, known) = (migrated?, newest_migration());
    if version > known {
        info!(
            version,
            known, "schema is newer than this binary, which can work with it"
        );
    } else {
        info!(version, "schema is up to date");
    }
    Ok(())
}

/// Returns the version, which may be newer than this binary.
async fn try_migrate(pool: &Pool) -> Result<i64, MigrationError> {
    let lock_timeout = (pool.lock_timeout() * LOCK_TIMEOUTS).as_millis();
    pool.transact_without_timeout(async |transaction| {
        execute(transaction, format!("set local lock_timeout = {lock_timeout}")).await?;
        make_schema(transaction).await?;
        let made = transaction.ensure_migrations_table(APPLIED).await;
        made.map_err(MigrationError::Failed)?;
        lock(transaction).await?;
        let before = check_applied(&mut *transaction).await?;
        let applied = MIGRATIONS.run(&mut *transaction).await;
        applied.map_err(MigrationError::Failed)?;
        failpoint::reach("migration.applied");
        Ok::<_, MigrationError>(before.unwrap_or(0).max(newest_migration()))
    })
    .await
}

async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement));
    statement.execute(connection).await.map(drop)
}

async fn make_schema(connection: &mut PgConnection) -> Result<(), MigrationError> {
    let exists = sqlx::query_scalar("select to_regnamespace('smartassist_sync') is not null");
    if exists.fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let made = execute(connection, "create schema smartassist_sync".to_owned()).await;
    made.map_err(|error| match DatabaseErrorKind::of(&error) {
        DatabaseErrorKind::PermissionDenied => MigrationError::Schema(error),
        _ => locked_or_failed(error),
    })
}

/// Needs a write right, unlike advisory locks.
async fn lock(connection: &mut PgConnection) -> Result<(), MigrationError> {
    let lock = format!("lock table {APPLIED} in share row exclusive mode");
    execute(connection, lock).await.map_err(locked_or_failed)
}

fn locked_or_failed(error: sqlx::Error) -> MigrationError {
    match DatabaseErrorKind::of(&error) {
        DatabaseErrorKind::Locked => MigrationError::Locked(error),
        _ => MigrationError::Database(error),
    }
}

/// Whether this binary fits the schema; returns the last applied migration.
///
/// # Errors
/// A migration is altered or missing here, or takes away what this binary needs; or the database fails.
pub async fn check_applied(executor: impl PgExecutor<'_>) -> Result<Option<i64>, MigrationError> {
    let applied =
        format!("select version, description, checksum from {APPLIED} where success order by version");
    let applied: Vec<(i64, String, Vec<u8>)> =
        sqlx::query_as(AssertSqlSafe(applied)).fetch_all(executor).await?;
    let last = applied.last().map(|(version, ..)| *version);
    for (version, description, checksum) in applied {
        match MIGRATIONS.iter().find(|known| known.version == version) {
            Some(known) if known.checksum.as_ref() == checksum => {}
            Some(_) => return Err(MigrationError::Altered(version)),
            None if version < newest_migration() || takes_away(&description) => {
                return Err(MigrationError::Newer(version));
            }
            None => {}
        }
    }
    Ok(last)
}

fn takes_away(description: &str) -> bool {
    description.strip_prefix(CONTRACT).is_some_and(|rest| {
        let enough = rest
            .split_whitespace()
            .next()
            .and_then(|number| number.parse().ok());
        enough.is_none_or(|enough: i64| enough > newest_migration())
    })
}

pub fn newest_migration() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().unwrap_or_default()
}

impl MigrationError {
    fn cause(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Failed(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))
            | Self::Schema(error)
            | Self::Database(error)
            | Self::Locked(error) => Some(error),
            Self::Newer(_) | Self::Altered(_) | Self::Failed(_) => None,
        }
    }

    fn is_made_by_another(&self) -> bool {
        // duplicate_schema, duplicate_table, unique_violation.
        let codes = ["42P06", "42P07", "23505"];
        let code = self.cause().and_then(sql_state);
        code.is_some_and(|code| codes.contains(&code.as_str()))
    }

    pub fn is_unreachable(&self) -> bool {
        self.cause().is_some_and(is_unreachable)
    }

    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Newer(_) => "run the newer version, or restore a backup",
            Self::Altered(_) => "restore a backup, or use a database of its own",
            Self::Locked(_) => "see what the other process does; this one tries again",
            Self::Schema(_) | Self::Database(_) | Self::Failed(_) => {
                self.cause().map_or("report it with this line", |error| {
                    DatabaseErrorKind::of(error).remedy()
                })
            }
        }
    }

    pub fn is_passing(&self) -> bool {
        self.cause()
            .is_some_and(|error| DatabaseErrorKind::of(error).is_passing())
    }
}
