//! The database: out of reach, empty, without rights, in plain text, without room.

use std::collections::HashMap;
use std::path::Path;

use super::{Diagnosis, busy};
use crate::support::tls::{Authority, Flaw, postgres};
use crate::support::{Setup, TestDatabase, database, port};

#[tokio::test]
async fn doctor_without_a_database_exits_with_4_and_checks_the_api() {
    let setup = busy().await;
    let mut environment = setup.environment();
    let closed = port::closed();
    environment.insert(
        "DATABASE_URL".to_owned(),
        format!("postgres://etl:hunter2@{closed}/warehouse"),
    );
    environment.insert(
        "SMARTASSIST_ETL__DATABASE__CONNECT_TIMEOUT_SECONDS".to_owned(),
        "1".to_owned(),
    );
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 4);
    diagnosis.assert("database", "failed", "out of reach");
    diagnosis.assert("API", "ok", "it answers");
    assert!(!diagnosis.report.to_string().contains("hunter2"));
}

#[tokio::test]
async fn an_empty_database_and_none_at_all_are_warnings() {
    let database = TestDatabase::empty().await;
    let setup = busy().await;
    let mut environment = setup.environment_on(&database).await;
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
    diagnosis.assert("database schema", "warning", "no tables of ours yet");
    diagnosis.assert("totals", "ok", "numResults is the number of all records");
    assert_eq!(
        database
            .number("select count(*) from pg_namespace where nspname ~ 'smartassist'")
            .await,
        0
    );

    environment.remove("DATABASE_URL");
    let nowhere = tempfile::tempdir().unwrap();
    let data_dir = nowhere.path().join("data");
    environment.insert(
        "SMARTASSIST_ETL__DATA_DIR".to_owned(),
        data_dir.to_str().unwrap().to_owned(),
    );
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 0);
    diagnosis.assert("database", "warning", "none yet");
    assert!(
        diagnosis.check("disk").1.contains("are free for"),
        "{:#}",
        diagnosis.report
    );
    assert!(!data_dir.exists());
}

#[tokio::test]
async fn a_disk_without_room_for_a_private_database_has_failed() {
    let setup = busy().await;
    let mut environment = setup.environment();
    // A file system that has no room at all.
    environment.insert("SMARTASSIST_ETL__DATA_DIR".to_owned(), "/proc/data".to_owned());
    let diagnosis = Diagnosis::of(&environment).await;
    diagnosis.assert("disk", "failed", "/proc/data/postgres");
    assert_eq!(diagnosis.code, 1);
}

#[tokio::test]
async fn a_user_without_rights_is_told_which_are_missing() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let role = format!("poor_{}", database.name);
    database
        .execute(&format!(
            "create role {role} login password 'hunter2'; grant usage on schema smartassist_sync to {role}"
        ))
        .await;
    let mut environment = setup.environment_on(&database).await;
    let url = environment["DATABASE_URL"].clone();
    let (_, rest) = url.split_once('@').unwrap();
    environment.insert(
        "DATABASE_URL".to_owned(),
        format!("postgres://{role}:hunter2@{rest}"),
    );
    let diagnosis = Diagnosis::of(&environment).await;
    assert_eq!(diagnosis.code, 1, "{:#}", diagnosis.report);
    diagnosis.assert("database rights", "failed", "usage on schema smartassist,");
    diagnosis.assert(
        "database rights",
        "failed",
        "insert on table smartassist_sync.windows",
    );
}

/// What is said of the database at this URL.
async fn at(url: &str, setup: &Setup, authority: &Path) -> Diagnosis {
    let mut environment: HashMap<String, String> = setup.environment();
    for (name, value) in [
        ("DATABASE_URL", url),
        ("SMARTASSIST_ETL__DATABASE__CA_FILE", authority.to_str().unwrap()),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    Diagnosis::of(&environment).await
}

#[tokio::test]
async fn how_the_way_to_the_database_is_protected_is_told() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let entered_by_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), entered_by_all).unwrap();
    let server = postgres(directory.path(), authority.vouches(Flaw::None)).await;
    let trusted = authority.file(directory.path());
    let setup = Setup::live().await;
    let url = database::url(&server.options());
    let here = url.split('?').next().unwrap().to_owned();
    // This machine, by an address that does not say so.
    let elsewhere = here.replace("127.0.0.1", "0.0.0.0");
    for (url, check, status, found) in [
        (here.clone(), "database TLS", "ok", "sslmode verify-full"),
        (here.clone(), "database TLS", "ok", "TLSv1.3 with TLS_"),
        (
            format!("{here}?sslmode=disable"),
            "database TLS",
            "ok",
            "none, sslmode disable",
        ),
        (
            format!("{elsewhere}?sslmode=require"),
            "database TLS",
            "warning",
            "sslmode require",
        ),
        (
            format!("{elsewhere}?sslmode=disable"),
            "database TLS",
            "warning",
            "none, sslmode disable",
        ),
        (
            elsewhere.clone(),
            "database",
            "failed",
            "certificate does not hold",
        ),
    ] {
        let diagnosis = at(&url, &setup, &trusted).await;
        diagnosis.assert(check, status, found);
    }
    server.stop().await;
}
