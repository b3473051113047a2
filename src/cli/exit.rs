//! Exit codes and final messages.

use std::error::Error;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::extract::ClientError;
use crate::ledger::LoadError;
use crate::ledger::problems::Failure;
use crate::postgres::{MigrationError, OpenError};
use crate::telemetry::chain;

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
    #[error("{}; the log says more", said(*.0))]
    Runs(Failure),
    #[error("{0}; what was committed is kept, and the same command goes on from there")]
    Away(String),
    #[error("{0}")]
    Usage(String),
    #[error("something has to be mended: see what is marked as failed")]
    Found(Failure),
    #[error("days that differ: {0}; --repair reads them again")]
    Differs(usize),
    #[error(
        "not all rows were rebuilt; the log says why, and another replay goes on where this one was stopped"
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
            Self::Runs(failure) => *failure == Failure::DatabaseUnreachable,
            Self::Load(error) => error.is_unreachable(),
            Self::Migration(error) => error.is_unreachable(),
            _ => false,
        }
    }

    pub(super) fn message(&self) -> String {
        chain(self).to_string()
    }

    /// An interface: listed in `--help` and `docs/operations.md`.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) | Self::Client(_) | Self::Usage(_) => 2,
            Self::Runs(Failure::OtherFilters) | Self::Found(Failure::OtherFilters) => 2,
            Self::Open(OpenError::Url(_) | OpenError::Secret(_) | OpenError::Unfit(_)) => 2,
            Self::Open(OpenError::Private(_)) => 4,
            Self::Open(OpenError::Unreachable(_) | OpenError::Away { .. } | OpenError::Certificate(_)) => 4,
            Self::Away(_) => 4,
            Self::Runs(Failure::Refused) | Self::Found(Failure::Refused) => 3,
            Self::Runs(Failure::DatabaseUnreachable) | Self::Found(Failure::DatabaseUnreachable) => 4,
            Self::Load(error) if error.is_unreachable() => 4,
            Self::Migration(error) if error.is_unreachable() => 4,
            Self::Runs(Failure::Other)
            | Self::Found(Failure::Other)
            | Self::Differs(_)
            | Self::NotRebuilt
            | Self::Load(_)
            | Self::Migration(_)
            | Self::Other(_) => 1,
        })
    }
}

fn said(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "the API refused us, for one account at least",
        Failure::DatabaseUnreachable => "the database went out of reach",
        Failure::OtherFilters => "an account was loaded with other filters",
        Failure::Other => "a part was not loaded",
    }
}
