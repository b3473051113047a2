//! Checks the database: server, way to it, schema, rights and keys.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;

use crate::config::Config;
use crate::ledger::LoadError;
use crate::postgres::{self, Database, MigrationError, Pool, PrivateServer};
use crate::time::Clock;
use crate::warehouse::left_out::check_key;

use super::{Finding, clocks_and_disks};

const TESTED: RangeInclusive<i32> = 14..=18;

const SHADOWS_SHOWN: usize = 5;

type Checked = Result<Vec<Finding>, LoadError>;

pub(super) async fn examine(
    config: &Config,
    clock: &dyn Clock,
    findings: &mut Vec<Finding>,
) -> Option<Database> {
    let mut add = |check, found: Checked| {
        let found = found.unwrap_or_else(|error| vec![Finding::problem(&error)]);
        findings.extend(found.into_iter().map(|finding| finding.check(check)));
    };
    let database = match open(config).await {
        Ok(database) => Some(database),
        Err(finding) => {
            add("database", Ok(vec![finding]));
            None
        }
    };
    if let Some(database) = &database {
        let pool = &database.pool;
        add("database", server(pool).await);
        add("database TLS", encryption(pool, config).await);
        add("database schema", schema(pool).await);
        add("database rights", rights(pool).await);
        add("database names", names(pool).await);
        add("database readers", readers(pool).await);
        add("database clock", time(pool, clock).await);
        add("interaction keys", Ok(keys(pool).await));
        add("privacy.key", privacy_key(pool, config).await);
    }
    // A full disk may be the cause.
    if Database::is_private(config) {
        let directory = PrivateServer::directory(&config.data_dir);
        add("disk", Ok(vec![clocks_and_disks::private_disk(&directory)]));
    }
    database
}

async fn open(config: &Config) -> Result<Database, Finding> {
    if Database::is_made(config) {
        return Database::open(config)
            .await
            .map_err(|error| Finding::problem(&error));
    }
    let found = "none yet: database.url is not set, and no private PostgreSQL was made in data_dir";
    let remedy = "set database.url, or run `smartassist-etl sync`, which makes a private PostgreSQL";
    Err(Finding::warning(found).remedy(remedy))
}

async fn server(pool: &Pool) -> Checked {
    let (version, major, is_read_only): (String, i32, bool) = sqlx::query_as(
        "select split_part(current_setting('server_version'), ' ', 1), \
         current_setting('server_version_num')::integer / 10000, \
         pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean",
    )
    .fetch_one(pool)
    .await?;
    let found = format!("PostgreSQL {version} answers");
    Ok(vec![if is_read_only {
        Finding::failed(format!("{found}, but takes no writes"))
            .remedy("point database.url at the primary, and check that default_transaction_read_only is off for our user")
    } else if major < *TESTED.start() {
        Finding::failed(format!("{found}, which is too old")).remedy("use PostgreSQL 14 or newer")
    } else if major > *TESTED.end() {
        Finding::warning(format!("{found}, which is newer than the tested versions"))
            .remedy("use PostgreSQL 14 to 18, or look for a newer release of smartassist-etl")
    } else {
        Finding::ok(found)
    }])
}

/// Of the first and last 500. Other checks report query errors, also for `privacy_key`.
async fn keys(pool: &Pool) -> Vec<Finding> {
    let sample = sqlx::query_as::<_, (i64, i64)>(
        "select count(*), count(*) filter (where interaction_key <> \
         smartassist.interaction_key(account_id, conversation_id, session_id)) from ( \
         (select interaction_key, account_id, conversation_id, session_id from smartassist.sessions \
         order by interaction_key limit 500) \
         union (select interaction_key, account_id, conversation_id, session_id from smartassist.sessions \
         order by interaction_key desc limit 500)) as sample",
    );
    let Ok((rows, wrong)) = sample.fetch_one(pool).await else {
        return Vec::new();
    };
    if wrong > 0 {
        let found = format!("{wrong} of {rows} interactions have a key that does not fit their ids");
        return vec![Finding::failed(found).remedy(
            "somebody changed account_id, conversation_id or session_id by hand: delete these rows (where interaction_key <> \
             smartassist.interaction_key(account_id, conversation_id, session_id)), and run `backfill --refetch` for their days",
        )];
    }
    let fitting = (rows > 0).then(|| Finding::ok(format!("the keys of {rows} interactions fit their ids")));
    fitting.into_iter().collect()
}

