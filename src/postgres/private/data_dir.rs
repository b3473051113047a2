//! Keeps `data_dir` ours: other writers could redirect loads or files.

use std::fs::{DirBuilder, File};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

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
