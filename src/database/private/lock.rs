//! One start at a time: two processes that begin at once must not both make the cluster, or the
//! later one take the earlier one's server, half started, for none.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tokio::time::Instant;

use super::{POLL, PrivateServerError, START_TIMEOUT};

/// Held from before the first knock until the server answers. The system gives it back when this
/// process ends, however that is.
#[derive(Debug)]
pub(super) struct StartLock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl StartLock {
    pub(super) async fn take(directory: &Path) -> Result<Self, PrivateServerError> {
        let path = directory.join("lock");
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(PrivateServerError::file(&path))?;
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    tokio::time::sleep(POLL).await;
                }
                Err(TryLockError::WouldBlock) => return Err(PrivateServerError::Locked { lock: path }),
                Err(TryLockError::Error(error)) => return Err(PrivateServerError::file(&path)(error)),
            }
        }
    }
}
