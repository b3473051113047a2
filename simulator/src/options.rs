//! What a simulator is told at its start: where to listen, whom to let in, which limits hold, and which reading of the
//! vendor's unclear pages it follows.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use chrono::TimeDelta;
use clap::ValueEnum;

use crate::quirks::Quirks;

/// Everything a simulator starts with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Whom it lets in.
    pub credentials: Credentials,
    /// The documented limits.
    pub limits: Limits,
    /// The reading of what the vendor leaves open.
    pub behaviour: Behaviour,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials: Credentials::default(),
            limits: Limits::default(),
            behaviour: Behaviour::default(),
        }
    }
}

/// The account, and the app that may read it.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The account in the path and in the `accountId` header.
    pub account_id: String,
    /// The stream or application id in the `iId` header.
    pub stream_id: String,
    /// The client id that a token carries as `appId`.
    pub client_id: String,
    /// The shared secret that signs tokens; with RS256 and RS512, the public key as PEM.
    pub client_secret: String,
    /// The algorithm that a token must be signed with.
    pub algorithm: Algorithm,
    /// A fixed token that is let in as well, without being looked into.
    pub static_token: Option<String>,
    /// Whether a token needs a `jti` that no other token has used.
    pub enforce_jti: bool,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            account_id: "acct-sim".to_owned(),
            stream_id: "st-sim".to_owned(),
            client_id: "cs-sim".to_owned(),
            client_secret: "simulator-secret-0123456789abcdef".to_owned(),
            algorithm: Algorithm::Hs256,
            static_token: None,
            enforce_jti: true,
        }
    }
}

/// The algorithms that the vendor offers for tokens, and HS384 for completeness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
    /// HMAC with SHA-256, the vendor's default.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA with SHA-256.
    Rs256,
    /// RSA with SHA-512.
    Rs512,
}

/// The documented limits. All are enforced.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests in any window of [`Self::minute`]; `None` lifts the limit. The vendor says 60.
    pub requests_per_minute: Option<u32>,
    /// Requests in any window of 60 × [`Self::minute`]; `None`, the default, is no such limit. Some tiers have 1,800.
    pub requests_per_hour: Option<u32>,
    /// The length of the sliding "minute": 60 s. A test of waiting may shorten it.
    pub minute: Duration,
    /// The most records of a page: 100.
    pub max_page: usize,
    /// The highest `offset`, in whichever unit it counts: 10.
    pub max_offset: i64,
    /// The longest range in days: 7.
    pub max_days: i64,
    /// How a limited answer says when to come back.
    pub retry_after: RetryAfter,
    /// The status of a limited answer: 429, or 200 or 400 with the message in the body all the same.
    pub rate_limit_status: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: None,
            requests_per_hour: None,
            minute: Duration::from_secs(60),
            max_page: 100,
            max_offset: 10,
            max_days: 7,
            retry_after: RetryAfter::Absent,
            rate_limit_status: 429,
        }
    }
}

/// The `Retry-After` header of a limited answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAfter {
    /// No header.
    Absent,
    /// The seconds until a request is let in again, rounded up.
    Seconds,
    /// The same instant as an HTTP date.
    HttpDate,
    /// This text, absurd or not.
    Exactly(String),
}

/// A reading of what the vendor's pages leave open. Each value of each knob is something a server might do.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// The order of rows.
    pub order: Order,
    /// What `numResults` counts.
    pub num_results: NumResults,
    /// What the range filters on.
    pub basis: Basis,
    /// Whether a record exactly at `endDate` is in the range.
    pub end: End,
    /// What `offset` counts.
    pub offset_unit: OffsetUnit,
    /// What happens past the highest offset.
    pub past_offset: PastOffset,
    /// How long every answer takes, beside the work itself.
    pub latency: Duration,
    /// Whether sessions that have not ended are returned.
    pub open_sessions: bool,
    /// By how much stamps without a zone are later than the request's offset says.
    pub stamp_shift: TimeDelta,
    /// How long after its end a session is shown for the first time; zero shows it from its start on.
    pub publish_delay: TimeDelta,
    /// Whether every range is answered with a page without records, as a source does whose index is away.
    pub empty_answers: bool,
    /// Whether sessions without a conversation have a word that stands for nothing as `conversationId`.
    pub placeholder_ids: bool,
    /// Whether phone numbers and e-mail addresses of customers are written in all the ways that programs and people have.
    pub odd_spellings: bool,
    /// Whether records have the shapes of all versions of the vendor's samples, some of each: hold times, who joined and who
    /// was consulted as objects, sessions told as open by `TRANSIENT_OPEN` or without their times, channels with a blank at their end,
    /// and the shadow sessions of the agent's assistant (for those that are seeded or arrive from then on).
    pub vendor_shapes: bool,
    /// What is odd about it.
    pub quirks: Quirks,
}

impl Behaviour {
    /// Pages hold `page_cap` records at most, whatever is asked for.
    pub fn capped(page_cap: usize, num_results: NumResults) -> Self {
        let quirks = Quirks {
            page_cap: Some(page_cap),
            ..Quirks::default()
        };
        Self {
            num_results,
            quirks,
            ..Self::default()
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            order: Order::Unordered,
            num_results: NumResults::Total,
            basis: Basis::Start,
            end: End::Inclusive,
            offset_unit: OffsetUnit::Pages,
            past_offset: PastOffset::Refuse,
            latency: Duration::ZERO,
            open_sessions: true,
            stamp_shift: TimeDelta::zero(),
            publish_delay: TimeDelta::zero(),
            empty_answers: false,
            placeholder_ids: false,
            odd_spellings: false,
            vendor_shapes: false,
            quirks: Quirks::default(),
        }
    }
}

/// The order of rows in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// By session start, oldest first.
    Ascending,
    /// By session start, newest first.
    Descending,
    /// Shuffled, the same way every time.
    Unordered,
    /// Shuffled anew for every request: pages overlap and leave rows out.
    Reshuffled,
    /// Sessions that only a bot handled first, oldest first; then conversations, newest first.
    TwoSources,
}

/// What `numResults` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NumResults {
    /// All records of the range.
    Total,
    /// The records of this page.
    Page,
    /// It is left out.
    Absent,
    /// More than there are: 10 for 6, as in the vendor's sample.
    Overstated,
}

/// What the range of a request is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Basis {
    /// The start of the session.
    Start,
    /// The end of the session; an open one is in no range.
    End,
    /// Any moment of the session; an open one lasts until now.
    Overlap,
}

/// Whether the end of a range belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum End {
    /// It does.
    Inclusive,
    /// It does not.
    Exclusive,
}

/// What `offset` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OffsetUnit {
    /// Pages of `limit` records.
    Pages,
    /// Records.
    Records,
}

/// The answer to an offset above the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PastOffset {
    /// Status 400.
    Refuse,
    /// Status 200 without records.
    Empty,
}
