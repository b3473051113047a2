//! Answers that are made to take memory: the real program stays small whatever comes.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, Uri, header};
use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::{Program, Setup, TestDatabase, days_ago, midnight, wait};

/// What the daemon may take at its peak, in kilobytes.
const MOST: u64 = 128 * 1024;

const MEBIBYTE: usize = 1 << 20;

/// Bombs in flight at the same time.
const TOGETHER: usize = 4;

/// A body of so many bytes: `head`, then `part` over and over, then `tail`; with gzip.
fn zipped(head: &str, part: &str, tail: &str, bytes: usize) -> Vec<u8> {
    let block = part.repeat(MEBIBYTE / part.len());
    let blocks = std::iter::repeat_n(block.as_str(), bytes / block.len());
    gzip([head].into_iter().chain(blocks).chain([tail]))
}

/// A body of records that are each within what a record may be, with this number of values in all; with gzip.
fn zipped_records(records: usize, values: usize) -> Vec<u8> {
    let zeros = vec!["0"; values / records].join(",");
    let record = |nth| {
        format!(
            r#"{{"sessionId":"u-{nth}","sessionStartTime":"2026-01-14T10:00:00","metaInfo":{{"x":[{zeros}]}}}}"#
        )
    };
    let body: Vec<String> = (0..records).map(record).collect();
    gzip([r#"{"data":["#, &body.join(","), "]}"])
}

fn gzip<'a>(parts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        encoder.write_all(part.as_bytes()).unwrap();
    }
    encoder.finish().unwrap()
}

