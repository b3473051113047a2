use std::time::Duration;

use reqwest::StatusCode;

use super::charset;
use super::page::{self, Content};
use super::{ApiError, Page};

pub(super) const ERROR_BODY_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub enum Answer {
    Page {
        page: Page,
        /// Characters that could not be decoded.
        unreadable: u64,
    },
    /// Empty if a second answer agrees.
    EmptyIfAgreed,
}

#[derive(Debug)]
pub struct Received {
    pub status: StatusCode,
    pub content_type: String,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

/// `most`: bytes of text.
pub fn judge(received: Received, most: usize) -> Result<Answer, ApiError> {
    let Received {
        status,
        content_type,
        retry_after,
        body,
    } = received;
    let limited = |body: &str| ApiError::RateLimited {
        status,
        retry_after,
        is_of_minute: body.contains("per-minute"),
    };
    if status == StatusCode::NO_CONTENT {
        return Ok(Answer::empty());
    }
    if status == StatusCode::OK {
        let bytes = body.len();
        let text = charset::decode(body, &content_type, most).ok_or(ApiError::TooLarge { limit: most })?;
        let content = page::read(&text);
        // A record may contain "rate limit".
        let has_records = matches!(&content, Content::Page(page) if !page.records.is_empty());
        let words = if has_records {
            String::new()
        } else {
            words(text.text.as_bytes())
        };
        return match content {
            _ if says_rate_limited(&words) => Err(limited(&words)),
            Content::Page(page) => Ok(Answer::Page {
                page,
                unreadable: text.unreadable.count(),
            }),
            Content::Nothing if !says_too_old(&words) => Ok(Answer::EmptyIfAgreed),
            Content::Nothing | Content::Message => Err(ApiError::Message),
            Content::ErrorObjects => Err(ApiError::ErrorObjects),
            Content::Unknown => Err(ApiError::Undecodable { bytes }),
        };
    }
    let words = words(&body);
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => limited(&words),
        _ if says_rate_limited(&words) => limited(&words),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ApiError::Refused { status },
        _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            ApiError::ServerFault { status }
        }
        _ if status.is_redirection() => ApiError::Redirected { status },
        _ => ApiError::Unaccepted { status },
    })
}

impl Answer {
    fn empty() -> Self {
        Self::Page {
            page: Page::default(),
            unreadable: 0,
        }
    }
}

fn words(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(ERROR_BODY_BYTES)]).to_ascii_lowercase()
}

/// Matches both vendor messages, "per-minute rate limit" and "Rate limit for this API".
fn says_rate_limited(words: &str) -> bool {
    words.contains("rate limit")
}

/// Expired data is not an empty window.
fn says_too_old(words: &str) -> bool {
    ["older than", "retention"]
        .iter()
        .any(|word| words.contains(word))
}

#[cfg(test)]
mod tests;
