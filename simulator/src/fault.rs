//! Faults on demand: what goes wrong, and on which request.

use std::time::Duration;

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// On which requests.
    pub when: When,
    /// What.
    pub kind: FaultKind,
}

/// The requests that a fault is played on, counted among those that were signed in and inside the rate limit.
///
/// One request suffers one fault that shapes its answer; faults that are not used up wait for the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// The nth request from now, 1 being the next.
    Nth(u64),
    /// The next n requests.
    Next(u64),
    /// Every request, until [`crate::World::clear_faults`].
    Always,
    /// Every request with this probability, 0.0 to 1.0, drawn from the seed.
    Chance {
        /// The probability.
        probability: f64,
        /// The source of the draws.
        seed: u64,
    },
    /// The next n requests with this `offset`.
    Offset {
        /// The `offset` of the query.
        offset: i64,
        /// How many times.
        times: u64,
    },
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// A status instead of an answer.
    Status {
        /// The status code.
        status: u16,
        /// The `Retry-After` header.
        retry_after: Option<String>,
        /// The `content-type` header.
        content_type: String,
        /// The body.
        body: String,
    },
    /// Status 200 with these bytes instead of an answer.
    Body(Vec<u8>),
    /// A redirect (302) to this address.
    Redirect(String),
    /// TCP reset before the first byte of the response.
    ResetBeforeResponse,
    /// TCP reset after half of the body.
    ResetInBody,
    /// Half of the body under a `Content-Length` that promises all of it.
    TruncatedWithLength,
    /// Half of the body without a `Content-Length`; its end is the end of the connection.
    TruncatedWithoutLength,
    /// The answer comes this much later. Combines with other faults.
    Latency(Duration),
    /// The body comes byte by byte, one an interval.
    Drip(Duration),
    /// The answer is followed by this many bytes of white space, still valid JSON.
    Huge(u64),
    /// A gzip body that unpacks to at least this many bytes of white space.
    GzipBomb(u64),
}

impl Fault {
    /// On the next request.
    #[must_use]
    pub const fn next(kind: FaultKind) -> Self {
        Self {
            when: When::Next(1),
            kind,
        }
    }

    /// On the next n requests.
    #[must_use]
    pub const fn times(n: u64, kind: FaultKind) -> Self {
        Self {
            when: When::Next(n),
            kind,
        }
    }

    /// On the nth request from now, 1 being the next.
    #[must_use]
    pub const fn nth(n: u64, kind: FaultKind) -> Self {
        Self {
            when: When::Nth(n),
            kind,
        }
    }

    /// On every request.
    #[must_use]
    pub const fn always(kind: FaultKind) -> Self {
        Self {
            when: When::Always,
            kind,
        }
    }

    /// On the next request with this `offset`.
    #[must_use]
    pub const fn at_offset(offset: i64, kind: FaultKind) -> Self {
        Self {
            when: When::Offset { offset, times: 1 },
            kind,
        }
    }
}

impl FaultKind {
    /// A status with a JSON error body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let body = format!(r#"{{"errors":[{{"msg":"simulated failure","code":{status}}}]}}"#);
        Self::Status {
            status,
            retry_after: None,
            content_type: "application/json; charset=utf-8".to_owned(),
            body,
        }
    }

    /// A status with the HTML page of a gateway.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let body =
            format!("<html><head><title>{status}</title></head><body><h1>{status} Error</h1></body></html>");
        Self::Status {
            status,
            retry_after: None,
            content_type: "text/html".to_owned(),
            body,
        }
    }

    /// A status with a `Retry-After` header: seconds, a date, or anything.
    #[must_use]
    pub fn retry_after(status: u16, retry_after: impl Into<String>) -> Self {
        let mut fault = Self::status(status);
        if let Self::Status {
            retry_after: header, ..
        } = &mut fault
        {
            *header = Some(retry_after.into());
        }
        fault
    }

    /// The name in the request log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Body(_) => "body",
            Self::Redirect(_) => "redirect",
            Self::ResetBeforeResponse => "reset_before_response",
            Self::ResetInBody => "reset_in_body",
            Self::TruncatedWithLength => "truncated_with_length",
            Self::TruncatedWithoutLength => "truncated_without_length",
            Self::Latency(_) => "latency",
            Self::Drip(_) => "drip",
            Self::Huge(_) => "huge",
            Self::GzipBomb(_) => "gzip_bomb",
        }
    }

    /// Whether it only delays, so that another fault may come on top.
    pub(crate) const fn is_delay(&self) -> bool {
        matches!(self, Self::Latency(_))
    }
}