/// A first page that promises more, then bombs: each is held back until several can go off together.
async fn serve(bomb: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let record = |n: usize| format!(r#"{{"sessionId":"s-{n}","sessionStartTime":"2026-01-14T10:00:00"}}"#);
    let records: Vec<String> = (0..100).map(record).collect();
    let first = format!(r#"{{"numResults":1000,"data":[{}]}}"#, records.join(","));
    let (served, waiting, together) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Notify::new()),
    );
    let counted = Arc::clone(&served);
    let app = Router::new().fallback(move |uri: Uri| {
        let (first, bomb) = (first.clone(), bomb.clone());
        let (served, waiting, together) = (Arc::clone(&counted), Arc::clone(&waiting), Arc::clone(&together));
        async move {
            let offset = uri.query().unwrap_or_default().contains("offset=0&")
                || uri.query().unwrap_or_default().contains("offset=1&");
            if offset {
                let second = uri.query().unwrap_or_default().contains("offset=1&");
                let body = if second { first.replace("s-", "t-") } else { first };
                return Response::new(Body::from(body));
            }
            if waiting.fetch_add(1, Ordering::SeqCst) + 1 == TOGETHER {
                together.notify_waiters();
            } else {
                let _ = tokio::time::timeout(Duration::from_secs(2), together.notified()).await;
            }
            served.fetch_add(1, Ordering::SeqCst);
            Response::builder()
                .header(header::CONTENT_ENCODING, "gzip")
                .body(Body::from(bomb))
                .unwrap()
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    (base_url, served)
}

/// The most memory that a process ever had, in kilobytes (`VmHWM` of proc(5)).
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

async fn peak_of_a_load(bomb: Vec<u8>) -> u64 {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    let (base_url, served) = serve(bomb).await;
    setup.set("base_url", &base_url);
    setup.set("max_retries", "1");
    let environment = setup.environment_on(&database).await;
    let mut program = Program::start(&["sync"], &environment);
    let (mut most, pid) = (0, program.id());
    // The kernel keeps the peak, so it need not be looked at often.
    wait::until("the end of the load, or bombs enough", async || {
        most = peak(pid).unwrap_or(0).max(most);
        let is_enough = served.load(Ordering::SeqCst) > 3 * TOGETHER;
        if is_enough || program.has_ended() {
            Ok(())
        } else {
            Err(most)
        }
    })
    .await;
    assert!(
        served.load(Ordering::SeqCst) >= TOGETHER,
        "the bombs were fetched"
    );
    most
}

#[tokio::test]
async fn four_answers_of_any_kind_at_once_take_little_memory() {
    let bombs = [
        (
            "zeros as records",
            zipped(r#"{"data":["#, "0,", "0]}", 7 * MEBIBYTE),
        ),
        (
            "zeros as records, far past the cap",
            zipped(r#"{"data":["#, "0,", "0]}", 32 * MEBIBYTE),
        ),
        (
            "one record of zeros, far past the cap",
            zipped(
                r#"{"data":[{"sessionId":"s","metaInfo":{"x":["#,
                "0,",
                "0]}}]}",
                32 * MEBIBYTE,
            ),
        ),
        (
            "white space without end",
            zipped(r#"{"data":[]}"#, " ", "", 1_024 * MEBIBYTE),
        ),
        (
            "bytes that are no text",
            zipped(
                r#"{"data":[{"sessionId":"s","x":""#,
                "\u{1}\u{7f}",
                "\"}]}",
                7 * MEBIBYTE,
            ),
        ),
        ("brackets", zipped(r#"{"data":["#, "[[", "", 7 * MEBIBYTE)),
        ("quotes", zipped(r#"{"data":["#, "\"\",", "\"\"]}", 7 * MEBIBYTE)),
    ];
    for (name, bomb) in bombs {
        let most = peak_of_a_load(bomb).await;
        assert!(most > 0 && most < MOST, "{name}: {most} kB");
    }
}

/// The container of the examples has 256 MiB.
#[tokio::test]
async fn pages_of_the_largest_records_fit_into_the_container() {
    let most = peak_of_a_load(zipped_records(400, 3_900_000)).await;
    assert!(most > 0 && most < 192 * 1024, "{most} kB");
}

/// Records of 100 KB are rare, and a thousand of them come in a day.
#[tokio::test]
async fn records_of_100_kilobytes_take_little_memory() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("max_response_mebibytes", "12");
    let first = midnight() - TimeDelta::days(1);
    for nth in 0..600 {
        let start = first + TimeDelta::seconds(120 * nth);
        let words: Vec<String> = (0..4_000)
            .map(|word| format!("{:016x}", nth * word * 7919))
            .collect();
        let record = json!({
            "sessionId": format!("s-{nth}"),
            "sessionStartTime": start.format("%Y-%m-%dT%H:%M:%S").to_string(),
            "metaInfo": {"transcript": words.chunks(20).map(|line| line.join(" ")).collect::<Vec<_>>()},
            "reason": "x".repeat(32 << 10),
        });
        setup.simulator.world().insert_raw(start, &record);
    }
    let environment = setup.environment_on(&database).await;
    let mut program = Program::start(&["sync"], &environment);
    let (mut most, pid) = (0, program.id());
    wait::until("the end of the load", async || {
        most = peak(pid).unwrap_or(0).max(most);
        program.has_ended().then_some(()).ok_or(most)
    })
    .await;
    let stored = "select count(*) from smartassist.raw_interactions";
    assert_eq!(database.number(stored).await, 600);
    assert!(most > 0 && most < 96 * 1024, "{most} kB");
}

/// The rows of a window take several times the memory of its text.
#[tokio::test]
async fn a_third_window_waits_for_room_before_it_becomes_rows() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.seed_days(3, 12, 0, 8_000);
    let url = database.url().await;
    let environment = |setup: &Setup| {
        let mut environment = setup.environment();
        environment.insert("DATABASE_URL".to_owned(), url.clone());
        environment
    };
    // So that it knows how much there is.
    assert_eq!(Program::run(&["sync"], &environment(&setup)).await.code(), 0);
    setup.set("start_from", &days_ago(12));
    setup.simulator.world().clear_requests();
    // So that there is a head.
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    let mut writing = database.pool.begin().await.unwrap();
    for statement in [
        "set local idle_in_transaction_session_timeout = 0",
        "lock table smartassist.raw_interactions in exclusive mode",
    ] {
        sqlx::query(statement).execute(&mut *writing).await.unwrap();
    }
    let mut environment = environment(&setup);
    environment.insert(
        "SMARTASSIST_ETL_FAILPOINT".to_owned(),
        "window.read=kill@4".to_owned(),
    );
    let mut program = Program::start(&["sync"], &environment);
    // The head is empty. Of the others, one is written, the next is rows, another is read: nothing more is asked.
    let (mut asked, mut at_rest) = (0, 0);
    wait::until("windows that are read", async || {
        let (windows, requests) = windows_asked(&setup);
        at_rest = if requests == asked { at_rest + 1 } else { 0 };
        asked = requests;
        (windows >= 4 && at_rest > 50)
            .then_some(())
            .ok_or((windows, requests))
    })
    .await;
    assert!(!program.has_ended(), "the third window was made rows");
    writing.rollback().await.unwrap();
    wait::until("the third window", async || {
        program.has_ended().then_some(()).ok_or("it waits")
    })
    .await;
}

/// How many, and by how many requests.
fn windows_asked(setup: &Setup) -> (usize, usize) {
    let world = setup.simulator.world();
    let starts: HashSet<_> = world.requests().filter_map(|request| request.start).collect();
    (starts.len(), world.requests().count())
}
