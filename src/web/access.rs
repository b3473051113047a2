//! Access checks and security headers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::config::{SHORTEST_TOKEN, Secret};
use crate::telemetry::chain;

use super::wrong_tokens::WrongTokens;

const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"smartassist-etl\", charset=\"UTF-8\"");

#[derive(Debug)]
pub(super) struct Access {
    token: Option<Secret>,
    wrong_tokens: WrongTokens,
    /// An unreadable token is logged once.
    is_said: AtomicBool,
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
        Self {
            token,
            wrong_tokens: WrongTokens::new(),
            is_said: AtomicBool::new(false),
        }
    }

    /// The loopback host check stops DNS rebinding.
    fn check(&self, peer: IpAddr, headers: &HeaderMap) -> Result<(), Denied> {
        match &self.token {
            Some(secret) => {
                let token = secret.read_long(SHORTEST_TOKEN);
                let was_said = self.is_said.swap(token.is_err(), Ordering::Relaxed);
                let token = token.map_err(|error| {
                    if !was_said {
                        tracing::error!(
                            error = %chain(&error),
                            remedy = "see that the file of http.token is there, that this user may read it, and that it \
                                      holds a token of 16 characters at least",
                            "nobody can be let in to the status page"
                        );
                    }
                    Denied::NoSecret
                })?;
                let given = given_token(headers).ok_or(Denied::NoToken)?;
                if is_same(&given, &token) {
                    return Ok(());
                }
                self.wrong_tokens.add(peer.to_canonical());
                Err(Denied::NoToken)
            }
            None if peer.to_canonical().is_loopback()
                && names_this_machine(headers)
                && !is_passed_on(headers) =>
            {
                Ok(())
            }
            None => Err(Denied::NotLocal),
        }
    }
}

fn given_token(headers: &HeaderMap) -> Option<SecretString> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
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
    let Some(host) = host else { return false };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_address = |name: &str| {
        name.trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
    };
    name.eq_ignore_ascii_case("localhost") || is_address(name) || is_address(host)
}

/// Proxied clients may be remote.
fn is_passed_on(headers: &HeaderMap) -> bool {
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
pub(super) async fn hold_to_this_machine(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::HOST) && !names_this_machine(headers) {
        return Denied::OtherName.into_response();
    }
    next.run(request).await
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                [(header::WWW_AUTHENTICATE, BASIC)],
                "The token of http.token is needed: as a bearer token, or as the password of any user.\n",
            )
                .into_response(),
            Self::NotLocal => (
                StatusCode::FORBIDDEN,
                "Without http.token, this page is shown on the daemon's own machine only, as http://127.0.0.1:... \
                 or http://localhost:...\nSet http.token (or http.token_file) to see it from elsewhere.\n",
            )
                .into_response(),
            Self::NoSecret => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The file of http.token cannot be read, or holds no token; the daemon's log says more.\n",
            )
                .into_response(),
            Self::OtherName => (
                StatusCode::FORBIDDEN,
                "http.bind is for this machine alone: ask for it as http://127.0.0.1:... or http://localhost:...\n",
            )
                .into_response(),
        }
    }
}

pub(super) async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
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
