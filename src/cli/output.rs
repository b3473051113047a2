//! What a command was asked to print.

use std::io::{ErrorKind, Write};

use super::exit::CommandError;

/// Writes to standard output. Whoever closed the pipe has read what he wanted; any other failure
/// means that the report is not where it was wanted.
///
/// # Errors
/// It could not be written.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::other(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}
