//! A child process that ends with this one.

use std::io::PipeWriter;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// A closed pipe, even after SIGKILL, stops the program. SIGTERM must not end the watch first.
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

/// Supervisors wait no longer.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Watched {
    lifeline: PipeWriter,
    pub(super) ended: CancellationToken,
}

impl Watched {
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

    pub(super) async fn stop(self) {
        drop(self.lifeline);
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.ended.cancelled()).await;
    }
}
