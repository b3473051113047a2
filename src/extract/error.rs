//! What can go wrong, and what is done then.

use std::time::Duration;

use reqwest::StatusCode;

use crate::config::SecretError;
use crate::telemetry::chain;

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("cannot sign the request")]
    Unsigned(#[source] jsonwebtoken::errors::Error),
    #[error("cannot sign the request")]
    Secret(#[from] SecretError),
    #[error("the configured token cannot be sent: it holds a character that an HTTP header cannot hold")]
    UnsendableToken,
    #[error("{what}")]
    Transport {
        what: &'static str,
        /// Without URL.
        source: reqwest::Error,
    },
    /// 429, or the vendor's message with another status.
    #[error("the API's rate limit is reached (status {status})")]
    RateLimited {
        status: StatusCode,
        /// As requested, capped.
        retry_after: Option<Duration>,
        /// The message names the minute's limit.
        is_of_minute: bool,
    },
    #[error("the API refused us (status {status})")]
    Refused { status: StatusCode },
    #[error("the API failed (status {status})")]
    ServerFault { status: StatusCode },
    /// Not followed: it would leak the token.
    #[error("the API redirects (status {status}), which is not followed")]
    Redirected { status: StatusCode },
    #[error("the API did not accept the request (status {status})")]
    Unaccepted { status: StatusCode },
    #[error("the API answers with a message in place of records")]
    Message,
    #[error("the API answers with elements without an id in place of records")]
    ErrorObjects,
    #[error("the API's answer is not a page of records ({bytes} bytes)")]
    Undecodable {
        /// Bodies are never logged.
        bytes: usize,
    },
    #[error("the API's answer is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the API reports {total} records and shows none")]
    Withheld { total: u64 },
}

const CERTIFICATE: &str = "the API's certificate does not hold";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// After a pause.
    Retry,
    /// Repeat once, signed anew, then [`Action::StopAccount`].
    SignInAgain,
    GiveUpWindow,
    /// For this run.
    StopAccount,
}

impl ApiError {
    /// No wildcard, so no new kind is retried forever.
    pub fn action(&self) -> Action {
        match self {
            Self::Transport { .. }
            | Self::RateLimited { .. }
            | Self::ServerFault { .. }
            | Self::Message
            | Self::ErrorObjects
            | Self::Undecodable { .. } => Action::Retry,
            Self::Refused { .. } => Action::SignInAgain,
            Self::Unaccepted { .. } | Self::TooLarge { .. } | Self::Withheld { .. } => Action::GiveUpWindow,
            Self::Unsigned(_) | Self::Secret(_) | Self::UnsendableToken | Self::Redirected { .. } => {
                Action::StopAccount
            }
        }
    }

    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unsigned(_) => {
                "check client_secret and jwt_algorithm: RS256 and RS512 need a private key in PEM form"
            }
            Self::UnsendableToken => {
                "check token, or the file that token_file names: a JWT is one line of visible ASCII characters"
            }
            Self::Secret(_) => "check that the secret's file exists and that this user may read it",
            Self::Transport { .. } if self.is_of_certificate() => {
                "check the host in base_url, this machine's clock, and whom it trusts (ca-certificates, or \
                 SSL_CERT_FILE for an authority of your own)"
            }
            Self::Transport { .. } => {
                "check base_url (host, port, http or https), DNS, the network and any proxy variables"
            }
            Self::RateLimited { .. } => {
                "lower requests_per_minute if another program uses this account, and set requests_per_hour where the API has a limit \
                 of the hour (the vendor names 1800); the run goes on by itself"
            }
            Self::Refused { .. } => {
                "check client_id, client_secret, jwt_algorithm, account_id and stream_id, and that the app has \
                 the scope SmartAssist Analytics"
            }
            Self::ServerFault { .. } => "nothing: the window is read again in the next run",
            Self::Redirected { .. } => "set base_url to the host that the API really has",
            Self::Unaccepted { .. } => {
                "check base_url (without the path of this API), account_id, stream_id, filters and extra_body"
            }
            Self::Message | Self::ErrorObjects => {
                "ask the API for this window by hand to see the message, which may hold personal data and is not logged; where it \
                 is about data that is too old, set start_from"
            }
            Self::Undecodable { .. } => "check that base_url is the API and not a login page or a proxy",
            Self::TooLarge { .. } => "raise max_response_mebibytes if the records are really that large",
            Self::Withheld { .. } => "check the app's rights, and the account's filters",
        }
    }

    pub fn is_not_served(&self) -> bool {
        matches!(self, Self::Unaccepted { .. } | Self::Message | Self::ErrorObjects)
    }

    /// Other requests may succeed.
    pub fn is_of_one_answer(&self) -> bool {
        let is_broken = matches!(
            self,
            Self::Transport { .. }
                | Self::ServerFault { .. }
                | Self::Undecodable { .. }
                | Self::TooLarge { .. }
        );
        is_broken || self.is_not_served()
    }

    /// Nothing was sent then.
    pub fn is_of_certificate(&self) -> bool {
        matches!(self, Self::Transport { what, .. } if *what == CERTIFICATE)
    }

    /// Name in metrics and ledger.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned(_) | Self::Secret(_) | Self::UnsendableToken => "unsigned",
            Self::Transport { .. } => "transport",
            Self::RateLimited { .. } => "rate_limited",
            Self::Refused { .. } => "refused",
            Self::ServerFault { .. } => "server_fault",
            Self::Redirected { .. } => "redirected",
            Self::Unaccepted { .. } => "unaccepted",
            Self::Message | Self::ErrorObjects => "message",
            Self::Undecodable { .. } => "undecodable",
            Self::TooLarge { .. } => "too_large",
            Self::Withheld { .. } => "withholds",
        }
    }

    /// The URL holds the account id.
    pub(super) fn transport(error: reqwest::Error) -> Self {
        let what = if chain(&error).to_string().contains("invalid peer certificate") {
            CERTIFICATE
        } else if error.is_timeout() {
            "the API did not answer in time"
        } else if error.is_connect() {
            "cannot connect to the API"
        } else {
            "the connection to the API broke"
        };
        Self::Transport {
            what,
            source: error.without_url(),
        }
    }
}
