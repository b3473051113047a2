//! Whole loads of the simulated API, in memory.

mod paging;

use std::collections::BTreeSet;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use smartassist_simulator::{Basis, Behaviour, End, NumResults, OffsetUnit, Options, Quirks, Seed, World};
use uuid::Uuid;

use super::decide::{Judgement, judge};
use super::pass::{Pass, PassEnd};
use super::{
    ApiProfile, Knowledge, OffsetUnit as Unit, Pages, RawPage, Reading, Slice, TEXT_OF_A_WINDOW, Verdict,
    read_window,
};
use crate::config::Filters;
use crate::extract::{self, Answer, ApiError, PageRequest, Priority, Received};
use crate::sync::density::Density;
use crate::sync::plan::{Limits, Model, Planned, Queue};
use crate::time::Window;
use crate::transform::{Origin, RawRecord, RecordText};
use crate::warehouse::compare;

const ORIGIN: Origin<'_> = Origin {
    account_id: "acct-sim",
    time_zone_offset: 0,
};

const MOST_REQUESTS: u64 = 5_000;

fn instant(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn window(start: &str, end: &str) -> Window {
    Window::new(instant(start), instant(end))
}

struct MemoryApi {
    world: Mutex<World>,
    profile: Mutex<ApiProfile>,
}

impl Pages for MemoryApi {
    async fn page(&self, ask: &PageRequest<'_>) -> Result<RawPage, ApiError> {
        let stamp = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S").to_string();
        let mut body = json!({
            "startDate": stamp(ask.window.start), "endDate": stamp(ask.window.end), "timeZoneOffset": 0,
        });
        if let Some(filters) = ask.filters {
            for (key, list) in [("channels", &filters.channels), ("queues", &filters.queues)] {
                if let Some(list) = list {
                    body[key] = json!(list);
                }
            }
            if let Some(direction) = filters.direction {
                body["direction"] = json!(direction);
            }
        }
        let query = format!("offset={}&limit={}", ask.offset, ask.limit);
        let mut world = self.world.lock().unwrap();
        assert!(world.counters().requests < MOST_REQUESTS, "too many requests");
        let (status, body) = world.ask(&query, &body);
        let received = Received {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: String::new(),
            retry_after: None,
            body,
        };
        match extract::judge(received, 8 << 20)? {
            Answer::Page(page) => Ok(RawPage::of(page, ORIGIN)),
            Answer::EmptyIfAgreed => Ok(RawPage::default()),
        }
    }

    fn in_flight(&self) -> usize {
        4
    }
}

#[derive(Debug, Default)]
struct Loaded {
    records: BTreeSet<Uuid>,
    gaps: Vec<Window>,
    /// Of one window, in bytes.
    most_text: usize,
}

impl MemoryApi {
    fn new(change: impl FnOnce(&mut World)) -> Self {
        let mut world = World::new(Options::default());
        world.set_now(instant("2026-01-15T12:00:00Z"));
        change(&mut world);
        Self {
            world: Mutex::new(world),
            profile: Mutex::default(),
        }
    }

    fn requests(&self) -> u64 {
        self.world.lock().unwrap().counters().requests
    }

    /// All records of the API.
    fn held(&self) -> BTreeSet<Uuid> {
        let world = self.world.lock().unwrap();
        let ids = world.interactions().map(|it| crate::transform::Ids {
            session_id: Some(it.session_id.clone()),
            conversation_id: it
                .conversation
                .as_ref()
                .map(|conversation| conversation.id.clone()),
        });
        ids.map(|ids| ids.key(ORIGIN.account_id)).collect()
    }

    async fn read(&self, planned: Planned) -> Reading {
        let slice = Slice {
            is_probe: planned.is_probe && planned.window.seconds() > 1,
            expected: planned.expected,
            ..Slice::of(planned.window, Priority::Head)
        };
        self.read_slice(&slice).await.unwrap()
    }

    async fn read_slice(&self, slice: &Slice) -> Result<Reading, ApiError> {
        let mut known = Knowledge::of(self.profile());
        let reading = read_window(self, &mut known, &Filters::default(), slice).await;
        *self.profile.lock().unwrap() = known.profile;
        reading
    }

    fn profile(&self) -> ApiProfile {
        self.profile.lock().unwrap().clone()
    }

    fn model(&self) -> Model {
        Model::new(Density::default(), self.limits())
    }

    async fn load(&self, stretch: Window) -> Loaded {
        self.load_by(&mut self.model(), stretch).await
    }

    /// Uses what earlier loads taught.
    async fn load_by(&self, model: &mut Model, stretch: Window) -> Loaded {
        self.profile.lock().unwrap().begin_run();
        let mut loaded = Loaded::default();
        let mut queue = Queue::of(&[stretch], &[], model);
        while let Some(planned) = queue.next(model, 0) {
            let reading = self.read(planned).await;
            let starts: Vec<_> = reading
                .records
                .iter()
                .filter_map(|record| record.started_at)
                .collect();
            loaded
                .records
                .extend(reading.records.iter().map(|record| record.identity));
            let text = reading.records.iter().map(|record| record.sent.text().len());
            loaded.most_text = loaded.most_text.max(text.sum());
            match reading.verdict {
                Verdict::Drained => model.drained(planned.window, &starts),
                _ if planned.window.seconds() <= 1 => loaded.gaps.push(planned.window),
                Verdict::Overflow => queue.overflowed(model, planned, reading.reported_total, &starts),
                Verdict::Inconsistent => queue.drifted(planned.window),
                Verdict::Elsewhere | Verdict::Strays => panic!("{reading:?}"),
            }
            model.limits = self.limits();
        }
        loaded
    }

    fn limits(&self) -> Limits {
        Limits::of(&self.profile(), 0)
    }
}

const HOUR: (&str, &str) = ("2026-01-15T08:00:00Z", "2026-01-15T09:00:00Z");

fn page(records: impl IntoIterator<Item = Value>) -> RawPage {
    let raw = |record: Value| RecordText::of(record.to_string());
    RawPage {
        reported: Some(102),
        records: records
            .into_iter()
            .map(|record| RawRecord::of(raw(record), ORIGIN).unwrap())
            .collect(),
        strays: Vec::new(),
    }
}

fn good(id: usize) -> Value {
    json!({"sessionId": format!("s-{id}"), "sessionStartTime": "2026-01-15T08:00:00"})
}

#[test]
fn a_rejected_record_on_two_pages_has_displaced_another() {
    for bad in [
        json!({"sessionId": "bad"}),
        json!({"sessionId": "", "sessionStartTime": "2026-01-15T08:00:00"}),
    ] {
        let profile = ApiProfile::default();
        let mut pass = Pass::of(page((1..100).map(good).chain([bad.clone()])), &profile);
        pass.take(Some(page([bad, good(101)])));
        pass.end = PassEnd::BelowTotal;
        assert_eq!((pass.shown(), pass.distinct()), (102, 101));
        assert_eq!(judge(&profile, &pass, None), Judgement::Again);
        // Both copies are really there.
        assert_eq!(judge(&profile, &pass, Some(&pass)), Judgement::Drained);
    }
}

#[test]
fn what_is_learned_of_a_pass_holds_no_records() {
    let pass = Pass::of(page((1..100).map(good).chain([good(1)])), &ApiProfile::default());
    let learned = pass.without_records();
    let figures = |pass: &Pass| (pass.shown(), pass.distinct(), pass.record_weight(), pass.newest());
    assert_eq!(figures(&learned), figures(&pass));
    assert_eq!((pass.shown(), pass.distinct()), (100, 99));
    assert!(pass.has_all_of(&page([good(1)])) && !learned.has_all_of(&page([good(1)])));
    assert!(learned.pages.is_empty());
}

#[test]
fn a_bad_minute_has_single_pages_read_for_a_while() {
    let mut profile = ApiProfile::default();
    let several = profile.pages();
    let pass = Pass::of(page([good(1)]), &profile);
    profile.see_inconsistent();
    assert_eq!(profile.pages(), several);
    profile.see_inconsistent();
    for steady in 0..20 {
        assert_eq!(profile.pages(), 1, "{steady}");
        profile.learn_pass(&pass, Judgement::Drained);
    }
    assert_eq!(profile.pages(), several);
    profile.see_inconsistent();
    assert_eq!(profile.pages(), 1, "one more is enough");
}

fn of_an_hour(count: usize, behaviour: Behaviour, max_offset: i64) -> MemoryApi {
    MemoryApi::new(|world| {
        world.seed(&Seed::new(4, instant(HOUR.0), instant(HOUR.1), count));
        world.set_behaviour(behaviour);
        world.limits.max_offset = max_offset;
    })
}

#[tokio::test]
async fn one_full_page_by_records_limits_nothing() {
    for num_results in [NumResults::Total, NumResults::Page, NumResults::Absent] {
        let behaviour = Behaviour {
            num_results,
            offset_unit: OffsetUnit::Records,
            end: End::Exclusive,
            ..Behaviour::default()
        };
        for (count, max_offset, refused) in [(100, 10_000, None), (100, 10, None), (101, 10, Some(1))] {
            let model = of_an_hour(count, behaviour.clone(), max_offset);
            let about = format!("{count} {max_offset} {num_results:?}");
            let slice = Slice::of(window(HOUR.0, HOUR.1), Priority::Head);
            let reading = model.read_slice(&slice).await;
            let verdict = if refused.is_none() {
                Verdict::Drained
            } else {
                Verdict::Overflow
            };
            assert_eq!(reading.unwrap().verdict, verdict, "{about}");
            let profile = model.profile();
            assert_eq!(profile.refused_page, refused, "{about}");
            if refused.is_some() {
                assert_eq!(profile.offset_unit, Some(Unit::Records), "{about}");
            }
        }
    }
}

#[tokio::test]
async fn the_basis_of_the_range_is_found_out() {
    for (basis, found) in [
        (Basis::Start, compare::Basis::Start),
        (Basis::End, compare::Basis::End),
        (Basis::Overlap, compare::Basis::Overlap),
    ] {
        let model = of_an_hour(
            400,
            Behaviour {
                basis,
                ..Behaviour::default()
            },
            10,
        );
        let mut start = instant(HOUR.0);
        for _ in 0..12 {
            let end = start + TimeDelta::minutes(5);
            model.load(Window::new(start, end)).await;
            start = end;
        }
        assert_eq!(model.profile().basis, Some(found), "{basis:?}");
        let kept = serde_json::to_value(model.profile()).unwrap();
        let mut known: ApiProfile = serde_json::from_value(kept).unwrap();
        assert_eq!(known.basis, Some(found), "{basis:?}");
        // One odd window withdraws nothing.
        let odd = json!({"sessionId": "odd", "sessionStartTime": "2026-01-15T07:00:00", "sessionEndTime": "2026-01-15T12:00:00"});
        let pass = Pass::of(page([odd]), &known);
        known.learn_pass(&pass, Judgement::Drained);
        assert_eq!(known.basis, Some(found), "{basis:?}");
    }
}

#[tokio::test]
async fn clamped_pages_are_found_out_by_one_window() {
    let quirks = Quirks {
        page_cap: Some(37),
        ..Quirks::default()
    };
    for num_results in [NumResults::Total, NumResults::Page, NumResults::Absent] {
        let behaviour = Behaviour {
            num_results,
            quirks: quirks.clone(),
            ..Behaviour::default()
        };
        let model = of_an_hour(300, behaviour, 10);
        let loaded = model.load(window(HOUR.0, HOUR.1)).await;
        assert_eq!(
            (loaded.records, loaded.gaps),
            (model.held(), vec![]),
            "{num_results:?}"
        );
        assert_eq!(model.profile().page_size, Some(37), "{num_results:?}");
        assert!(model.requests() < 24, "{num_results:?}: {}", model.requests());
    }
}

#[tokio::test]
async fn windows_of_large_records_are_split_by_their_text() {
    let (records, kilobytes) = (600, 40);
    let first = instant("2026-01-15T02:00:00Z");
    let model = MemoryApi::new(|world| {
        for nth in 0..records {
            let start = first + TimeDelta::seconds(30 * nth);
            let stamp = start.format("%Y-%m-%dT%H:%M:%S").to_string();
            let text = "x".repeat(kilobytes << 10);
            let record = json!({"sessionId": format!("s-{nth}"), "sessionStartTime": stamp, "reason": text});
            world.insert_raw(start, &record);
        }
    });
    let loaded = model
        .load(window("2026-01-15T00:00:00Z", "2026-01-15T11:00:00Z"))
        .await;
    assert_eq!(
        (i64::try_from(loaded.records.len()), loaded.gaps),
        (Ok(records), vec![])
    );
    assert!(loaded.most_text <= TEXT_OF_A_WINDOW, "{}", loaded.most_text);
    // The planner is told how many fit.
    let most_records = TEXT_OF_A_WINDOW / (kilobytes << 10);
    let reach = model.profile().reach();
    assert!(
        (most_records / 2..=most_records).contains(&reach),
        "{reach} of {most_records}"
    );
    assert!(model.requests() < 40, "{}", model.requests());
}
