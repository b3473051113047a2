//! How to get in: a port and a password, kept beside the cluster so that every later process,
//! and `psql`, can.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{PrivateServerError, USER, cluster};

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
    /// What is kept in a server's directory; `None` before its first start. A cluster without its
    /// password is an error: it must not be taken for a first start.
    pub(super) fn of(directory: &Path) -> Result<Option<Self>, PrivateServerError> {
        let made = cluster(directory);
        if !made.try_exists().map_err(PrivateServerError::file(&made))? {
            return Ok(None);
        }
        let path = Self::pgpass_file(directory);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map(Some).ok_or_else(|| Self::lost(directory)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Self::lost(directory)),
            Err(error) => Err(PrivateServerError::file(&path)(error)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.trim().split(':').collect();
        let [_, port, _, _, password] = fields[..] else {
            return None;
        };
        Some(Self {
            port: port.parse().ok()?,
            password: Some(password).filter(|password| !password.is_empty())?.to_owned(),
        })
    }

    /// The error for a password that is gone or is not the server's.
    pub(super) fn lost(directory: &Path) -> PrivateServerError {
        PrivateServerError::PasswordLost {
            pgpass: Self::pgpass_file(directory),
            directory: directory.to_owned(),
        }
    }

    /// A new password and a free port, not kept yet.
    pub(super) fn invent() -> std::io::Result<Self> {
        Ok(Self {
            port: free_port()?,
            password: uuid::Uuid::new_v4().simple().to_string(),
        })
    }

    /// The same, on another port where somebody else has taken ours; not kept yet.
    pub(super) fn with_free_port(mut self, directory: &Path) -> Result<Self, PrivateServerError> {
        if TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            self.port = free_port().map_err(PrivateServerError::file(directory))?;
        }
        Ok(self)
    }

    /// Writes `pgpass`, in the form that `psql` reads (PostgreSQL manual, section 34.16), and `port`.
    pub(super) fn keep(&self, directory: &Path) -> Result<(), PrivateServerError> {
        let path = Self::pgpass_file(directory);
        let line = format!("127.0.0.1:{}:*:{USER}:{}\n", self.port, self.password);
        replace(&path, &line, 0o600).map_err(PrivateServerError::file(&path))?;
        let path = directory.join("port");
        replace(&path, &self.port.to_string(), 0o644).map_err(PrivateServerError::file(&path))
    }

    pub(super) fn pgpass_file(directory: &Path) -> PathBuf {
        directory.join("pgpass")
    }
}

/// Writes a file that nobody else may read, from its first byte on.
pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// Writes a file whole or not at all, whatever happens meanwhile: a `pgpass` cut short would lock
/// us out of our data.
fn replace(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(mode);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    // The new name is on disk once its directory is.
    path.parent()
        .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
