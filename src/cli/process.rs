//! Hides secrets and drops `PG…` variables.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::exit::CommandError;

/// Afterwards only root can read memory and environment; no core dumps.
pub(super) fn hide_secrets() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Restarts the program, because sqlx would apply `PG…` variables to the private server.
pub(super) fn drop_postgresql_variables() -> Result<(), CommandError> {
    let names: Vec<OsString> = std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.as_bytes().starts_with(b"PG"))
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
    // `exec` returns only on failure.
    Err(CommandError::other(format!(
        "the PG… variables must not reach the private PostgreSQL, and cannot be dropped; unset them: {}",
        command.exec()
    )))
}
