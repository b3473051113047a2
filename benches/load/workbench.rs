//! What every part works with: a directory, and the private PostgreSQL in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use smartassist_etl::postgres::PrivateServer;
use tempfile::TempDir;

use crate::database::Database;

/// The directory goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Workbench {
    directory: TempDir,
    server: PrivateServer,
}

impl Workbench {
    pub(crate) async fn set_up() -> Result<Self> {
        let directory = directory()?;
        let server = PrivateServer::start(directory.path(), None, true).await?;
        Ok(Self { directory, server })
    }

    pub(crate) async fn take_down(self) {
        self.server.stop().await;
    }

    /// For files that one part needs for a while.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A new database, empty.
    pub(crate) async fn database(&self, name: &str) -> Result<Database> {
        Database::create(&self.server, name).await
    }

    /// Gives a database's room on the disk back.
    pub(crate) async fn drop(&self, database: Database) -> Result<()> {
        database.drop_from(&self.server).await
    }
}

/// On a disk (/tmp is often in memory, where durability costs nothing), and open to the user that
/// PostgreSQL runs as when root runs this.
fn directory() -> Result<TempDir> {
    let parent = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    tempfile::Builder::new()
        .prefix("smartassist-etl-bench-")
        .permissions(std::fs::Permissions::from_mode(0o711))
        .tempdir_in(&parent)
        .with_context(|| format!("cannot make a directory in {}", parent.display()))
}
