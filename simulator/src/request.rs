//! What a request asks for, and the limits that it must keep. Each refusal names what is wrong, as the vendor's do.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde_json::Value;

use crate::{
    filter::Filters,
    interaction::Direction,
    options::{Limits, PastOffset},
    render::Selected,
};

/// A request that keeps the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    pub(crate) time_zone: TimeDelta,
    pub(crate) selected: Selected,
    pub(crate) filters: Filters,
    /// The offset is above the highest, on a server that answers with nothing.
    pub(crate) past_offset: bool,
}

/// A request that is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

/// The paging of the query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Paging {
    pub(crate) offset: Option<i64>,
    pub(crate) limit: Option<i64>,
    /// A value was there, and was no number.
    pub(crate) garbled: bool,
}

impl Paging {
    pub(crate) fn read(query: &str) -> Self {
        let mut paging = Self::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let number = value.parse().ok();
            match key {
                "offset" => paging.offset = number,
                "limit" => paging.limit = number,
                _ => continue,
            }
            paging.garbled |= number.is_none();
        }
        paging
    }
}

/// Reads and checks a request.
pub(crate) fn read(
    body: &Value,
    paging: Paging,
    limits: &Limits,
    past_offset: PastOffset,
) -> Result<Asked, Refusal> {
    let minutes = body.get("timeZoneOffset").and_then(Value::as_i64);
    let time_zone = minutes
        .filter(|minutes| minutes.abs() <= 14 * 60)
        .map(TimeDelta::minutes)
        .ok_or_else(|| Refusal::new(400, "timeZoneOffset is required and must be a number of minutes"))?;
    let (from, to) = range(body, time_zone, limits)?;
    let (offset, limit, past_offset) = page(paging, limits, past_offset)?;
    Ok(Asked {
        offset,
        limit,
        from,
        to,
        time_zone,
        selected: selected(body)?,
        filters: filters(body)?,
        past_offset,
    })
}

/// The bounds of a range as far as they can be read, for the log.
pub(crate) fn bounds(body: &Value) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let minutes = body
        .get("timeZoneOffset")
        .and_then(Value::as_i64)
        .filter(|minutes| minutes.abs() <= 14 * 60);
    let zone = TimeDelta::minutes(minutes.unwrap_or(0));
    let bound = |key, last| stamp(body, key, last).ok().map(|local| local.and_utc() + zone);
    (bound("startDate", false), bound("endDate", true))
}

fn range(body: &Value, zone: TimeDelta, limits: &Limits) -> Result<(DateTime<Utc>, DateTime<Utc>), Refusal> {
    let (from, to) = (stamp(body, "startDate", false)?, stamp(body, "endDate", true)?);
    if from > to {
        return Err(Refusal::new(400, "startDate must not be after endDate"));
    }
    if to - from > TimeDelta::days(limits.max_days) {
        let message = format!("The date range cannot be more than {} days", limits.max_days);
        return Err(Refusal::new(400, message));
    }
    Ok((from.and_utc() + zone, to.and_utc() + zone))
}

/// `yyyy-mm-dd HH:MM:SS`, or a bare date, which means the whole day: its first instant, or its last millisecond, so that
/// its last second belongs to the range even where the end does not.
fn stamp(body: &Value, key: &str, last: bool) -> Result<NaiveDateTime, Refusal> {
    let text = body.get(key).and_then(Value::as_str).unwrap_or_default();
    if let Ok(at) = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S") {
        return Ok(at);
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| {
        Refusal::new(
            400,
            format!("{key} is required in the format yyyy-mm-dd HH24:mm:ss"),
        )
    })?;
    let midnight = day.and_time(NaiveTime::MIN);
    Ok(if last {
        midnight + TimeDelta::milliseconds(86_399_999)
    } else {
        midnight
    })
}

fn page(paging: Paging, limits: &Limits, past: PastOffset) -> Result<(usize, usize, bool), Refusal> {
    if paging.garbled {
        return Err(Refusal::new(400, "offset and limit must be numbers"));
    }
    let limit = paging
        .limit
        .map_or(Ok(limits.max_page), usize::try_from)
        .unwrap_or(0);
    if limit == 0 || limit > limits.max_page {
        let message = format!("limit must be between 1 and {}", limits.max_page);
        return Err(Refusal::new(400, message));
    }
    let offset = paging.offset.unwrap_or(0);
    let too_far = offset > limits.max_offset;
    match usize::try_from(offset) {
        Ok(offset) if !too_far || past == PastOffset::Empty => Ok((offset, limit, too_far)),
        _ => Err(Refusal::new(
            400,
            format!("offset must be between 0 and {}", limits.max_offset),
        )),
    }
}