async fn privacy_key(pool: &Pool, config: &Config) -> Checked {
    match check_key(pool, config.privacy.key.as_ref()).await {
        Ok(true) => Ok(vec![Finding::ok("it is the one that customers were erased with")]),
        Err(error @ LoadError::ErasureKey) => Err(error),
        Ok(false) | Err(_) => Ok(Vec::new()),
    }
}

async fn encryption(pool: &Pool, config: &Config) -> Checked {
    let encryption = "select version, cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl";
    let encryption = sqlx::query_as(encryption).fetch_optional(pool).await?;
    let is_pooled = config.database.session.statement_cache == 0;
    Ok(vec![protection(&pool.options(), encryption, is_pooled)])
}

/// The pooler's own connection is unknown.
fn protection(options: &PgConnectOptions, encryption: Option<(String, String)>, is_pooled: bool) -> Finding {
    let mode = postgres::ssl_mode(options);
    let found = match encryption {
        _ if is_pooled => {
            format!("sslmode {mode} as far as the pooler; its own connection to the server is not known")
        }
        Some((version, cipher)) => format!("{version} with {cipher}, sslmode {mode}"),
        None => format!("none, sslmode {mode}"),
    };
    match postgres::risk(options) {
        Some(risk) => Finding::warning(found)
            .explanation(risk)
            .remedy(postgres::RISK_REMEDY),
        None if postgres::is_on_this_machine(options) => {
            Finding::ok(format!("{found}; it is on this machine"))
        }
        None => Finding::ok(found),
    }
}

/// Within half a round trip, without the time to connect.
async fn time(pool: &Pool, clock: &dyn Clock) -> Checked {
    pool.transact(async |transaction| {
        let asked = clock.now();
        let theirs: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(transaction)
            .await?;
        let answered = clock.now();
        let ahead = theirs - (asked + (answered - asked) / 2);
        Ok(vec![clocks_and_disks::database_clock(ahead)])
    })
    .await
}

async fn schema(pool: &Pool) -> Checked {
    let known = postgres::newest_migration();
    let applied = match postgres::check_applied(pool).await {
        Ok(applied) => applied,
        Err(MigrationError::Database(error)) if postgres::is_undefined(&error) => None,
        Err(MigrationError::Database(error)) => return Err(error.into()),
        Err(unfit) => return Ok(vec![Finding::failed(unfit.to_string()).remedy(unfit.remedy())]),
    };
    let Some(applied) = applied else {
        let found = "the database holds no tables of ours yet";
        let remedy = "run `smartassist-etl migrate` or `sync`; `run` does it too";
        return Ok(vec![Finding::warning(found).remedy(remedy)]);
    };
    let found = format!("the last applied migration is {applied}, this binary has {known}");
    Ok(vec![match applied.cmp(&known) {
        Less => Finding::warning(found).remedy("run `smartassist-etl migrate`; `sync` and `run` do it too"),
        Equal => Finding::ok(format!("up to date (migration {applied})")),
        Greater => Finding::ok(format!("{found}, which can work with it")),
    }])
}

async fn rights(pool: &Pool) -> Checked {
    let rights = sqlx::query_as(include_str!("missing_rights.sql"));
    let (to_load, to_migrate): (Vec<String>, Vec<String>) = rights.fetch_one(pool).await?;
    let missing = |rights: &[String]| format!("missing: {}", rights.join(", "));
    let mut findings = Vec::new();
    if !to_load.is_empty() {
        findings.push(
            Finding::failed(missing(&to_load))
                .explanation("nothing can be loaded")
                .remedy("have an administrator grant them to the user of database.url"),
        );
    }
    if !to_migrate.is_empty() {
        findings.push(
            Finding::warning(missing(&to_migrate))
                .explanation("this user cannot apply migrations")
                .remedy("run `smartassist-etl migrate` as a user who has them, or have them granted"),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok("all that loading and migrating needs"));
    }
    Ok(findings)
}

