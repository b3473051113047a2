//! Checks DNS, TLS, sign-in and answer, up to the first failure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{AccountConfig, Credentials};
use crate::extract::ApiError;
use crate::postgres::is_loopback;
use crate::sync::Reached;
use crate::telemetry::{instant, plural};

use super::Finding;

const NOTHING_LOADED: &str = "nothing is loaded for this account";

const EXPIRES_SOON: TimeDelta = TimeDelta::days(7);

const ADDRESSES_SHOWN: usize = 4;

/// For https and http. A proxy may know names that we do not.
const PROXIES: [[&str; 4]; 2] = [
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
];

pub(super) async fn dns(account: &AccountConfig) -> Finding {
    let url = &account.base_url;
    let host = url.host_str().unwrap_or_default();
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Finding::ok(format!("base_url has an address, {host}: no name to look up"));
    }
    let timeout = account.response.connect_timeout;
    let looking = tokio::net::lookup_host((host, url.port_or_known_default().unwrap_or_default()));
    let why = match tokio::time::timeout(timeout, looking).await {
        Ok(Ok(found)) => {
            let addresses: BTreeSet<IpAddr> = found.map(|address| address.ip()).collect();
            if !addresses.is_empty() {
                return Finding::ok(resolved(host, &addresses));
            }
            "it has no address".to_owned()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} seconds", timeout.as_secs()),
    };
    unresolved(host, &why, proxy_variable(url.scheme()))
}

fn resolved(host: &str, addresses: &BTreeSet<IpAddr>) -> String {
    let mut told: Vec<String> = addresses
        .iter()
        .take(ADDRESSES_SHOWN)
        .map(IpAddr::to_string)
        .collect();
    if addresses.len() > told.len() {
        told.push("...".to_owned());
    }
    let number = i64::try_from(addresses.len()).unwrap_or(i64::MAX);
    format!(
        "{host} has {}: {}",
        plural(number, "address", "addresses"),
        told.join(", ")
    )
}

fn unresolved(host: &str, why: &str, proxy: Option<&str>) -> Finding {
    let found = format!("cannot look up {host}: {why}");
    match proxy {
        Some(variable) => Finding::warning(found)
            .explanation(format!("a proxy is set ({variable}), which may know the name"))
            .remedy("nothing, if the API answers below"),
        None => Finding::failed(found)
            .explanation(NOTHING_LOADED)
            .remedy("check the host in base_url, and this machine's DNS (/etc/resolv.conf; in a container, its network's)"),
    }
}

/// The variable that sets a proxy.
pub fn proxy_variable(scheme: &str) -> Option<&'static str> {
    let [https, http] = PROXIES;
    let names = if scheme == "https" { https } else { http };
    names
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::problems::Severity;

    #[test]
    fn a_name_that_only_a_proxy_may_know_is_a_warning() {
        let alone = unresolved("api.invalid", "no such name", None);
        assert_eq!(alone.status, Severity::Failed);
        assert_eq!(alone.found, "cannot look up api.invalid: no such name");
        let behind = unresolved("api.invalid", "no such name", Some("HTTPS_PROXY"));
        assert_eq!(behind.status, Severity::Warning);
        assert!(behind.explanation.unwrap().contains("HTTPS_PROXY"));
    }

    #[test]
    fn some_addresses_are_told_and_of_many_their_number() {
        let addresses = |count: u8| (1..=count).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        assert_eq!(resolved("api", &addresses(1)), "api has 1 address: 192.0.2.1");
        assert_eq!(
            resolved("api", &addresses(6)),
            "api has 6 addresses: 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, ..."
        );
    }
}
