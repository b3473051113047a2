use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tracing::{error, warn};

use crate::config::{SHORTEST_TOKEN, Secret};
use crate::postgres::is_loopback;
use crate::telemetry::{chain, metrics};

const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"smartassist-etl\", charset=\"UTF-8\"");

const LOG_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Access {
    token: Option<Secret>,
    wrong_tokens: Mutex<WrongTokens>,
    /// Logs an unreadable token once.
    is_said: AtomicBool,
}

#[derive(Debug, Default)]
struct WrongTokens {
    logged_at: Option<Instant>,
    since_then: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denied {
    NoToken,
    NotLocal,
    NoSecret,
    OtherName,
}

impl Access {
    pub(super) fn new(token: Option<Secret>) -> Self {
        ::metrics::counter!(metrics::WRONG_TOKENS).increment(0);
        Self {
            token,
            wrong_tokens: Mutex::default(),
            is_said: AtomicBool::new(false),
        }
    }

    /// The loopback host check stops DNS rebinding.
    fn check(&self, peer: IpAddr, headers: &HeaderMap) -> Result<(), Denied> {
        let peer = peer.to_canonical();
        let Some(secret) = &self.token else {
            let is_here = peer.is_loopback() && names_this_machine(headers) && !is_proxied(headers);
            return if is_here { Ok(()) } else { Err(Denied::NotLocal) };
        };
        let token = secret.read_long(SHORTEST_TOKEN);
        let was_said = self.is_said.swap(token.is_err(), Ordering::Relaxed);
        let token = token.map_err(|error| {
            if !was_said {
                error!(
                    error = %chain(&error),
                    remedy = "check that the file of http.token exists, that this user may read it, and that it holds a \
                              token of at least 16 characters",
                    "status page disabled: cannot read http.token"
                );
            }
            Denied::NoSecret
        })?;
        let given = given_token(headers).ok_or(Denied::NoToken)?;
        if is_same(&given, &token) {
            return Ok(());
        }
        self.count_wrong_token(peer);
        Err(Denied::NoToken)
    }

    fn count_wrong_token(&self, peer: IpAddr) {
        ::metrics::counter!(metrics::WRONG_TOKENS).increment(1);
        let mut wrong = self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.since_then += 1;
        if wrong
            .logged_at
            .is_none_or(|logged_at| logged_at.elapsed() >= LOG_INTERVAL)
        {
            let attempts = std::mem::take(&mut wrong.since_then);
            wrong.logged_at = Some(Instant::now());
            warn!(
                %peer,
                attempts,
                remedy = "find out who asks there; if they may guess or know the token, replace it",
                "a wrong token was given for the status page"
            );
        }
    }
}

fn given_token(headers: &HeaderMap) -> Option<SecretString> {
    let given = str::from_utf8(headers.get(header::AUTHORIZATION)?.as_bytes()).ok()?;
    let (scheme, value) = given.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().into());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(password.into())
}

/// Hashes hide timing differences.
fn is_same(given: &SecretString, token: &SecretString) -> bool {
    Sha256::digest(given.expose_secret()) == Sha256::digest(token.expose_secret())
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    host.is_some_and(|host| is_loopback(host.host()))
}

/// Proxied clients may be remote.
fn is_proxied(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .map(header::HeaderName::as_str)
        .any(|name| matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-"))
}

pub(super) async fn guard(
    State(access): State<Arc<Access>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match access.check(peer.ip(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(denied) => denied.into_response(),
    }
}

/// Stops DNS rebinding; probes may omit `Host`.
pub(super) async fn require_local_name(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::HOST) && !names_this_machine(headers) {
        return Denied::OtherName.into_response();
    }
    next.run(request).await
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "The token of http.token is needed: as a bearer token, or as the password of any user.\n",
            ),
            Self::NotLocal => (
                StatusCode::FORBIDDEN,
                "Without http.token, this page is shown on the daemon's own machine only, as http://127.0.0.1:... \
                 or http://localhost:...\nSet http.token (or http.token_file) to see it from elsewhere.\n",
            ),
            Self::NoSecret => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The file of http.token cannot be read, or holds no token; the daemon's log says more.\n",
            ),
            Self::OtherName => (
                StatusCode::FORBIDDEN,
                "http.bind is for this machine alone: ask for it as http://127.0.0.1:... or http://localhost:...\n",
            ),
        };
        let mut response = (status, text).into_response();
        if self == Self::NoToken {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, BASIC);
        }
        response
    }
}

const SECURITY_HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

pub(super) async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    fn headers(host: &str, authorization: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn without_a_token_only_this_machine_sees_the_page() {
        let access = Access::new(None);
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "localhost",
            "[::1]:8080",
            "127.0.0.1",
        ] {
            assert_eq!(access.check(HERE, &headers(host, None)), Ok(()), "{host}");
        }
        let of_v6: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        assert_eq!(access.check(of_v6, &headers("localhost", None)), Ok(()));
        let denied = Err(Denied::NotLocal);
        assert_eq!(access.check(ELSEWHERE, &headers("127.0.0.1:8080", None)), denied);
        for host in [
            "evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "10.0.0.7:8080",
        ] {
            assert_eq!(access.check(HERE, &headers(host, None)), denied, "{host}");
        }
        for name in [
            "forwarded",
            "via",
            "x-real-ip",
            "x-forwarded-for",
            "x-forwarded-host",
        ] {
            let mut passed_on = headers("127.0.0.1:8080", None);
            passed_on.insert(name, "10.0.0.7".parse().unwrap());
            assert_eq!(access.check(HERE, &passed_on), denied, "{name}");
        }
        assert_eq!(access.check(HERE, &HeaderMap::new()), denied);
    }

    #[test]
    fn with_a_token_whoever_gives_it_sees_the_page() {
        let access = Access::new(Some(Secret::Inline("correct-horse-battery".into())));
        let basic = |user: &str| format!("Basic {}", STANDARD.encode(user));
        let good = [
            "Bearer correct-horse-battery".to_owned(),
            basic("me:correct-horse-battery"),
        ];
        for given in good {
            let headers = headers("etl.example.com", Some(&given));
            assert_eq!(access.check(ELSEWHERE, &headers), Ok(()), "{given}");
        }
        let bad = [
            "Bearer wrong".to_owned(),
            "Bearer ".to_owned(),
            basic("correct-horse-battery"),
            basic("me:"),
            "Digest correct-horse-battery".to_owned(),
            "Basic ???".to_owned(),
        ];
        for given in bad {
            let headers = headers("localhost", Some(&given));
            assert_eq!(access.check(HERE, &headers), Err(Denied::NoToken), "{given}");
        }
        assert_eq!(
            access.check(HERE, &headers("localhost", None)),
            Err(Denied::NoToken)
        );
    }
}
