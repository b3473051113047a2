//! Points in a window's life at which a test may kill, freeze or break this process. A release build does
//! nothing there.
//!
//! `SMARTASSIST_ETL_FAILPOINT=window.covered=kill@3` kills (SIGKILL) when that point is reached for the third
//! time; `stop` freezes (SIGSTOP), `panic` panics.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{Signal, raise};

/// In the order in which a run reaches them.
pub const POINTS: [&str; 11] = [
    "migration.applied",
    "run.leased",
    "run.opened",
    "window.read",
    "window.begun",
    "window.written",
    "window.covered",
    "window.committed",
    "run.closing",
    "run.closed",
    "run.released",
];

struct Failpoint {
    point: String,
    action: String,
    /// Counted from 1.
    time: u64,
}

static FAILPOINT: LazyLock<Option<Failpoint>> = LazyLock::new(|| {
    let text = std::env::var("SMARTASSIST_ETL_FAILPOINT").ok()?;
    let (point, action) = text.split_once('=')?;
    let (action, time) = action.split_once('@').unwrap_or((action, "1"));
    Some(Failpoint {
        point: point.to_owned(),
        action: action.to_owned(),
        time: time.parse().ok()?,
    })
});

static REACHED: AtomicU64 = AtomicU64::new(0);

#[expect(clippy::panic, reason = "that is what was asked for")]
pub(crate) fn reach(point: &'static str) {
    if !cfg!(debug_assertions) {
        return;
    }
    debug_assert!(POINTS.contains(&point), "{point}");
    let Some(failpoint) = FAILPOINT.as_ref().filter(|failpoint| failpoint.point == point) else {
        return;
    };
    if REACHED.fetch_add(1, Ordering::Relaxed) + 1 != failpoint.time {
        return;
    }
    // If a signal cannot be raised, the test that waits for it fails.
    let _ = match failpoint.action.as_str() {
        "kill" => raise(Signal::SIGKILL),
        "stop" => raise(Signal::SIGSTOP),
        _ => panic!("failpoint"),
    };
}
