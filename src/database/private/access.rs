//! How to get in: a port and a password, kept beside the cluster so that every later process,
//! and `psql`, can.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{PrivateServerError, USER};

/// Port and password of a private server.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) port: u16,
    pub(super) password: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// What is kept in a server's directory; `None` before its first start.
    pub(super) fn of(directory: &Path) -> Result<Option<Self>, PrivateServerError> {
        let path = Self::pgpass_file(directory);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PrivateServerError::file(&path)(error)),
        };
        let mut fields = text.trim().split(':');
        let port = fields.nth(1).and_then(|port| port.parse().ok());
        let password = fields.nth(2).map(str::to_owned);
        Ok(port.zip(password).map(|(port, password)| Self { port, password }))
    }

    /// A new password and a free port, not kept yet.
    pub(super) fn invent() -> std::io::Result<Self> {
        Ok(Self {
            port: free_port()?,
            password: uuid::Uuid::new_v4().simple().to_string(),
        })
    }

    /// The same, on another port where somebody else has taken ours.
    pub(super) fn with_free_port(mut self, directory: &Path) -> Result<Self, PrivateServerError> {
        if TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            self.port = free_port().map_err(PrivateServerError::file(directory))?;
            self.keep(directory)?;
        }
        Ok(self)
    }

    /// Writes `pgpass`, in the form that `psql` reads (PostgreSQL manual, section 34.16), and `port`.
    pub(super) fn keep(&self, directory: &Path) -> Result<(), PrivateServerError> {
        let path = Self::pgpass_file(directory);
        let line = format!("127.0.0.1:{}:*:{USER}:{}\n", self.port, self.password);
        write_private(&path, &line).map_err(PrivateServerError::file(&path))?;
        let path = directory.join("port");
        std::fs::write(&path, self.port.to_string()).map_err(PrivateServerError::file(&path))
    }

    pub(super) fn pgpass_file(directory: &Path) -> PathBuf {
        directory.join("pgpass")
    }
}

/// Writes a file that nobody else may read, from its first byte on.
pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
