//! Checks the database.

use crate::config::Config;
use crate::ledger::LoadError;
use crate::postgres::inspect::{self, Protection};
use crate::postgres::{self, Database, OpenError, Pool, PrivateServer};
use crate::sync::Failure;
use crate::telemetry::chain;
use crate::time::clock::Clock;
use crate::warehouse::left_out::check_key;

use super::finding::{Finding, Report};
use super::{clocks, disk, names, readers};

const TLS: &str = "database TLS";

const TESTED: std::ops::RangeInclusive<i32> = 14..=18;

pub(super) async fn examine(config: &Config, clock: &dyn Clock, report: &mut Report) -> Option<Database> {
    let database = open(config, report).await;
    if let Some(database) = &database {
        let pool = &database.pool;
        report.add(server(pool).await);
        report.add(encryption(pool, config).await);
        report.add(schema(pool).await);
        for finding in rights(pool).await {
            report.add(finding);
        }
        report.add(names::examine(pool).await);
        for finding in readers::examine(pool).await {
            report.add(finding);
        }
        report.add(time(pool, clock).await);
        report.findings.extend(keys(pool).await);
        report.findings.extend(privacy_key(pool, config).await);
    }
    // A full disk may be the cause.
    if Database::is_private(config) {
        report.add(disk::of_private(&PrivateServer::directory(&config.data_dir)));
    } else if let Some(database) = &database {
        report.add(size(&database.pool).await);
    }
    database
}

async fn open(config: &Config, report: &mut Report) -> Option<Database> {
    if !Database::is_made(config) {
        let found = "none yet: database.url is not set, and no private PostgreSQL was made in data_dir";
        report.add(
            Finding::warning("database", found)
                .remedy("set database.url, or run `smartassist-etl sync`, which makes a private PostgreSQL"),
        );
        return None;
    }
    match Database::open(config).await {
        Ok(database) => Some(database),
        Err(error) => {
            report.add(unopened(&error));
            None
        }
    }
}

fn unopened(error: &OpenError) -> Finding {
    let failure = match error {
        OpenError::Unreachable(_)
        | OpenError::Away { .. }
        | OpenError::Certificate(_)
        | OpenError::Private(_) => Failure::DatabaseUnreachable,
        OpenError::Url(_) | OpenError::Secret(_) | OpenError::Unfit(_) => Failure::Other,
    };
    Finding::failed("database", chain(error).to_string(), failure).remedy(error.remedy())
}

pub(super) fn broken(check: &'static str, error: impl Into<LoadError>) -> Finding {
    let error = error.into();
    let failure = if error.is_unreachable() {
        Failure::DatabaseUnreachable
    } else {
        Failure::Other
    };
    Finding::failed(check, chain(&error).to_string(), failure).remedy(error.remedy())
}

async fn server(pool: &Pool) -> Finding {
    const CHECK: &str = "database";
    let server = match inspect::server(pool).await {
        Ok(server) => server,
        Err(error) => return broken(CHECK, error),
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

/// Other checks report query errors, also for `privacy_key`.
async fn keys(pool: &Pool) -> Option<Finding> {
    const CHECK: &str = "interaction keys";
    let sample = inspect::keys(pool).await.ok()?;
    if sample.wrong > 0 {
        let found = format!(
            "of {} interactions {} have another key than their ids make",
            sample.rows, sample.wrong
        );
        return Some(Finding::failed(CHECK, found, Failure::Other).remedy(
            "somebody changed account_id, conversation_id or session_id by hand: delete these rows (where interaction_key <> \
             smartassist.interaction_key(account_id, conversation_id, session_id)), and read their days again with \
             `backfill --refetch`",
        ));
    }
    let found = || format!("those of {} interactions fit their ids", sample.rows);
    (sample.rows > 0).then(|| Finding::ok(CHECK, found()))
}

async fn privacy_key(pool: &Pool, config: &Config) -> Option<Finding> {
    const CHECK: &str = "privacy.key";
    match check_key(pool, config.privacy.key.as_ref()).await {
        Ok(true) => Some(Finding::ok(
            CHECK,
            "it is the one that customers were erased with",
        )),
        Err(error @ LoadError::ErasureKey) => Some(broken(CHECK, error)),
        Ok(false) | Err(_) => None,
    }
}

async fn encryption(pool: &Pool, config: &Config) -> Finding {
    match inspect::protection(pool).await {
        Ok(protection) => protected(&protection, config.database.session.statement_cache == 0),
        Err(error) => broken(TLS, error),
    }
}

/// The pooler's own connection is unknown.
fn protected(protection: &Protection, is_pooled: bool) -> Finding {
    let mode = protection.ssl_mode;
    let (is_plain, found) = match &protection.encryption {
        _ if is_pooled => (
            mode == "disable",
            format!("sslmode {mode} as far as the pooler; how that reaches the server is its own"),
        ),
        Some((version, cipher)) => (false, format!("{version} with {cipher}, sslmode {mode}")),
        None => (true, format!("none, sslmode {mode}")),
    };
    if protection.is_on_this_machine {
        return Finding::ok(TLS, format!("{found}; it is on this machine"));
    }
    let risk = if is_plain {
        "anybody in between can read and change all"
    } else if mode == "verify-full" || mode == "verify-ca" {
        return Finding::ok(TLS, found);
    } else {
        "the server's certificate is not checked: anybody in between can read and change all"
    };
    Finding::warning(TLS, found)
        .means(risk)
        .remedy("use sslmode=verify-full, with database.ca_file for an authority of your own")
}

async fn time(pool: &Pool, clock: &dyn Clock) -> Finding {
    match inspect::clock_ahead(pool, clock).await {
        Ok(ahead) => clocks::of_database(ahead),
        Err(error) => broken("database clock", error),
    }
}

async fn size(pool: &Pool) -> Finding {
    match inspect::size(pool).await {
        Ok(size) => disk::of_server(size),
        Err(error) => broken("disk", error),
    }
}

async fn schema(pool: &Pool) -> Finding {
    const CHECK: &str = "database schema";
    let known = postgres::newest_migration();
    match inspect::applied(pool).await {
        Err(error) => broken(CHECK, error),
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
        Err(error) => return vec![broken(CHECK, error)],
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn protection(ssl_mode: &'static str, is_on_this_machine: bool, is_encrypted: bool) -> Protection {
        let encryption = ("TLSv1.3".to_owned(), "TLS_AES_256_GCM_SHA384".to_owned());
        Protection {
            ssl_mode,
            is_on_this_machine,
            encryption: is_encrypted.then_some(encryption),
        }
    }

    #[test]
    fn plain_text_to_another_machine_and_an_unchecked_certificate_are_warnings() {
        for (mode, is_here, is_encrypted, level) in [
            ("prefer", true, false, Level::Ok),
            ("disable", true, false, Level::Ok),
            ("disable", false, false, Level::Warning),
            ("require", false, true, Level::Warning),
            ("verify-ca", false, true, Level::Ok),
            ("verify-full", false, true, Level::Ok),
        ] {
            let finding = protected(&protection(mode, is_here, is_encrypted), false);
            assert_eq!(finding.status, level, "{mode} {is_here}");
        }
    }

    #[test]
    fn behind_a_pooler_only_the_way_to_the_pooler_is_known() {
        let plain = protected(&protection("disable", false, true), true);
        assert_eq!(plain.status, Level::Warning);
        let checked = protected(&protection("verify-full", false, false), true);
        assert_eq!(checked.status, Level::Ok);
        assert!(
            checked.found.contains("as far as the pooler"),
            "{}",
            checked.found
        );
    }
}
