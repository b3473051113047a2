//! `doctor`: what is wrong or surprising, and what to mend.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::doctor;

use super::accounts::worst;
use super::exit::CommandError;
use super::output::print;

pub(super) async fn doctor(config: &Config, as_json: bool) -> Result<(), CommandError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let report = doctor::examine(config, &clock).await;
    let text = if as_json {
        format!("{:#}\n", report.to_json())
    } else {
        report.to_text()
    };
    print(&text)?;
    worst(report.failures()).map_or(Ok(()), |failure| Err(CommandError::Found(failure)))
}
