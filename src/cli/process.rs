//! What this process keeps to itself, and what it does not listen to.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::exit::CommandError;

/// Closes our environment and memory, which hold secrets, to the other processes of our user, and writes no core dump.
/// Only root can attach a debugger then.
pub(super) fn close() {
    // A system that knows nothing of it leaves things as they were.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Begins this program anew without the variables of PostgreSQL's clients (`PGOPTIONS`, …), if there are any. They are
/// meant for some other server than the private one, and the library that connects takes them up unasked.
pub(super) fn drop_postgresql_variables() -> Result<(), CommandError> {
    let is_postgresqls = |name: &OsString| name.as_bytes().starts_with(b"PG");
    let names: Vec<OsString> = std::env::vars_os()
        .map(|(name, _)| name)
        .filter(is_postgresqls)
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe().map_err(CommandError::other)?);
    command.arg0(arguments.next().unwrap_or_default()).args(arguments);
    for name in names {
        command.env_remove(name);
    }
    // It returns only where that failed.
    Err(CommandError::other(format!(
        "the variables PG… are not for the private PostgreSQL, and cannot be dropped, unset them: {}",
        command.exec()
    )))
}
