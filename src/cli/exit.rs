use std::error::Error;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::extract::ClientError;
use crate::ledger::LoadError;
use crate::ledger::problems::Failure;
use crate::postgres::{MigrationError, OpenError};

#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("{}; see the log", summary(*.0))]
    Runs(Failure),
    #[error("interrupted; what was committed is kept, and the same command continues from there")]
    Interrupted,
    #[error("{0}; what was committed is kept, and the same command continues from there")]
    DatabaseLost(String),
    #[error("{0}")]
    Usage(String),
    #[error("doctor found problems: see the checks marked failed")]
    Found(Failure),
    #[error("days that differ: {0}; --repair reads them again")]
    Differs(usize),
    #[error(
        "not all rows were rebuilt; see the log, and run replay again to continue where this one stopped"
    )]
    NotRebuilt,
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl CommandError {
    pub(super) fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    pub(super) fn is_unreachable(&self) -> bool {
        match self {
            Self::Runs(failure) | Self::Found(failure) => *failure == Failure::DatabaseUnreachable,
            Self::Load(error) => error.is_unreachable(),
            Self::Migration(error) => error.is_unreachable(),
            _ => false,
        }
    }

    /// An interface: listed in `--help` and `docs/operations.md`.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) | Self::Client(_) | Self::Usage(_) => 2,
            Self::Runs(Failure::OtherFilters) | Self::Found(Failure::OtherFilters) => 2,
            Self::Open(error) if error.is_of_configuration() => 2,
            Self::Open(_) | Self::DatabaseLost(_) => 4,
            Self::Runs(Failure::Refused) | Self::Found(Failure::Refused) => 3,
            error if error.is_unreachable() => 4,
            _ => 1,
        })
    }
}

fn summary(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "the API rejected us, for at least one account",
        Failure::DatabaseUnreachable => "the database went out of reach",
        Failure::OtherFilters => "an account was loaded with other filters",
        Failure::Other => "part of the work failed",
    }
}
