//! How an API may behave beside all that its pages say: each was reported of this API or of one like it.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use clap::ValueEnum;

/// Ways to be odd; none by default.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    /// The most records of a page, whatever is asked for.
    pub page_cap: Option<usize>,
    /// Whether a page has as many records of each kind (handled by a bot alone, conversations) as are asked for.
    pub both_kinds: bool,
    /// How it is told that a range holds nothing.
    pub no_data: NoData,
    /// What comes in place of a page past the end.
    pub past_end: PastEnd,
    /// In which charset the answer is, and whether it says so.
    pub charset: Charset,
    /// From how long ago on anything is served.
    pub retention: Option<TimeDelta>,
    /// How what is older is refused.
    pub too_old: TooOld,
    /// Ranges that reach into the time between these instants are refused.
    pub refused: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What the range of a request is taken for.
    pub range: Range,
    /// Ranges shorter than this are refused.
    pub shortest_range: TimeDelta,
    /// Whether each page with records has an error object among them.
    pub error_object: bool,
    /// The header `Date`, whatever time it is.
    pub date: Option<String>,
}

/// How it is told that a range holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum NoData {
    /// A page without records.
    #[default]
    Page,
    /// Status 204, without a body.
    NoContent,
    /// `{"numResults":0}`, without a list.
    NoList,
    /// A page without records, and a message.
    Message,
}

/// What comes in place of a page past the end of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PastEnd {
    /// A page without records.
    #[default]
    Page,
    /// Status 204, without a body.
    NoContent,
    /// A message, and no list.
    Message,
    /// Status 404.
    NotFound,
    /// Status 500.
    ServerError,
    /// The last page once more.
    LastPage,
}

/// In which charset an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Charset {
    /// UTF-8, which is said.
    #[default]
    Utf8,
    /// UTF-8 behind a byte order mark.
    Utf8Marked,
    /// ISO 8859-1, which is said.
    Latin1,
    /// ISO 8859-1, and UTF-8 is said.
    Latin1Undeclared,
    /// UTF-16 with a byte order mark, and nothing is said.
    Utf16,
}

/// How a range that begins too long ago is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TooOld {
    /// Status 400.
    #[default]
    Refuse,
    /// Status 200 with a message, and no list.
    Message,
}

/// What the range of a request is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Range {
    /// What it says.
    #[default]
    Kept,
    /// All of its dates.
    Dates,
    /// The last 24 hours, whatever it says.
    LastDay,
    /// Everything, whatever it says.
    Everything,
}

impl Range {
    /// The bounds that are served in place of those that were asked for, at `zone` from UTC.
    pub(crate) fn bounds(
        self,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        zone: TimeDelta,
        now: DateTime<Utc>,
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        let midnight = |at: DateTime<Utc>, days| {
            let date = (at - zone).date_naive() + Days::new(days);
            date.and_time(NaiveTime::MIN).and_utc() + zone
        };
        match self {
            Self::Kept => (from, to),
            Self::Dates => (midnight(from, 0), midnight(to, 1) - TimeDelta::milliseconds(1)),
            Self::LastDay => (now - TimeDelta::days(1), now),
            Self::Everything => (DateTime::UNIX_EPOCH, now),
        }
    }
}

impl Charset {
    /// A body of UTF-8 in this charset, and the `content-type` that goes with it.
    pub(crate) fn encode(self, body: Vec<u8>) -> (Vec<u8>, &'static str) {
        const PLAIN: &str = "application/json";
        const UTF8: &str = "application/json; charset=utf-8";
        let latin = |body: &[u8]| -> Vec<u8> {
            let text = String::from_utf8_lossy(body);
            text.chars()
                .map(|char| u8::try_from(u32::from(char)).unwrap_or(b'?'))
                .collect()
        };
        match self {
            Self::Utf8 => (body, UTF8),
            Self::Utf8Marked => ([b"\xef\xbb\xbf", body.as_slice()].concat(), UTF8),
            Self::Latin1 => (latin(&body), "application/json; charset=ISO-8859-1"),
            Self::Latin1Undeclared => (latin(&body), UTF8),
            Self::Utf16 => {
                let text = String::from_utf8_lossy(&body);
                let units = std::iter::once(0xfeff).chain(text.encode_utf16());
                (units.flat_map(u16::to_le_bytes).collect(), PLAIN)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn a_range_of_dates_is_whole_days_of_the_zone_that_is_asked_for() {
        let at = |day, hour| Utc.with_ymd_and_hms(2026, 1, day, hour, 30, 0).unwrap();
        let (from, to) = Range::Dates.bounds((at(10, 12), at(11, 20)), TimeDelta::minutes(-330), at(20, 0));
        assert_eq!(from.to_rfc3339(), "2026-01-09T18:30:00+00:00");
        assert_eq!(to.to_rfc3339(), "2026-01-12T18:29:59.999+00:00");
    }

    #[test]
    fn a_body_is_encoded_as_is_said() {
        let encoded = |charset: Charset| charset.encode("é".as_bytes().to_vec()).0;
        assert_eq!(encoded(Charset::Utf8), "é".as_bytes());
        assert_eq!(encoded(Charset::Utf8Marked), b"\xef\xbb\xbf\xc3\xa9");
        assert_eq!(encoded(Charset::Latin1), b"\xe9");
        assert_eq!(encoded(Charset::Utf16), b"\xff\xfe\xe9\x00");
    }
}
