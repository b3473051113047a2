//! What an answer is: the one place that gives a status and a body meaning.

use std::time::Duration;

use reqwest::StatusCode;

use super::charset;
use super::page::{self, Content};
use super::{ApiError, Page};

/// Bodies of errors are read this far, to look for the vendor's words.
pub(super) const ERROR_BODY_BYTES: usize = 64 * 1024;

/// An answer that is no error.
#[derive(Debug)]
pub enum Answer {
    /// A page, with records or without.
    Page {
        /// It.
        page: Page,
        /// Characters of the answer that could not be read, in records or elsewhere.
        unreadable: u64,
    },
    /// It says that there is nothing, but not as a page does: an empty page once a second answer says so too.
    EmptyIfAgreed,
}

/// What came back: everything of a response that has a meaning.
#[derive(Debug)]
pub struct Received {
    /// The status.
    pub status: StatusCode,
    /// The header `content-type`, empty where there is none.
    pub content_type: String,
    /// What `retry-after` asks us to wait.
    pub retry_after: Option<Duration>,
    /// The body, after decompression.
    pub body: Vec<u8>,
}

/// Says what an answer is. `most` bounds its text in bytes.
///
/// # Errors
/// It is no page, and the error says what it is instead.
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
        // Where no record says it, the API does: an empty page would count as read.
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
            Content::Strays => Err(ApiError::ErrorObjects),
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

/// The beginning of a body, in small letters.
fn words(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(ERROR_BODY_BYTES)]).to_ascii_lowercase()
}

/// The vendor's two messages: "You've exceeded the per-minute rate limit. …" and "Rate limit for this API has been
/// reached. …".
fn says_rate_limited(words: &str) -> bool {
    words.contains("rate limit")
}

/// Nothing is shown because it is too long ago, which is not the same as that there was nothing.
fn says_too_old(words: &str) -> bool {
    ["older than", "retention"]
        .iter()
        .any(|word| words.contains(word))
}

#[cfg(test)]
mod tests;
