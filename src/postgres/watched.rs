//! A child process that does not outlive us.

use std::io::PipeWriter;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Runs a program, and stops it once its own standard input ends. That is a pipe from this process, so the program
/// stops in an orderly way however this process ends, SIGKILL included. A supervisor that sends SIGTERM to all of us
/// must not end the watch before the program.
const WATCH: &str = r#"
trap '' TERM
exec 3<&0
"$@" </dev/null &
program=$!
{ read -r _ <&3; kill -INT "$program"; } 2>/dev/null &
watcher=$!
wait "$program"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
"#;

/// Whoever stops us gives us no longer. The program comes to its end without us: its input has ended.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A program that is sent SIGINT once this is dropped.
#[derive(Debug)]
pub(super) struct Watched {
    lifeline: PipeWriter,
    /// Cancelled when it has ended.
    pub(super) ended: CancellationToken,
}

impl Watched {
    /// The command that runs `program`, to be given its arguments.
    pub(super) fn command(program: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WATCH, "watch"]).arg(program);
        command
    }

    pub(super) fn start(command: Command) -> std::io::Result<Self> {
        let (input, lifeline) = std::io::pipe()?;
        let mut child = tokio::process::Command::from(command).stdin(input).spawn()?;
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        tokio::spawn(async move {
            let _guard = guard;
            child.wait().await
        });
        Ok(Self { lifeline, ended })
    }

    /// Stops it, and waits for that, if it does not take too long.
    pub(super) async fn stop(self) {
        drop(self.lifeline);
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.ended.cancelled()).await;
    }
}
