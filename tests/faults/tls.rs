//! Certificates that do not hold: of the API and of the database. Nothing is sent then, and the
//! error says what is wrong with them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use smartassist_etl::database::PrivateServer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::watch;
use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase, database};

/// Authorities are told apart by their names.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Somebody who vouches for servers.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    Expired,
    OtherHost,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = format!("authority {}", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for 127.0.0.1, and its key, as PEM.
    fn vouches(&self, flaw: Flaw) -> (rcgen::Certificate, KeyPair) {
        let host = if flaw == Flaw::OtherHost {
            "other.example.com"
        } else {
            "127.0.0.1"
        };
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        if flaw == Flaw::Expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn file(&self, directory: &Path) -> PathBuf {
        let file = directory.join("authority.pem");
        std::fs::write(&file, self.0.pem()).unwrap();
        file
    }
}

/// Speaks TLS and passes on to `server`.
async fn terminate(server: SocketAddr, (certificate, key): (rcgen::Certificate, KeyPair)) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not like the certificate hangs up.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

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
async fn an_api_whose_certificate_does_not_hold_is_told_nothing_and_the_error_says_why() {
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

/// A PostgreSQL that speaks TLS with this certificate.
async fn postgres(directory: &Path, (certificate, key): (rcgen::Certificate, KeyPair)) -> PrivateServer {
    let made = PrivateServer::start(directory, None, &[]).await.unwrap();
    made.stop().await;
    let cluster = directory.join("cluster");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&cluster).unwrap());
    for (name, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        let file = cluster.join(name);
        std::fs::write(&file, text).unwrap();
        std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
        let owners_alone = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, owners_alone).unwrap();
    }
    let settings = [
        ("ssl", "on"),
        ("ssl_cert_file", "server.crt"),
        ("ssl_key_file", "server.key"),
    ];
    PrivateServer::start(directory, None, &settings).await.unwrap()
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
            let filled = TestDatabase::of(&server, "smartassist");
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
async fn a_database_that_speaks_no_tls_is_not_spoken_to_where_tls_is_asked_for() {
    let setup = Setup::live().await;
    let database = TestDatabase::empty().await;
    let (mut environment, _) = environment(&setup, &database).await;
    let url = environment["DATABASE_URL"].split('?').next().unwrap().to_owned();
    environment.insert("DATABASE_URL".to_owned(), format!("{url}?sslmode=verify-full"));
    let ended = Program::run(&["sync"], &environment).await;
    assert_eq!(ended.code(), 4);
    assert!(ended.last_word().contains("TLS"), "{}", ended.last_word());
}
