//! Certificates that do not hold: of the API and of the database. Nothing is sent then, and the
//! error says what is wrong with them.

use super::watch;
use crate::support::daemon::environment;
use crate::support::tls::{Authority, Flaw, postgres, terminate};
use crate::support::{Program, Setup, TestDatabase, database};

/// One `sync` against an API with this certificate; whom it trusts.
async fn sync_with(flaw: Flaw, trusts_another: bool) -> (i32, String, usize) {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let mut setup = Setup::live().await;
    setup.seed_days(2, 2, 0, 20);
    setup.set("max_retries", "0");
    let address = terminate(setup.simulator.address(), authority.vouches(flaw)).await;
    setup.set("base_url", &format!("https://{address}"));
    let database = TestDatabase::migrated().await;
    let (mut environment, _) = environment(&setup, &database).await;
    let trusted = if trusts_another {
        Authority::new()
    } else {
        authority
    };
    environment.insert(
        "SSL_CERT_FILE".to_owned(),
        trusted.file(directory.path()).display().to_string(),
    );
    let ended = Program::run(&["sync"], &environment).await;
    (
        ended.code(),
        ended.log.join("\n"),
        setup.simulator.world().requests().count(),
    )
}

#[tokio::test]
async fn an_api_with_a_good_certificate_is_spoken_to() {
    let (code, log, requests) = sync_with(Flaw::None, false).await;
    assert_eq!(code, 0, "{log}");
    assert!(requests > 0);
}

#[tokio::test]
async fn an_api_with_an_invalid_certificate_gets_no_request() {
    for (flaw, trusts_another, said) in [
        (Flaw::Expired, false, "certificate expired"),
        (Flaw::OtherHost, false, "not valid for"),
        (Flaw::None, true, "UnknownIssuer"),
    ] {
        let (code, log, requests) = sync_with(flaw, trusts_another).await;
        assert_eq!((code, requests), (1, 0), "{log}");
        assert!(log.contains(said), "{flaw:?} {trusts_another}:\n{log}");
        assert!(log.contains("the API's certificate does not hold"), "{log}");
    }
}

#[tokio::test]
async fn a_database_has_to_show_a_certificate_that_holds() {
    let authority = Authority::new();
    for (flaw, trusts_another, said) in [
        (Flaw::None, false, ""),
        (Flaw::Expired, false, "certificate expired"),
        (Flaw::OtherHost, false, "not valid for"),
        (Flaw::None, true, "UnknownIssuer"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let entered_by_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), entered_by_all).unwrap();
        let server = postgres(directory.path(), authority.vouches(flaw)).await;
        let setup = Setup::live().await;
        setup.seed_days(2, 2, 0, 20);
        let unused = TestDatabase::empty().await;
        let (mut environment, _) = environment(&setup, &unused).await;
        let url = database::url(&server.options());
        let url = url.split('?').next().unwrap().to_owned();
        environment.insert("DATABASE_URL".to_owned(), url);
        let another = Authority::new();
        let trusted = if trusts_another { &another } else { &authority };
        let file = trusted.file(directory.path());
        environment.insert(
            "SMARTASSIST_ETL__DATABASE__CA_FILE".to_owned(),
            file.display().to_string(),
        );
        let ended = Program::run(&["sync"], &environment).await;
        let log = ended.log.join("\n");
        if said.is_empty() {
            assert_eq!(ended.code(), 0, "{log}");
            assert_eq!(
                ended.events("connected to PostgreSQL")[0]["sslmode"],
                "verify-full"
            );
            let filled = TestDatabase::of(server.options(), "postgres");
            watch::same_as_a_fresh_load(&setup, &filled).await;
            filled.pool.close().await;
        } else {
            assert_eq!(ended.code(), 4, "{log}");
            let word = ended.last_word();
            assert!(
                word.contains(said) && word.contains("database.ca_file"),
                "{flaw:?}: {word}"
            );
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_database_without_tls_is_refused_where_tls_is_required() {
    let setup = Setup::live().await;
    let database = TestDatabase::empty().await;
    let (mut environment, _) = environment(&setup, &database).await;
    let url = environment["DATABASE_URL"].split('?').next().unwrap().to_owned();
    environment.insert("DATABASE_URL".to_owned(), format!("{url}?sslmode=verify-full"));
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 4);
    assert!(ended.last_word().contains("TLS"), "{}", ended.last_word());
}
