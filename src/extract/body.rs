use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::ApiError;
use super::answer::{ERROR_BODY_BYTES, Received};

pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

pub(super) async fn receive(
    response: Response,
    max_bytes: usize,
    now: DateTime<Utc>,
) -> Result<Received, ApiError> {
    let status = response.status();
    let retry_after = retry_after(response.headers(), now);
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body = if status == StatusCode::OK {
        collect(response, max_bytes).await?
    } else {
        beginning(response, ERROR_BODY_BYTES).await
    };
    Ok(Received {
        status,
        content_type,
        retry_after,
        body,
    })
}

/// Counts decompressed bytes, against gzip bombs.
async fn collect(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ApiError::transport)? {
        let length = body.len() + chunk.len();
        if length > max_bytes {
            return Err(ApiError::TooLarge { limit: max_bytes });
        }
        if length > body.capacity() {
            // `Vec` would grow beyond `max_bytes`.
            body.reserve_exact((2 * length).min(max_bytes) - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The part before the body broke or grew too long: the status counts, the words only explain it.
async fn beginning(mut response: Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(room) = most.checked_sub(body.len()).filter(|room| *room > 0)
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    body
}

/// RFC 9110, section 10.2.3: seconds or a date.
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
}
