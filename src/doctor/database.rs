//! Checks the database.

use std::ops::RangeInclusive;

use sqlx::Error;

use crate::config::Config;
use crate::ledger::LoadError;
use crate::ledger::problems::Problem;
use crate::postgres::inspect::{self, Protection};
use crate::postgres::{self, Database, Pool, PrivateServer};
use crate::time::clock::Clock;
use crate::warehouse::left_out::check_key;

use super::finding::Finding;
use super::{clocks, disk};

const SERVER: &str = "database";
const TLS: &str = "database TLS";
const SCHEMA: &str = "database schema";
const RIGHTS: &str = "database rights";
const NAMES: &str = "database names";
const READERS: &str = "database readers";

const TESTED: RangeInclusive<i32> = 14..=18;

const SHADOWS_TOLD: usize = 5;

pub(super) async fn examine(
    config: &Config,
    clock: &dyn Clock,
    findings: &mut Vec<Finding>,
) -> Option<Database> {
    let database = open(config, findings).await;
    if let Some(database) = &database {
        let pool = &database.pool;
        for (check, found) in [
            (SERVER, server(pool).await),
            (TLS, encryption(pool, config).await),
            (SCHEMA, schema(pool).await),
            (RIGHTS, rights(pool).await),
            (NAMES, names(pool).await),
            (READERS, readers(pool).await),
            ("database clock", time(pool, clock).await),
        ] {
            findings.extend(found.unwrap_or_else(|error| vec![broken(check, error)]));
        }
        findings.extend(keys(pool).await);
        findings.extend(privacy_key(pool, config).await);
    }
    // A full disk may be the cause.
    if Database::is_private(config) {
        findings.push(disk::of_private(&PrivateServer::directory(&config.data_dir)));
    } else if let Some(database) = &database {
        let size = inspect::size(&database.pool).await;
        findings.push(size.map_or_else(|error| broken("disk", error), disk::of_server));
    }
    database
}

async fn open(config: &Config, findings: &mut Vec<Finding>) -> Option<Database> {
    if !Database::is_made(config) {
        let found = "none yet: database.url is not set, and no private PostgreSQL was made in data_dir";
        let remedy = "set database.url, or run `smartassist-etl sync`, which makes a private PostgreSQL";
        findings.push(Finding::warning(SERVER, found).remedy(remedy));
        return None;
    }
    let opened = Database::open(config).await;
    opened
        .map_err(|error| findings.push(Finding::problem(SERVER, &error)))
        .ok()
}

fn broken(check: &'static str, error: impl Into<LoadError>) -> Finding {
    Finding::problem(check, Problem::from(&error.into()))
}

async fn server(pool: &Pool) -> Result<Vec<Finding>, Error> {
    let server = inspect::server(pool).await?;
    let found = format!("PostgreSQL {} answers", server.version);
    Ok(vec![if server.is_read_only {
        Finding::failed(SERVER, format!("{found}, but takes no writes"))
            .remedy("point database.url at the primary, and check that default_transaction_read_only is off for our user")
    } else if server.major < *TESTED.start() {
        Finding::failed(SERVER, format!("{found}, which is too old")).remedy("use PostgreSQL 14 or newer")
    } else if server.major > *TESTED.end() {
        Finding::warning(
            SERVER,
            format!("{found}, which is newer than the tested versions"),
        )
        .remedy("use PostgreSQL 14 to 18, or look for a newer release of smartassist-etl")
    } else {
        Finding::ok(SERVER, found)
    }])
}

