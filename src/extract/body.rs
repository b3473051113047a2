//! Receives a body and decodes it.

use std::string::FromUtf8Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use encoding_rs::{CoderResult, Encoding, UTF_8};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::ApiError;

pub(super) const ERROR_BODY_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub struct Received {
    pub status: StatusCode,
    pub content_type: String,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

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

fn declared(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, label) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        let label = label.trim().trim_matches(['"', '\'']);
        is_charset.then(|| Encoding::for_label(label.as_bytes()))?
    })
}

/// `None`: too large. What is unreadable becomes U+FFFD, as does U+0000, which PostgreSQL cannot store.
pub(super) fn decode(mut body: Vec<u8>, content_type: &str, most: usize) -> Option<String> {
    let marked = Encoding::for_bom(&body);
    let (encoding, mark) = marked.unwrap_or_else(|| (declared(content_type).unwrap_or(UTF_8), 0));
    body.drain(..mark);
    let utf8 = if encoding == UTF_8 {
        String::from_utf8(body).map_err(FromUtf8Error::into_bytes)
    } else {
        Err(body)
    };
    let text = match utf8 {
        Ok(text) => text,
        Err(body) => transcode(encoding, &body, most)?,
    };
    let nuls = memchr::memchr_iter(0, text.as_bytes()).count();
    let growth = nuls * ("\u{fffd}".len() - 1);
    (text.len() + growth <= most).then(|| match nuls {
        0 => text,
        _ => text.replace('\0', "\u{fffd}"),
    })
}

fn transcode(encoding: &'static Encoding, body: &[u8], most: usize) -> Option<String> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length(body.len())?.min(most));
    let (result, ..) = decoder.decode_to_string(body, &mut text, true);
    (result == CoderResult::InputEmpty).then_some(text)
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

    const JSON: &str = "application/json";
    const PLENTY: usize = 1 << 20;

    fn read(body: &[u8], content_type: &str) -> String {
        decode(body.to_vec(), content_type, PLENTY).unwrap()
    }

    #[test]
    fn each_charset_is_read_and_each_byte_order_mark_is_stripped() {
        let wide =
            |to_bytes: fn(u16) -> [u8; 2]| "{\"a\":\"Zoë €\"}".encode_utf16().flat_map(to_bytes).collect();
        let (little, big): (Vec<u8>, Vec<u8>) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
        for (mark, body, content_type) in [
            (&b""[..], "{\"a\":\"Zoë €\"}".as_bytes(), JSON),
            (b"\xef\xbb\xbf", "{\"a\":\"Zoë €\"}".as_bytes(), JSON),
            (
                b"\xef\xbb\xbf",
                "{\"a\":\"Zoë €\"}".as_bytes(),
                "application/json; charset=latin1",
            ),
            (
                b"",
                b"{\"a\":\"Zo\xeb \x80\"}",
                "application/json; charset=ISO-8859-1",
            ),
            (
                b"",
                b"{\"a\":\"Zo\xeb \x80\"}",
                "application/json;boundary=x; Charset=\"Windows-1252\"",
            ),
            (
                b"",
                b"{\"a\":\"Zo\xeb \xa4\"}",
                "application/json; charset=iso-8859-15",
            ),
            (b"\xff\xfe", &little, JSON),
            (b"\xfe\xff", &big, JSON),
            (b"", &little, "application/json; charset=utf-16le"),
            (b"", &big, "application/json; charset=UTF-16BE"),
            (
                b"",
                "{\"a\":\"Zoë €\"}".as_bytes(),
                "application/json; charset=no-such-charset",
            ),
        ] {
            let body = [mark, body].concat();
            assert_eq!(read(&body, content_type), "{\"a\":\"Zoë €\"}", "{content_type}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_replaced_in_its_place() {
        let text = read(b"ab\xffc\0d\xe2\x82", JSON);
        assert_eq!(text, "ab\u{fffd}c\u{fffd}d\u{fffd}");
        let latin = "application/json; charset=latin1";
        assert_eq!(read(b"Zo\xeb\0", latin), "Zoë\u{fffd}");
    }

    #[test]
    fn what_grows_past_the_limit_as_text_is_not_read() {
        for body in [&b"\xff\xff"[..], b"\0\0", b"12345"] {
            assert!(decode(body.to_vec(), JSON, 4).is_none(), "{body:?}");
        }
        let latin = "application/json; charset=latin1";
        assert!(decode(b"\xeb\xeb\xeb".to_vec(), latin, 4).is_none());
        assert!(decode(b"1234".to_vec(), JSON, 4).is_some());
    }
}