async fn names(pool: &Pool) -> Checked {
    const REVOKE: &str = "revoke create on schema public from public";
    let names = sqlx::query_as(include_str!("names.sql"));
    let (public_is_open, shadows): (bool, Vec<String>) = names.fetch_one(pool).await?;
    let finding = if !shadows.is_empty() {
        let mut told = shadows[..shadows.len().min(SHADOWS_SHOWN)].join(", ");
        if shadows.len() > SHADOWS_SHOWN {
            told += &format!(" and {} more", shadows.len() - SHADOWS_SHOWN);
        }
        Finding::warning(format!(
            "schema public holds objects named like PostgreSQL's own: {told}"
        ))
        .remedy(format!("find out who made them, drop them, and: {REVOKE}"))
    } else if public_is_open {
        Finding::warning("everybody may create objects in schema public").remedy(REVOKE)
    } else {
        return Ok(vec![Finding::ok(
            "nothing in schema public shadows PostgreSQL's own names",
        )]);
    };
    Ok(vec![finding.explanation(
        "this program does not use that schema, but whoever else works in this database may call a function of somebody \
         else's with their own rights",
    )])
}

/// Reader roles belong to the cluster and may be older than ours.
async fn readers(pool: &Pool) -> Checked {
    let roles: Vec<(String, Vec<String>)> = sqlx::query_as(include_str!("readers.sql"))
        .fetch_all(pool)
        .await?;
    let with_members = roles.into_iter().filter(|(_, members)| !members.is_empty());
    let finding = |(role, members): (String, Vec<String>)| {
        let members = members.join(", ");
        let found =
            format!("the role {role} was there before this program made one, with members: {members}");
        Finding::warning(found).explanation("they read what is stored here").remedy(
            "revoke it from those it is not meant for; then give the role a comment (comment on role … is '…')",
        )
    };
    let blind: Vec<(String, String)> = sqlx::query_as(include_str!("blind_readers.sql"))
        .fetch_all(pool)
        .await?;
    let blind = blind.into_iter().map(|(role, statements)| {
        Finding::warning(format!("the role {role} is missing or may not read"))
            .explanation("BI tools and analysts cannot be given the right to read")
            .remedy(format!(
                "have an administrator run, in this database: {statements}"
            ))
    });
    Ok(with_members.map(finding).chain(blind).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::problems::Severity;

    fn of(host: &str, mode: &str, is_encrypted: bool, is_pooled: bool) -> Finding {
        let options = format!("postgres://etl@{host}/warehouse?sslmode={mode}");
        let encryption = ("TLSv1.3".to_owned(), "TLS_AES_256_GCM_SHA384".to_owned());
        let encryption = is_encrypted.then_some(encryption);
        protection(&options.parse().unwrap(), encryption, is_pooled)
    }

    #[test]
    fn plain_text_and_unchecked_certificates_are_warnings() {
        for (host, mode, is_encrypted, status) in [
            ("localhost", "prefer", false, Severity::Ok),
            ("localhost", "disable", false, Severity::Ok),
            ("db.example.com", "disable", false, Severity::Warning),
            ("db.example.com", "require", true, Severity::Warning),
            ("db.example.com", "verify-ca", true, Severity::Ok),
            ("db.example.com", "verify-full", true, Severity::Ok),
        ] {
            assert_eq!(
                of(host, mode, is_encrypted, false).status,
                status,
                "{host} {mode}"
            );
        }
    }

    #[test]
    fn behind_a_pooler_only_the_way_to_the_pooler_is_known() {
        let plain = of("db.example.com", "disable", true, true);
        assert_eq!(plain.status, Severity::Warning);
        let checked = of("db.example.com", "verify-full", false, true);
        assert_eq!(checked.status, Severity::Ok);
        assert!(
            checked.found.contains("as far as the pooler"),
            "{}",
            checked.found
        );
    }
}
