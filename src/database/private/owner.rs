//! Whom the server runs as: us, or a lesser user where we are root, since PostgreSQL refuses root.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use super::PrivateServerError;

/// The user that the server runs as; `None`: whoever we are.
#[derive(Debug, Clone)]
pub(super) struct Owner(Option<User>);

impl Owner {
    pub(super) fn choose() -> Result<Self, PrivateServerError> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self(Some(user)))
            .ok_or(PrivateServerError::NoUser)
    }

    /// Has `command` run as this user, away from our terminal's signals: Ctrl-C must not stop
    /// the server before we are done with it.
    pub(super) fn prepare(&self, command: &mut Command) {
        command.process_group(0);
        if let Some(user) = &self.0 {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
    }

    pub(super) fn give(&self, path: &Path) -> Result<(), PrivateServerError> {
        let Some(user) = &self.0 else { return Ok(()) };
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(PrivateServerError::file(path))
    }

    /// Fails where this user cannot get to `directory`, which is a canonical path.
    pub(super) fn check_reach(&self, directory: &Path) -> Result<(), PrivateServerError> {
        let Some(user) = &self.0 else { return Ok(()) };
        for ancestor in directory.ancestors() {
            let metadata = std::fs::metadata(ancestor).map_err(PrivateServerError::file(ancestor))?;
            let enter = if metadata.uid() == user.uid.as_raw() {
                0o100
            } else if metadata.gid() == user.gid.as_raw() {
                0o010
            } else {
                0o001
            };
            if metadata.mode() & enter == 0 {
                return Err(PrivateServerError::Unenterable {
                    user: user.name.clone(),
                    directory: ancestor.to_owned(),
                });
            }
        }
        Ok(())
    }
}
