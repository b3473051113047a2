//! The HTTP side of the endpoint: it hands a call to the world and plays the answer back, faults included.

use axum::{
    body::Bytes,
    extract::{ConnectInfo, Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, header::DATE},
    response::Response,
};

use crate::{
    answer::{Answer, Call},
    connection::Line,
    deliver::deliver,
    fault::FaultKind,
    http_date::http_date,
    request::Refusal,
    server::{Shared, lock},
};

/// The route; the last segment is matched by the handler, since the vendor writes it in two ways.
pub(crate) const ROUTE: &str = "/agentassist/api/public/analytics/account/{account_id}/v2/{endpoint}";

/// Serves `interactionDetails`.
pub(crate) async fn interaction_details(
    State(shared): State<Shared>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path((account, endpoint)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    (method, headers, body): (Method, HeaderMap, Bytes),
) -> Response {
    if !endpoint.eq_ignore_ascii_case("interactionDetails") {
        return deliver(Answer::refusal(&Refusal::new(404, "no such endpoint")), &line).await;
    }
    if method != Method::POST {
        return deliver(
            Answer::refusal(&Refusal::new(405, "the method must be POST")),
            &line,
        )
        .await;
    }
    let _in_flight = InFlight::enter(&shared);
    let call = Call {
        account: &account,
        headers: &headers,
        query: query.as_deref().unwrap_or_default(),
        body: &body,
    };
    let (answer, date) = {
        let mut world = lock(&shared);
        let answer = world.answer(&call);
        let odd = world.behaviour.quirks.date.clone();
        (answer, odd.unwrap_or_else(|| http_date(world.now())))
    };
    let fault = answer.fault.as_ref().map(FaultKind::name);
    tracing::debug!(status = answer.status, fault, "request answered");
    let mut response = deliver(answer, &line).await;
    // The HTTP server would send the machine's own time.
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

/// Counts a request as being answered for as long as it lives, which ends too when the client goes away.
struct InFlight(Shared);

impl InFlight {
    fn enter(shared: &Shared) -> Self {
        let counters = &mut lock(shared).counters;
        counters.in_flight += 1;
        counters.in_flight_peak = counters.in_flight_peak.max(counters.in_flight);
        Self(Shared::clone(shared))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let counters = &mut lock(&self.0).counters;
        counters.in_flight = counters.in_flight.saturating_sub(1);
    }
}
