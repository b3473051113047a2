//! Owner of server and files: PostgreSQL refuses root, and other writers could redirect loads or files.

use std::fs::{DirBuilder, File};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::OFlag;
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

/// `group` may only pass through.
pub(super) fn claim(data_dir: &Path, name: &str, group: Option<u32>) -> std::io::Result<PathBuf> {
    let parents = data_dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    parents.map_or(Ok(()), std::fs::create_dir_all)?;
    claim_one(data_dir, group)?;
    let directory = data_dir.join(name);
    claim_one(&directory, group)?;
    // An existing `data_dir` keeps its mode.
    close(&directory, group)?;
    directory.canonicalize()
}

fn claim_one(directory: &Path, group: Option<u32>) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => close(directory, group)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // Checks link and target.
    for metadata in [directory.symlink_metadata()?, directory.metadata()?] {
        let is_trusted = metadata.uid() == 0 || metadata.uid() == geteuid().as_raw();
        if !is_trusted || (metadata.is_dir() && metadata.mode() & 0o022 != 0) {
            return Err(Error::other(format!(
                "{} belongs to another user, or others may write to it, so what is in it may be theirs: set data_dir to a \
                 directory of your own, or look at what is in it and make it yours (chown, chmod go-w)",
                directory.display()
            )));
        }
    }
    Ok(())
}

fn close(directory: &Path, group: Option<u32>) -> std::io::Result<()> {
    let mut mode = 0o700;
    if group.is_some() {
        chown(directory, None, group)?;
        mode = 0o710;
    }
    std::fs::set_permissions(directory, PermissionsExt::from_mode(mode))
}

pub(super) fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    let options = options.create(true).append(true).mode(0o600);
    let file = options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)?;
    file.set_permissions(PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let _ = std::fs::remove_file(path);
    open(path)?.write_all(text.as_bytes())
}
