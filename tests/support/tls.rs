//! Servers that show a certificate, good or bad: of the API and of the database.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::server::{Cluster, TestServer, give_to_server};

/// Authorities are told apart by their names.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Somebody who vouches for servers.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Expired,
    OtherHost,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = format!("authority {}", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for 127.0.0.1, and its key, as PEM.
    pub(crate) fn vouches(&self, flaw: Flaw) -> (rcgen::Certificate, KeyPair) {
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

    pub(crate) fn file(&self, directory: &Path) -> PathBuf {
        let file = directory.join("authority.pem");
        std::fs::write(&file, self.0.pem()).unwrap();
        file
    }
}

/// Speaks TLS and passes on to `server`.
pub(crate) async fn terminate(
    server: SocketAddr,
    (certificate, key): (rcgen::Certificate, KeyPair),
) -> SocketAddr {
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

/// A PostgreSQL that speaks TLS with this certificate.
pub(crate) async fn postgres(
    directory: &Path,
    (certificate, key): (rcgen::Certificate, KeyPair),
) -> TestServer {
    let cluster = Cluster::make(directory);
    for (name, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        let file = cluster.directory.join(name);
        std::fs::write(&file, text).unwrap();
        give_to_server(&file);
        let owners_alone = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, owners_alone).unwrap();
    }
    let settings = [
        ("ssl", "on"),
        ("ssl_cert_file", "server.crt"),
        ("ssl_key_file", "server.key"),
    ];
    cluster.start(&settings).await
}
