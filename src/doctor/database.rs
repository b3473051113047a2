//! The database: is it there, is it one that we know, may we write.

use crate::config::Config;
use crate::database::Pool;
use crate::database::{self, Database, OpenError, inspect};
use crate::load::LoadError;
use crate::observe::chain;
use crate::sync::Failure;

use super::finding::{Finding, Report};

/// The versions that every release is tested with.
const TESTED: std::ops::RangeInclusive<i32> = 14..=18;

/// The database, if it can be opened and holds our tables or may one day.
pub(super) async fn examine(config: &Config, report: &mut Report) -> Option<Database> {
    if !Database::is_made(config) {
        let found = "none yet: database.url is not set, and no private PostgreSQL was made in data_dir";
        report.add(
            Finding::warning("database", found)
                .remedy("set database.url, or run `smartassist-etl sync`, which makes a private PostgreSQL"),
        );
        return None;
    }
    let database = match Database::open(config).await {
        Ok(database) => database,
        Err(error) => {
            report.add(unopened(&error));
            return None;
        }
    };
    for finding in [server(&database.pool).await, schema(&database.pool).await] {
        report.add(finding);
    }
    for finding in rights(&database.pool).await {
        report.add(finding);
    }
    Some(database)
}

fn unopened(error: &OpenError) -> Finding {
    let failure = match error {
        OpenError::Unreachable(_) | OpenError::Certificate(_) | OpenError::Private(_) => {
            Failure::DatabaseUnreachable
        }
        OpenError::Url(_) | OpenError::Secret(_) => Failure::Other,
    };
    Finding::failed("database", chain(error).to_string(), failure).remedy(error.remedy())
}

fn broken(check: &'static str, error: &LoadError) -> Finding {
    let failure = if error.is_unreachable() {
        Failure::DatabaseUnreachable
    } else {
        Failure::Other
    };
    Finding::failed(check, chain(error).to_string(), failure).remedy(error.remedy())
}

async fn server(pool: &Pool) -> Finding {
    const CHECK: &str = "database";
    let server = match inspect::server(pool).await {
        Ok(server) => server,
        Err(error) => return broken(CHECK, &error),
    };
    let found = format!("PostgreSQL {} answers", server.version);
    if server.is_read_only {
        return Finding::failed(CHECK, format!("{found}, but takes no writes"), Failure::Other).remedy(
            "point database.url at the primary, and see that default_transaction_read_only is off for our user",
        );
    }
    if server.major < *TESTED.start() {
        return Finding::failed(CHECK, format!("{found}, which is too old"), Failure::Other)
            .remedy("use PostgreSQL 14 or newer");
    }
    if server.major > *TESTED.end() {
        return Finding::warning(CHECK, format!("{found}, which is newer than any that was tested"))
            .remedy("use PostgreSQL 14 to 18, or look for a newer release of smartassist-etl");
    }
    Finding::ok(CHECK, found)
}

async fn schema(pool: &Pool) -> Finding {
    const CHECK: &str = "database schema";
    let known = database::newest_migration();
    match inspect::applied(pool).await {
        Err(error) => broken(CHECK, &error),
        Ok(None) => Finding::warning(CHECK, "the database holds no tables of ours yet")
            .remedy("run `smartassist-etl migrate` or `sync`; `run` does it too"),
        Ok(Some(applied)) if applied < known => Finding::warning(
            CHECK,
            format!("migration {applied} was the last, this binary has {known}"),
        )
        .remedy("run `smartassist-etl migrate`; `sync` and `run` do it too"),
        Ok(Some(applied)) if applied > known => Finding::failed(
            CHECK,
            format!("migration {applied} was the last, this binary knows {known}"),
            Failure::Other,
        )
        .remedy("run the newer version again, or restore a backup"),
        Ok(Some(applied)) => Finding::ok(CHECK, format!("up to date (migration {applied})")),
    }
}

async fn rights(pool: &Pool) -> Vec<Finding> {
    const CHECK: &str = "database rights";
    let rights = match inspect::rights(pool).await {
        Ok(rights) => rights,
        Err(error) => return vec![broken(CHECK, &error)],
    };
    let mut findings = Vec::new();
    if !rights.missing.is_empty() {
        findings.push(
            Finding::failed(
                CHECK,
                format!("missing: {}", rights.missing.join(", ")),
                Failure::Other,
            )
            .means("nothing can be loaded")
            .remedy("an administrator grants them to the user of database.url"),
        );
    }
    if !rights.missing_to_migrate.is_empty() {
        findings.push(
            Finding::warning(
                CHECK,
                format!("missing: {}", rights.missing_to_migrate.join(", ")),
            )
            .means("migrations cannot be applied by this user")
            .remedy("run `smartassist-etl migrate` as a user who has them, or have them granted"),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "all that loading and migrating needs"));
    }
    findings
}
