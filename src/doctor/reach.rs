//! Checks TLS, sign-in and answer, up to the first failure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{AccountConfig, Credentials};
use crate::extract::ApiError;
use crate::postgres::is_loopback;
use crate::sync::Reached;
use crate::telemetry::instant;

use super::Finding;

const NOTHING_LOADED: &str = "nothing is loaded for this account";

const EXPIRES_SOON: TimeDelta = TimeDelta::days(7);

pub(super) fn steps(
    account: &AccountConfig,
    reached: &Result<Reached, ApiError>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let error = match reached {
        Ok(reached) => {
            return vec![
                encryption(account),
                signed_in(&account.credentials, now).check("sign-in"),
                answer(reached).check("API"),
            ];
        }
        Err(error) => error,
    };
    let failed = |check| Finding::problem(error).explanation(NOTHING_LOADED).check(check);
    match error {
        error if error.is_of_certificate() => vec![failed("TLS")],
        ApiError::Unsigned(_) | ApiError::Secret(_) => vec![failed("sign-in")],
        ApiError::Refused { .. } => vec![encryption(account), failed("sign-in")],
        // Without a connection, TLS is unknown.
        ApiError::Transport { .. } => vec![failed("API")],
        _ => vec![encryption(account), failed("API")],
    }
}

fn encryption(account: &AccountConfig) -> Finding {
    let host = account.base_url.host_str().unwrap_or_default();
    let finding = if account.base_url.scheme() == "https" {
        Finding::ok(format!("the certificate of {host} is valid"))
    } else if is_loopback(host) {
        Finding::ok("none, and none is needed: the API is on this machine")
    } else {
        Finding::warning(format!("none: requests to {host} are plain text"))
            .explanation("anybody in between can read our token and the customers' data, and change it")
            .remedy("use a base_url that begins with https://")
    };
    finding.check("TLS")
}

fn signed_in(credentials: &Credentials, now: DateTime<Utc>) -> Finding {
    if matches!(credentials, Credentials::Mint { .. }) {
        return Finding::ok("the API accepts a token signed with client_secret");
    }
    let found = "the API accepts the configured token";
    let Some(expiry) = credentials.expiry() else {
        return Finding::ok(found);
    };
    let found = format!("{found}; it expires at {}", instant(expiry));
    if expiry > now + EXPIRES_SOON {
        return Finding::ok(found);
    }
    Finding::warning(found)
        .explanation("from then on nothing is loaded for this account")
        .remedy(
            "put a new token into token_file, which needs no restart; or set client_id and client_secret, \
             with which tokens are made as needed",
        )
}

fn answer(reached: &Reached) -> Finding {
    match (reached.has_records, reached.total) {
        (true, Some(total)) => Finding::ok(format!("it answers, and has {total} interactions in the last 24 hours"),
        ),
        (true, None) => Finding::ok("it answers, and has interactions in the last 24 hours"),
        (false, _) => Finding::warning("it answers, and shows no interaction in the last 24 hours")
            .remedy("nothing, if it was a quiet day; else check stream_id, the app's rights and the account's filters"),
    }
}
