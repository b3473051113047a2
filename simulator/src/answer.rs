//! From one call to one answer: who asks, how often, what is broken on purpose, what is asked, which records.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    fault::FaultKind,
    json,
    options::{NumResults, PastOffset},
    quirks::{NoData, PastEnd, Quirks, TooOld},
    rate::retry_after,
    render::{self, View},
    request::{self, Asked, Paging, Refusal},
    request_log::RequestRecord,
    select::{self, Query},
    store::Record,
    world::World,
};

/// A call of the endpoint.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The account in the path.
    pub(crate) account: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
}

/// What goes back, and how badly.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) retry_after: Option<String>,
    pub(crate) delay: Duration,
    /// It is sent no sooner than this is cancelled.
    pub(crate) hold: Option<CancellationToken>,
    pub(crate) fault: Option<FaultKind>,
    records: usize,
}

impl Answer {
    fn json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            content_type: "application/json; charset=utf-8".to_owned(),
            retry_after: None,
            delay: Duration::ZERO,
            hold: None,
            fault: None,
            records: 0,
        }
    }

    /// An error as the vendor writes it.
    pub(crate) fn refusal(refusal: &Refusal) -> Self {
        let mut body = Vec::new();
        json::object(&mut body, |o| {
            o.array("errors", |errors| {
                errors.object(|error| {
                    error.text("msg", &refusal.message);
                    error.number("code", i64::from(refusal.status));
                });
            });
        });
        Self::json(refusal.status, body)
    }
}

impl World {
    /// Answers a call and writes it into the log.
    pub(crate) fn answer(&mut self, call: &Call<'_>) -> Answer {
        self.counters.requests += 1;
        let paging = Paging::read(call.query);
        let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
        let answer = self.decide(call, paging, &body);
        self.counters.records_served += u64::try_from(answer.records).unwrap_or(0);
        self.counters.faulted += u64::from(answer.fault.is_some());
        let (start, end) = request::bounds(&body);
        let cut = answer.fault == Some(FaultKind::ResetBeforeResponse);
        let record = RequestRecord {
            number: self.counters.requests,
            at: self.now(),
            offset: paging.offset,
            limit: paging.limit,
            start,
            end,
            status: if cut { 0 } else { answer.status },
            records: answer.records,
            fault: answer.fault.as_ref().map(FaultKind::name),
            body,
        };
        self.log.push(record);
        answer
    }

    fn decide(&mut self, call: &Call<'_>, paging: Paging, body: &Value) -> Answer {
        if let Err(refusal) = self.check_caller(call) {
            self.counters.unauthorized += u64::from(refusal.status == 401);
            self.counters.refused += u64::from(refusal.status != 401);
            return Answer::refusal(&refusal);
        }
        if let Err(limited) = self.rate.admit(&self.limits, Instant::now()) {
            self.counters.rate_limited += 1;
            let mut answer = Answer::refusal(&Refusal::new(429, limited.message));
            answer.status = self.limits.rate_limit_status;
            answer.retry_after = retry_after(&self.limits.retry_after, limited.wait, self.now());
            return answer;
        }
        let suffered = self.admit_request(paging.offset.unwrap_or(0));
        let mut answer = self
            .replaced(suffered.shape.as_ref())
            .unwrap_or_else(|| self.page(paging, body));
        answer.delay = self.behaviour.latency + suffered.delay;
        answer.hold.clone_from(&self.hold);
        // A pure delay is worth a line in the log as well.
        let delayed = (!suffered.delay.is_zero()).then_some(FaultKind::Latency(suffered.delay));
        answer.fault = suffered.shape.or(delayed);
        answer
    }

