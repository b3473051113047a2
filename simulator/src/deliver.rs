//! Plays an answer back to the client: whole, late, slow, huge, cut off, or not at all.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::{
    answer::Answer,
    connection::{Ending, Line, Script},
    fault::FaultKind,
    gzip_bomb,
};

/// White space for huge bodies, sent over and over.
static SPACES: [u8; 65_536] = [b' '; 65_536];

/// Turns an answer into a response. Faults that break HTTP itself are played by the connection, past the HTTP server.
pub(crate) async fn deliver(answer: Answer, line: &Line) -> Response {
    if let Some(hold) = &answer.hold {
        hold.cancelled().await;
    }
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    let Answer {
        status,
        body,
        content_type,
        retry_after,
        fault,
        ..
    } = answer;
    let whole = body.len();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut response, header::CONTENT_TYPE, &content_type);
    if let Some(retry_after) = retry_after {
        set(&mut response, header::RETRY_AFTER, &retry_after);
    }
    *response.body_mut() = match fault {
        Some(FaultKind::Redirect(location)) => {
            set(&mut response, header::LOCATION, &location);
            Body::empty()
        }
        Some(FaultKind::Drip(interval)) => {
            set(&mut response, header::CONTENT_LENGTH, &whole.to_string());
            drip(Bytes::from(body), interval)
        }
        Some(FaultKind::Huge(padding)) => huge(Bytes::from(body), padding),
        Some(FaultKind::GzipBomb(unpacked)) => {
            set(&mut response, header::CONTENT_ENCODING, "gzip");
            Body::from_stream(gzip_bomb::parts(&body, unpacked).map(Ok::<_, Infallible>))
        }
        Some(cut) => match script(&cut, status, &body) {
            Some(script) => {
                line.play(script);
                Body::empty()
            }
            None => Body::from(body),
        },
        None => Body::from(body),
    };
    response
}

/// What the connection sends in place of the HTTP server, for the faults that no server would produce.
fn script(fault: &FaultKind, status: u16, body: &[u8]) -> Option<Script> {
    let half = &body[..body.len() / 2];
    let length = Some(body.len());
    Some(match fault {
        FaultKind::ResetBeforeResponse => Script {
            bytes: Vec::new(),
            ending: Ending::Reset,
        },
        FaultKind::ResetInBody => Script {
            bytes: raw_response(status, length, half),
            ending: Ending::Reset,
        },
        FaultKind::TruncatedWithLength => Script {
            bytes: raw_response(status, length, half),
            ending: Ending::Close,
        },
        FaultKind::TruncatedWithoutLength => Script {
            bytes: raw_response(status, None, half),
            ending: Ending::Close,
        },
        _ => return None,
    })
}

fn raw_response(status: u16, length: Option<usize>, body: &[u8]) -> Vec<u8> {
    let length = length
        .map(|length| format!("content-length: {length}\r\n"))
        .unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Simulated\r\ncontent-type: application/json; charset=utf-8\r\nconnection: close\r\n{length}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn drip(body: Bytes, interval: Duration) -> Body {
    let bytes = stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(interval).await;
        let byte = rest.split_to(1);
        Some((Ok::<_, Infallible>(byte), rest))
    });
    Body::from_stream(bytes)
}

fn huge(body: Bytes, padding: u64) -> Body {
    let chunk = u64::try_from(SPACES.len()).unwrap_or(1);
    let spaces = stream::unfold(padding, move |left| async move {
        let take = usize::try_from(left.min(chunk)).unwrap_or(0);
        (take > 0).then(|| (Bytes::from_static(&SPACES[..take]), left - left.min(chunk)))
    });
    Body::from_stream(
        stream::once(async { body })
            .chain(spaces)
            .map(Ok::<_, Infallible>),
    )
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
