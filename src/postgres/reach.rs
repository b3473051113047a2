//! Waits at startup for an unreachable server.

use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::telemetry::chain;

use super::trouble::is_unreachable;
use super::{OpenError, connect, pool};

const PAUSE: Duration = Duration::from_secs(1);

const SAY_EVERY: Duration = Duration::from_secs(60);

pub(super) async fn wait_for(
    options: &PgConnectOptions,
    patience: Duration,
    deadline: Instant,
) -> Result<(), OpenError> {
    let began = Instant::now();
    let mut said: Option<Instant> = None;
    loop {
        // The pool would retry without logging.
        let attempt = PgConnection::connect_with(options);
        let until = deadline.min(Instant::now() + patience);
        let error = match tokio::time::timeout_at(until, attempt).await {
            Ok(Ok(connection)) => {
                if said.is_some() {
                    info!(
                        waited_seconds = began.elapsed().as_secs(),
                        "the database is there, going on"
                    );
                }
                return connection.close().await.map_err(OpenError::Unreachable);
            }
            Ok(Err(error)) => error,
            Err(_) => pool::unanswered(),
        };
        if connect::is_of_certificate(&error) {
            return Err(OpenError::Certificate(error));
        }
        if !worth_waiting(&error) {
            return Err(OpenError::Unreachable(error));
        }
        if Instant::now() + PAUSE >= deadline {
            let waited = began.elapsed().as_secs();
            return Err(OpenError::Away {
                waited,
                source: error,
            });
        }
        if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            said = Some(Instant::now());
            let wait_seconds = (deadline - began).as_secs();
            warn!(error = %chain(&error), wait_seconds, "database is out of reach, waiting for it");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn worth_waiting(error: &sqlx::Error) -> bool {
    let refused = error
        .as_database_error()
        .and_then(DatabaseError::code)
        .is_some_and(|code| code.starts_with("28") || code.starts_with("3D"));
    is_unreachable(error) && !refused && !matches!(error, sqlx::Error::Tls(_))
}
