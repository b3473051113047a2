//! From a response to a page or a typed error: the one place that gives a status and a body meaning.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::{ApiError, Page};

/// The longest pause that the API can ask for; more would be a mistake on its side, and the
/// next run asks anyway.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Bodies of errors are read this far, to look for the vendor's words.
const ERROR_BODY_BYTES: usize = 64 * 1024;

/// Reads a response to its end, at most `max_bytes` of it, and says what it means.
pub(super) async fn read(response: Response, max_bytes: usize, now: DateTime<Utc>) -> Result<Page, ApiError> {
    let status = response.status();
    let retry_after = retry_after(response.headers(), now);
    if status == StatusCode::OK {
        let body = collect(response, max_bytes).await?;
        return match Page::parse(&body) {
            // Where no record says it, the API does: an empty page would count as read.
            Some(page) if page.records.is_empty() && says_rate_limited(&body) => {
                Err(ApiError::RateLimited { status, retry_after })
            }
            Some(page) => Ok(page),
            None if says_rate_limited(&body) => Err(ApiError::RateLimited { status, retry_after }),
            None => Err(ApiError::Undecodable { bytes: body.len() }),
        };
    }
    // A body that breaks or is too large does not change what the status says.
    let body = collect(response, ERROR_BODY_BYTES).await.unwrap_or_default();
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => ApiError::RateLimited { status, retry_after },
        _ if says_rate_limited(&body) => ApiError::RateLimited { status, retry_after },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ApiError::Refused { status },
        _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            ApiError::ServerFault { status }
        }
        _ if status.is_redirection() => ApiError::Redirected { status },
        _ => ApiError::Unaccepted { status },
    })
}

/// Streams the body and counts it after decompression, so that neither a huge body nor a small
/// one that unpacks without end fills the memory.
async fn collect(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ApiError::transport)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(ApiError::TooLarge { limit: max_bytes });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The vendor's two messages: "You've exceeded the per-minute rate limit. …" and "Rate limit for
/// this API has been reached. …".
fn says_rate_limited(body: &[u8]) -> bool {
    String::from_utf8_lossy(&body[..body.len().min(ERROR_BODY_BYTES)])
        .to_ascii_lowercase()
        .contains("rate limit")
}

/// `Retry-After` in seconds or as an HTTP date (RFC 9110, section 10.2.3), capped.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => LONGEST_PAUSE,
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now)
            .to_std()
            .unwrap_or_default(),
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<u64> {
        let now = DateTime::parse_from_rfc3339("2026-01-01T12:00:00Z")
            .unwrap()
            .to_utc();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        retry_after(&headers, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        assert_eq!(parsed("17"), Some(17));
        assert_eq!(parsed("Thu, 01 Jan 2026 12:00:30 GMT"), Some(30));
        assert_eq!(parsed("Thu, 01 Jan 2026 11:00:00 GMT"), Some(0));
        assert_eq!(parsed("86400"), Some(900));
        assert_eq!(parsed("99999999999999999999999"), Some(900));
        assert_eq!(parsed("soon"), None);
        assert_eq!(parsed("-5"), None);
    }

    #[test]
    fn both_of_the_vendors_messages_mean_the_rate_limit() {
        assert!(says_rate_limited(
            b"{\"message\":\"You've exceeded the per-minute rate limit. Please wait\"}"
        ));
        assert!(says_rate_limited(
            b"Rate limit for this API has been reached. Please try again later"
        ));
        assert!(!says_rate_limited(b"{\"error\":\"no such account\"}"));
    }
}
