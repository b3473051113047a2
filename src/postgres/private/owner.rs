//! The server's user: PostgreSQL refuses root.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use super::PrivateServerError;

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) name: String,
    uid: u32,
    pub(super) group: Option<u32>,
    pub(super) us: String,
}

impl Owner {
    pub(super) fn choose() -> Result<Self, PrivateServerError> {
        let us = User::from_uid(geteuid())
            .ok()
            .flatten()
            .ok_or(PrivateServerError::NoUser)?;
        let is_root = us.uid.is_root();
        let postgres = User::from_name("postgres").ok().flatten();
        let user = if is_root { postgres } else { Some(us.clone()) };
        let user = user.ok_or(PrivateServerError::NoUser)?;
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            group: is_root.then(|| user.gid.as_raw()),
            us: us.name,
        })
    }

    /// Ctrl-C must not stop the server.
    pub(super) fn prepare(&self, command: &mut Command) {
        command.process_group(0);
        if let Some(group) = self.group {
            command.uid(self.uid).gid(group);
        }
    }

    pub(super) fn give(&self, path: &Path) -> Result<(), PrivateServerError> {
        if self.group.is_some() {
            chown(path, Some(self.uid), self.group).map_err(PrivateServerError::file(path))?;
        }
        Ok(())
    }

    pub(super) fn has_alone(&self, directory: &Path) -> bool {
        let metadata = std::fs::symlink_metadata(directory);
        metadata.is_ok_and(|it| it.is_dir() && it.uid() == self.uid && it.mode() & 0o077 == 0)
    }
}