fn selected(body: &Value) -> Result<Selected, Refusal> {
    let names = names(body, "selectedFields")?;
    let has = |name: &str| names.iter().any(|field| field == name);
    Ok(Selected {
        skills: has("skills"),
        customer: has("customerinfo"),
        user_tags: has("userleveltags"),
        session_tags: has("sessionleveltags"),
        campaign: has("campaigninfo"),
        snooze: has("snoozeinfo"),
    })
}

fn filters(body: &Value) -> Result<Filters, Refusal> {
    let direction = match body.get("direction").map(|value| value.as_str().unwrap_or("?")) {
        None | Some("" | "Both") => None,
        Some("Inbound") => Some(Direction::Inbound),
        Some("Outbound") => Some(Direction::Outbound),
        Some(_) => return Err(Refusal::new(400, "direction must be Inbound, Outbound or Both")),
    };
    Ok(Filters {
        channels: names(body, "channels")?,
        queues: names(body, "queues")?,
        bots: names(body, "bots")?,
        direction,
    })
}

/// An optional array of texts.
fn names(body: &Value, key: &str) -> Result<Vec<String>, Refusal> {
    let refusal = || Refusal::new(400, format!("{key} must be an array of strings"));
    match body.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(refusal))
            .collect(),
        Some(_) => Err(refusal()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use serde_json::json;

    use super::*;

    fn ask(body: &Value, query: &str) -> Result<Asked, Refusal> {
        read(body, Paging::read(query), &Limits::default(), PastOffset::Refuse)
    }

    fn range_of(start: &str, end: &str, zone: i64) -> Value {
        json!({ "startDate": start, "endDate": end, "timeZoneOffset": zone })
    }

    #[test]
    fn a_negative_offset_lies_east_of_greenwich() {
        let asked = ask(&range_of("2025-09-30 12:04:48", "2025-09-30 12:04:49", -330), "").unwrap();
        assert_eq!(asked.from, Utc.with_ymd_and_hms(2025, 9, 30, 6, 34, 48).unwrap());
        assert_eq!((asked.offset, asked.limit), (0, 100));
    }

    #[test]
    fn bare_dates_mean_whole_days() {
        let asked = ask(&range_of("2025-09-30", "2025-09-30", 0), "offset=2&limit=50").unwrap();
        assert_eq!(asked.from, Utc.with_ymd_and_hms(2025, 9, 30, 0, 0, 0).unwrap());
        assert_eq!(
            asked.to,
            Utc.with_ymd_and_hms(2025, 10, 1, 0, 0, 0).unwrap() - TimeDelta::milliseconds(1)
        );
        assert_eq!((asked.offset, asked.limit), (2, 50));
    }

    #[test]
    fn seven_days_are_allowed_and_a_second_more_is_not() {
        assert!(ask(&range_of("2025-09-01 00:00:00", "2025-09-08 00:00:00", 0), "").is_ok());
        assert!(ask(&range_of("2025-09-01", "2025-09-07", 0), "").is_ok());
        let refusal = ask(&range_of("2025-09-01 00:00:00", "2025-09-08 00:00:01", 0), "").unwrap_err();
        assert_eq!(refusal.status, 400);
        assert!(refusal.message.contains("7 days"));
    }

    #[test]
    fn malformed_requests_are_refused() {
        let good = range_of("2025-09-01", "2025-09-02", 0);
        for query in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "offset=11",
            "offset=-1",
            "offset=x",
            "limit=",
        ] {
            assert!(ask(&good, query).is_err(), "{query}");
        }
        let with = |key: &str, value: Value| {
            let mut body = good.clone();
            body[key] = value;
            body
        };
        for body in [
            json!(null),
            with("startDate", json!("2025-09-03")),
            with("startDate", json!("2025-09-01T00:00:00Z")),
            with("endDate", json!(null)),
            with("timeZoneOffset", json!("0")),
            with("timeZoneOffset", json!(100_000)),
            with("selectedFields", json!({ "skills": true })),
            with("queues", json!([1])),
            with("direction", json!("Sideways")),
        ] {
            assert!(ask(&body, "").is_err(), "{body}");
        }
        assert!(ask(&with("isAutomation", json!(false)), "offset=10&limit=1").is_ok());
    }
}
