//! The cases of the runbook (docs/operations.md): what it quotes is what the page, `status` and the log say,
//! with the remedy, and doing that mends it.

use std::collections::HashMap;

use chrono::TimeDelta;
use smartassist_simulator::{Channel, Fault, FaultKind};

use crate::support::daemon::{environment, get, until_answer};
use crate::support::{Program, Setup, TestDatabase, wait};

const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// A daemon with trouble ahead.
struct Case {
    daemon: Program,
    port: u16,
    environment: HashMap<String, String>,
}

impl Case {
    async fn start(setup: &Setup, database: &TestDatabase, more: &[(&str, &str)]) -> Self {
        let (mut environment, port) = environment(setup, database).await;
        for (key, value) in more {
            environment.insert(format!("SMARTASSIST_ETL__{key}"), (*value).to_owned());
        }
        let mut daemon = Program::start(&["run"], &environment);
        daemon
            .event("serving the status page, /healthz, /readyz and /metrics")
            .await;
        Self {
            daemon,
            port,
            environment,
        }
    }

    /// The case's part of the runbook.
    fn chapter(heading: &str) -> String {
        let (_, rest) = OPERATIONS
            .split_once(&format!("### Runbook: {heading}\n"))
            .unwrap();
        let chapter = rest.split("\n### ").next().unwrap();
        chapter.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Page and `status` say all of this, and the runbook quotes it.
    async fn shows(&self, heading: &str, quoted: &[&str], remedy: &str) {
        let chapter = Self::chapter(heading);
        for quote in quoted {
            assert!(chapter.contains(quote), "{heading:?} does not quote {quote:?}");
        }
        let is_said = |text: &str| quoted.iter().all(|quote| text.contains(quote)) && text.contains(remedy);
        wait::until(
            &format!("{quoted:?} and {remedy:?} on the page and by status"),
            async || {
                let page = unescaped(&get(self.port, "/").await.1);
                if !is_said(&page) {
                    return Err(page);
                }
                let told = Program::run(&["status"], &self.environment).await.stdout;
                let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
                if is_said(&told) { Ok(()) } else { Err(told) }
            },
        )
        .await;
    }

    /// The account is complete again.
    async fn heals(&self) {
        until_answer(self.port, "/", 200, "All data is complete").await;
    }
}

fn unescaped(html: &str) -> String {
    html.replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[tokio::test]
async fn a_wrong_secret_is_reported_and_fixed_by_replacing_its_file() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "the-wrong-secret-0123456789abcdef").unwrap();
    setup.set("client_secret", "");
    setup.set("client_secret_file", &file.path().display().to_string());
    let mut case = Case::start(&setup, &database, &[]).await;
    let logged = case.daemon.event("window failed, nothing of it is covered").await;
    assert!(
        logged["remedy"].as_str().unwrap().contains("client_secret"),
        "{logged}"
    );
    let quoted = ["the last poll failed: the API refused us (status 401"];
    case.shows("a wrong secret", &quoted, "check client_id, client_secret")
        .await;
    assert!(
        get(case.port, "/readyz")
            .await
            .1
            .contains(r#""problem":"the API refuses us""#)
    );
    std::fs::write(file.path(), "simulator-secret-0123456789abcdef").unwrap();
    case.heals().await;
}

#[tokio::test]
async fn a_rate_limit_that_is_shared_is_named() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let busy = FaultKind::retry_after(429, "0");
    setup.simulator.world().inject(Fault::times(4, busy));
    let mut case = Case::start(&setup, &database, &[]).await;
    case.daemon
        .event("request failed, trying again after a pause")
        .await;
    let quoted = [
        "the API turned away ",
        " requests of the last hour: its rate limit is used up",
    ];
    case.shows("the rate limit is shared", &quoted, "lower requests_per_minute")
        .await;
    assert_eq!(database.counts().await[0], 5, "nothing is lost");
}

#[tokio::test]
async fn a_full_disk_is_named_and_loading_goes_on_once_there_is_room() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    database
        .execute(
            "create function full_disk() returns trigger language plpgsql as $$ begin \
             raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$; \
             create trigger full_disk before insert on smartassist.sessions execute function full_disk()",
        )
        .await;
    let case = Case::start(&setup, &database, &[]).await;
    let quoted = [
        "the last poll failed: ",
        "could not extend file",
        "No space left on device",
    ];
    let remedy = "make room on the database's disk";
    case.shows("the database's disk is full", &quoted, remedy).await;
    database
        .execute("drop trigger full_disk on smartassist.sessions")
        .await;
    case.heals().await;
    assert_eq!(database.counts().await[0], 5);
}

#[tokio::test]
async fn a_gap_names_its_second_and_closes_once_it_can_be_read() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    super::burst(&setup);
    let mut case = Case::start(&setup, &database, &[]).await;
    case.daemon
        .event("gap: records of this window cannot be reached, and are missing")
        .await;
    let quoted = ["1 gap: a stretch of which the API does not show all records"];
    case.shows("a gap", &quoted, "ask the vendor for these seconds' records")
        .await;
    for _ in 0..3 {
        case.daemon.finished("poll").await;
        let page = get(case.port, "/").await.1;
        assert!(!page.contains("no run is active"), "polls go on: {page}");
    }
    let second = "select to_char(lower(range) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS') from smartassist_sync.gaps";
    let second = database.text(second).await;
    let page = get(case.port, "/accounts/main").await.1;
    assert!(page.contains(&second) && page.contains("Tried 1 time"), "{page}");
    // The vendor moves some of them to another channel, which makes them two lists that can be read.
    {
        let mut world = setup.simulator.world();
        let ids: Vec<_> = world.interactions().map(|it| it.session_id.clone()).collect();
        for id in ids.iter().take(600) {
            world.update(id, |it| it.channel = Channel::WebMobile);
        }
    }
    // The next try is due in a quarter of an hour.
    database
        .execute("update smartassist_sync.windows set finished_at = finished_at - interval '1 hour' where status = 'gap'")
        .await;
    case.heals().await;
    assert_eq!(database.counts().await[0], 1_200);
}

#[tokio::test]
async fn a_stalled_account_is_named_and_heals_by_itself() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::live().await;
    setup.set("max_retries", "0");
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    let away = Fault::always(FaultKind::status(503));
    setup.simulator.world().inject(away);
    let case = Case::start(&setup, &database, &[("SYNC__STALL_SECONDS", "3")]).await;
    let chapter = Case::chapter("a stalled account");
    let said = "stalled: there is work, and nothing was stored for ";
    assert!(chapter.contains(said));
    let page = until_answer(case.port, "/", 200, said).await;
    assert!(page.contains("the API failed (status 503"), "{page}");
    assert_eq!(get(case.port, "/readyz").await.0, 503);
    setup.simulator.world().clear_faults();
    case.heals().await;
}

#[tokio::test]
async fn a_clock_that_is_off_by_an_hour_is_named() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.simulator.world().arrive(5, TimeDelta::hours(3));
    setup.simulator.world().run_clock(TimeDelta::hours(1));
    let mut case = Case::start(&setup, &database, &[]).await;
    case.daemon
        .event("this machine's clock and the API's are far apart")
        .await;
    let quoted = ["the API's clock is ", "ahead of that of the machine that loads"];
    case.shows(
        "a clock that is off by an hour",
        &quoted,
        "have this machine's clock set by NTP",
    )
    .await;
}
