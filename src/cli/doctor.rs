//! `doctor`: what is wrong or surprising, and what to mend.

use std::io::Write;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::doctor;

use super::accounts::worst;
use super::exit::CommandError;

pub(super) async fn doctor(config: &Config, as_json: bool) -> Result<(), CommandError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let report = doctor::examine(config, &clock).await;
    let text = if as_json {
        format!("{:#}\n", report.to_json())
    } else {
        report.to_text()
    };
    // Whoever closed the pipe has read what he wanted.
    let _ = std::io::stdout().write_all(text.as_bytes());
    worst(report.failures()).map_or(Ok(()), |failure| Err(CommandError::Found(failure)))
}
