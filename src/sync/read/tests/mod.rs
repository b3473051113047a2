//! Whole loads of the simulated API, in memory.

mod grid;
mod habits;
mod memory;
mod paging;

use std::collections::BTreeSet;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde_json::json;
use smartassist_simulator::{Options, World};
use uuid::Uuid;

use super::pages::RawPage;
use super::{ApiProfile, Knowledge, Pages, ReadError, Reading, Slice, Verdict, read_window};
use crate::config::Filters;
use crate::extract::{Answer, ApiError, PageRequest, Priority, Received, judge};
use crate::sync::density::Density;
use crate::sync::plan::{Limits, Model, Next, Planned, Queue};
use crate::time::window::Window;
use crate::transform::Origin;

const ORIGIN: Origin<'_> = Origin {
    account_id: "acct-sim",
    time_zone_offset: 0,
};

const MOST_REQUESTS: u64 = 5_000;

fn instant(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn window(start: &str, end: &str) -> Window {
    Window {
        start: instant(start),
        end: instant(end),
    }
}

struct MemoryApi {
    world: Mutex<World>,
    profile: Mutex<ApiProfile>,
}

impl Pages for MemoryApi {
    async fn page(&self, ask: &PageRequest<'_>, _: bool) -> Result<RawPage, ApiError> {
        let stamp = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S").to_string();
        let narrowing = ask.narrowing;
        let mut body = json!({
            "startDate": stamp(ask.window.start), "endDate": stamp(ask.window.end), "timeZoneOffset": 0,
        });
        for (key, value) in [
            (
                "channels",
                narrowing.channel.as_ref().map(|channel| json!([channel])),
            ),
            ("queues", narrowing.queue.as_ref().map(|queue| json!([queue]))),
            ("direction", narrowing.direction.map(|direction| json!(direction))),
        ] {
            if let Some(value) = value {
                body[key] = value;
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
        match judge(received, 8 << 20)? {
            Answer::Page { page, .. } => Ok(RawPage::of(page, ORIGIN)),
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

    async fn read_slice(&self, slice: &Slice) -> Result<Reading, ReadError> {
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
        while let Next::Read(planned) = queue.next(model, 0) {
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
        let profile = self.profile();
        Limits {
            reach: profile.reach() as u64,
            totals: profile.gives_totals(),
            longest: profile.longest_window(),
            time_zone_offset: 0,
        }
    }
}