/// Other checks report query errors, also for `privacy_key`.
async fn keys(pool: &Pool) -> Option<Finding> {
    const CHECK: &str = "interaction keys";
    let sample = inspect::keys(pool).await.ok()?;
    if sample.wrong > 0 {
        let found = format!(
            "{} of {} interactions have a key that does not fit their ids",
            sample.wrong, sample.rows
        );
        return Some(Finding::failed(CHECK, found).remedy(
            "somebody changed account_id, conversation_id or session_id by hand: delete these rows (where interaction_key <> \
             smartassist.interaction_key(account_id, conversation_id, session_id)), and run `backfill --refetch` for their days",
        ));
    }
    let found = format!("the keys of {} interactions fit their ids", sample.rows);
    (sample.rows > 0).then(|| Finding::ok(CHECK, found))
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

async fn encryption(pool: &Pool, config: &Config) -> Result<Vec<Finding>, Error> {
    let protection = inspect::protection(pool).await?;
    Ok(vec![protected(
        &protection,
        config.database.session.statement_cache == 0,
    )])
}

/// The pooler's own connection is unknown.
fn protected(protection: &Protection, is_pooled: bool) -> Finding {
    let mode = protection.ssl_mode;
    let (is_plain, found) = match &protection.encryption {
        _ if is_pooled => (
            mode == "disable",
            format!("sslmode {mode} as far as the pooler; its own connection to the server is not known"),
        ),
        Some((version, cipher)) => (false, format!("{version} with {cipher}, sslmode {mode}")),
        None => (true, format!("none, sslmode {mode}")),
    };
    let explanation = if protection.is_on_this_machine {
        return Finding::ok(TLS, format!("{found}; it is on this machine"));
    } else if is_plain {
        "anybody in between can read and change all"
    } else if mode == "verify-full" || mode == "verify-ca" {
        return Finding::ok(TLS, found);
    } else {
        "the server's certificate is not checked: anybody in between can read and change all"
    };
    Finding::warning(TLS, found)
        .explanation(explanation)
        .remedy("use sslmode=verify-full, with database.ca_file for an authority of your own")
}

async fn time(pool: &Pool, clock: &dyn Clock) -> Result<Vec<Finding>, Error> {
    let ahead = inspect::clock_ahead(pool, clock).await?;
    Ok(vec![clocks::of_database(ahead)])
}

async fn schema(pool: &Pool) -> Result<Vec<Finding>, Error> {
    let known = postgres::newest_migration();
    Ok(vec![match inspect::applied(pool).await? {
        None => Finding::warning(SCHEMA, "the database holds no tables of ours yet")
            .remedy("run `smartassist-etl migrate` or `sync`; `run` does it too"),
        Some(applied) if applied < known => Finding::warning(
            SCHEMA,
            format!("the last applied migration is {applied}, this binary has {known}"),
        )
        .remedy("run `smartassist-etl migrate`; `sync` and `run` do it too"),
        Some(applied) if applied > known => Finding::failed(
            SCHEMA,
            format!("the last applied migration is {applied}, this binary knows {known}"),
        )
        .remedy("run the newer version again, or restore a backup"),
        Some(applied) => Finding::ok(SCHEMA, format!("up to date (migration {applied})")),
    }])
}

async fn rights(pool: &Pool) -> Result<Vec<Finding>, Error> {
    let rights = inspect::rights(pool).await?;
    let missing = |rights: &[String]| format!("missing: {}", rights.join(", "));
    let mut findings = Vec::new();
    if !rights.missing.is_empty() {
        findings.push(
            Finding::failed(RIGHTS, missing(&rights.missing))
                .explanation("nothing can be loaded")
                .remedy("have an administrator grant them to the user of database.url"),
        );
    }
    if !rights.missing_to_migrate.is_empty() {
        findings.push(
            Finding::warning(RIGHTS, missing(&rights.missing_to_migrate))
                .explanation("this user cannot apply migrations")
                .remedy("run `smartassist-etl migrate` as a user who has them, or have them granted"),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok(RIGHTS, "all that loading and migrating needs"));
    }
    Ok(findings)
}

/// Whether objects in `public` can shadow `PostgreSQL`'s own.
async fn names(pool: &Pool) -> Result<Vec<Finding>, Error> {
    const REVOKE: &str = "revoke create on schema public from public";
    let names = inspect::names(pool).await?;
    let (found, remedy) = if !names.shadows.is_empty() {
        let told = names.shadows[..names.shadows.len().min(SHADOWS_TOLD)].join(", ");
        let more = names.shadows.len().saturating_sub(SHADOWS_TOLD);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        (
            format!("schema public holds objects named like PostgreSQL's own: {told}{more}"),
            format!("find out who made them, drop them, and: {REVOKE}"),
        )
    } else if names.public_is_open {
        (
            "everybody may create objects in schema public".to_owned(),
            REVOKE.to_owned(),
        )
    } else {
        return Ok(vec![Finding::ok(
            NAMES,
            "nothing in schema public shadows PostgreSQL's own names",
        )]);
    };
    let explanation = "this program does not use that schema, but whoever else works in this database may call a function \
                       of somebody else's with their own rights";
    Ok(vec![
        Finding::warning(NAMES, found)
            .explanation(explanation)
            .remedy(remedy),
    ])
}

/// Reader roles belong to the cluster and may be older than ours.
async fn readers(pool: &Pool) -> Result<Vec<Finding>, Error> {
    let roles = inspect::foreign_readers(pool).await?;
    let with_members = roles.into_iter().filter(|(_, members)| !members.is_empty());
    let finding = |(role, members): (String, Vec<String>)| {
        let members = members.join(", ");
        Finding::warning(READERS, format!("the role {role} was there before this program made one, with members: {members}"))
            .explanation("they read what is stored here")
            .remedy(
                "revoke it from those it is not meant for; then give the role a comment (comment on role … is '…')",
            )
    };
    Ok(with_members.map(finding).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::problems::Severity;

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
        for (mode, is_here, is_encrypted, status) in [
            ("prefer", true, false, Severity::Ok),
            ("disable", true, false, Severity::Ok),
            ("disable", false, false, Severity::Warning),
            ("require", false, true, Severity::Warning),
            ("verify-ca", false, true, Severity::Ok),
            ("verify-full", false, true, Severity::Ok),
        ] {
            let finding = protected(&protection(mode, is_here, is_encrypted), false);
            assert_eq!(finding.status, status, "{mode} {is_here}");
        }
    }

    #[test]
    fn behind_a_pooler_only_the_way_to_the_pooler_is_known() {
        let plain = protected(&protection("disable", false, true), true);
        assert_eq!(plain.status, Severity::Warning);
        let checked = protected(&protection("verify-full", false, false), true);
        assert_eq!(checked.status, Severity::Ok);
        assert!(
            checked.found.contains("as far as the pooler"),
            "{}",
            checked.found
        );
    }
}
