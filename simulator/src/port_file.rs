//! Tells a script which address was bound.

use std::{fs, io, net::SocketAddr, path::Path};

/// Writes `host:port` and a newline, whole or not at all: a reader that finds the file can use what is in it.
pub(crate) fn write(path: &Path, address: SocketAddr) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.tmp", std::process::id()));
    let draft = Path::new(&draft);
    fs::write(draft, format!("{address}\n"))?;
    fs::rename(draft, path)
}
