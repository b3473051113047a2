//! The date form of HTTP headers (RFC 9110, section 5.6.7).

use chrono::{DateTime, Utc};

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