    fn check_caller(&mut self, call: &Call<'_>) -> Result<(), Refusal> {
        let now = self.now();
        let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
        self.sign_in.check(header("auth"), &self.credentials, now)?;
        let content_type = header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        if !content_type.to_ascii_lowercase().starts_with("application/json") {
            return Err(Refusal::new(400, "content-type must be application/json"));
        }
        if call.account != self.credentials.account_id {
            return Err(Refusal::new(403, "ACCOUNT_NOT_ACCESSIBLE"));
        }
        for (name, want) in [
            ("accountId", &self.credentials.account_id),
            ("iId", &self.credentials.stream_id),
        ] {
            match header(name) {
                None => return Err(Refusal::new(400, format!("{name} header is required"))),
                Some(given) if given != want => {
                    return Err(Refusal::new(403, format!("{name} does not match")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The answer of a fault that does not need the real one.
    fn replaced(&self, fault: Option<&FaultKind>) -> Option<Answer> {
        match fault? {
            FaultKind::Status {
                status,
                retry_after,
                content_type,
                body,
            } => Some(Answer {
                retry_after: retry_after.clone(),
                content_type: content_type.clone(),
                ..Answer::json(*status, body.clone().into_bytes())
            }),
            FaultKind::Body(body) => Some(Answer::json(200, body.clone())),
            FaultKind::Redirect(_) => Some(Answer::json(302, Vec::new())),
            FaultKind::ResetBeforeResponse => Some(Answer::json(200, Vec::new())),
            _ => None,
        }
    }

    /// The status and body of an answer, in memory: without HTTP, sign-in, limits of requests and faults.
    pub fn ask(&mut self, query: &str, body: &Value) -> (u16, Vec<u8>) {
        self.counters.requests += 1;
        let answer = self.page(Paging::read(query), body);
        (answer.status, answer.body)
    }

    fn page(&mut self, paging: Paging, body: &Value) -> Answer {
        match request::read(body, paging, &self.limits, self.behaviour.past_offset) {
            Ok(asked) => self.records(&asked),
            Err(refusal) => {
                self.counters.refused += 1;
                Answer::refusal(&refusal)
            }
        }
    }

    fn records(&self, asked: &Asked) -> Answer {
        let now = self.now();
        let quirks = &self.behaviour.quirks;
        let is_refused = quirks
            .refused
            .is_some_and(|(from, to)| asked.from < to && from < asked.to);
        let is_too_old = |retention| asked.from < now - retention;
        if is_refused || quirks.retention.is_some_and(is_too_old) {
            return too_old(quirks.too_old);
        }
        if asked.to - asked.from < quirks.shortest_range {
            return Answer::refusal(&Refusal::new(400, "the range is too short"));
        }
        let (from, to) = quirks.range.bounds((asked.from, asked.to), asked.time_zone, now);
        let query = Query {
            from: from.timestamp_millis(),
            to: to.timestamp_millis(),
            filters: &asked.filters,
            now: now.timestamp_millis(),
            request: self.counters.requests,
        };
        let slots = select::select(&self.store, &self.behaviour, &query);
        let past = asked.past_offset && self.behaviour.past_offset == PastOffset::Empty;
        let page_at = |offset| select::pages(&self.store, &self.behaviour, &slots, (offset, asked.limit));
        let mut page = if past { Vec::new() } else { page_at(asked.offset) };
        if page.is_empty() && quirks.past_end == PastEnd::LastPage {
            let offsets = (0..asked.offset).rev();
            page = offsets
                .map(page_at)
                .find(|page| !page.is_empty())
                .unwrap_or_default();
        }
        if page.is_empty()
            && let Some(answer) = without_records(quirks, slots.is_empty())
        {
            return answer;
        }
        let view = View {
            vendor_shapes: self.behaviour.vendor_shapes,
            offset: asked.time_zone,
            stamp_shift: self.behaviour.stamp_shift,
            placeholder_ids: self.behaviour.placeholder_ids,
            odd_spellings: self.behaviour.odd_spellings,
            now,
            selected: asked.selected,
        };
        let num_results = match self.behaviour.num_results {
            NumResults::Total => Some(slots.len()),
            NumResults::Page => Some(page.len()),
            NumResults::Absent => None,
            NumResults::Overstated => Some(slots.len() * 5 / 3),
        };
        let body = self.envelope(num_results, &page, &view);
        let (body, content_type) = quirks.charset.encode(body);
        Answer {
            records: page.len(),
            content_type: content_type.to_owned(),
            ..Answer::json(200, body)
        }
    }

    fn envelope(&self, num_results: Option<usize>, page: &[u32], view: &View) -> Vec<u8> {
        // Records are about 2 KB; growing a buffer of 200 KB a dozen times costs more than this guess.
        let mut out = Vec::with_capacity(64 + page.len() * 2_600);
        out.push(b'{');
        if let Some(number) = num_results {
            out.extend_from_slice(format!("\"numResults\":{number},").as_bytes());
        }
        out.extend_from_slice(b"\"data\":[");
        for (index, slot) in page.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match self.store.record(*slot) {
                Some(Record::Typed(it)) => render::interaction(it, view, &mut out),
                Some(Record::Raw(raw)) => out.extend_from_slice(&raw.json),
                None => out.extend_from_slice(b"null"),
            }
        }
        if self.behaviour.quirks.error_object && !page.is_empty() {
            out.extend_from_slice(br#",{"errors":[{"msg":"Internal server error","code":500}]}"#);
        }
        out.extend_from_slice(b"]}");
        out
    }
}

fn too_old(how: TooOld) -> Answer {
    match how {
        TooOld::Refuse => Answer::refusal(&Refusal::new(400, "startDate is older than what is kept")),
        TooOld::Message => Answer::json(200, br#"{"message":"Data so old is not available"}"#.to_vec()),
    }
}

/// What comes where a page has no records; `None` where that is a page without records.
fn without_records(quirks: &Quirks, is_whole_range: bool) -> Option<Answer> {
    if is_whole_range {
        return match quirks.no_data {
            NoData::Page => None,
            NoData::NoContent => Some(Answer::json(204, Vec::new())),
            NoData::NoList => Some(Answer::json(200, br#"{"numResults":0}"#.to_vec())),
            NoData::Message => Some(Answer::json(
                200,
                br#"{"numResults":0,"data":[],"message":"No records found"}"#.to_vec(),
            )),
        };
    }
    match quirks.past_end {
        PastEnd::Page | PastEnd::LastPage => None,
        PastEnd::NoContent => Some(Answer::json(204, Vec::new())),
        PastEnd::Message => Some(Answer::json(
            200,
            br#"{"message":"Offset is beyond the number of records"}"#.to_vec(),
        )),
        PastEnd::NotFound => Some(Answer::refusal(&Refusal::new(404, "no such page"))),
        PastEnd::ServerError => Some(Answer::refusal(&Refusal::new(500, "index out of bounds"))),
    }
}
