//! Counts wrong tokens and logs once a minute.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::telemetry::metrics;

const PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct WrongTokens(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    told_at: Option<Instant>,
    attempts: u64,
}

impl WrongTokens {
    pub(super) fn new() -> Self {
        ::metrics::counter!(metrics::WRONG_TOKENS).increment(0);
        Self(Mutex::default())
    }

    pub(super) fn add(&self, peer: IpAddr) {
        ::metrics::counter!(metrics::WRONG_TOKENS).increment(1);
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.attempts += 1;
        if untold.told_at.is_none_or(|told_at| told_at.elapsed() >= PAUSE) {
            warn!(
                %peer,
                attempts = untold.attempts,
                remedy = "find out who asks there; if they may guess or know the token, replace it",
                "a wrong token was given for the status page"
            );
            *untold = Untold {
                told_at: Some(Instant::now()),
                attempts: 0,
            };
        }
    }
}
