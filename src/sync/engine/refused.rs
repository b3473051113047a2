//! A refused window is too long, too old or otherwise wrong: a search tells the last two apart, once a run.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::debug;

use crate::extract::ApiError;
use crate::ledger::problems::{Problem, ProblemCode};
use crate::ledger::{Purpose, accounts};
use crate::telemetry::{self, chain};
use crate::time::Window;

use super::super::plan::Planned;
use super::super::read::Slice;
use super::super::report::WindowFailure;
use super::read::{Task, WindowSource};
use super::write::Fetch;
use super::{Effect, Engine, Flight};

/// Longer windows may exceed the API's limit, which may count days differently.
const LONGEST_SAFE: TimeDelta = TimeDelta::days(1);

const EDGE: TimeDelta = TimeDelta::minutes(1);

const FIRM: TimeDelta = TimeDelta::hours(1);

/// A refusal may be a hole.
const DAYS_BEFORE_THE_EDGE: [i64; 3] = [1, 7, 30];

fn too_old() -> Problem {
    ProblemCode::HistoryNotServed.saying("not read: the API serves nothing so old")
}

pub(super) fn is_refusal(error: &ApiError) -> bool {
    matches!(error, ApiError::Unaccepted { .. } | ApiError::Message)
}

#[derive(Debug, Default)]
pub(super) struct Horizon {
    longest_served: TimeDelta,
    search: Search,
    /// Nothing older is served.
    pub(super) edge: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Search {
    #[default]
    NotBegun,
    /// By the flight of this window.
    GoesOn(Window),
    Over,
}

impl Horizon {
    pub(super) fn served(&mut self, window: Window) {
        self.longest_served = self.longest_served.max(window.end - window.start);
    }

    pub(super) fn is_searched(&self) -> bool {
        matches!(self.search, Search::GoesOn(_))
    }

    /// However it ended.
    pub(super) fn landed(&mut self, window: Window) {
        if self.search == Search::GoesOn(window) {
            self.search = Search::Over;
        }
    }

    /// It moves on while what is next to it is read.
    fn is_near(&self, window: Window) -> bool {
        self.edge.is_some_and(|edge| window.start < edge + FIRM)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoEdge {
    /// What is newest is refused too.
    AllIsRefused,
    OtherReason,
}

impl Engine {
    pub(super) fn refused(&mut self, mut flight: Flight, error: ApiError) {
        let window = flight.fetch.planned.window;
        let Some(place) = self.place(flight.source) else {
            return;
        };
        let (source, length) = (&mut self.sources[place], window.end - window.start);
        if source.horizon.edge.is_some_and(|edge| window.start < edge) {
            self.put_back_what_is_served(place, &mut flight);
            return self.leave_unread(flight, too_old());
        }
        if length > LONGEST_SAFE.max(source.horizon.longest_served) {
            source.queue.drifted(window);
            // A message may have a passing cause.
            if matches!(error, ApiError::Unaccepted { .. }) {
                let longest = (window.seconds() / 2).max(LONGEST_SAFE.num_seconds());
                self.profile.see_too_long(longest);
            }
        } else {
            match source.horizon.search {
                Search::NotBegun => {
                    source.horizon.search = Search::GoesOn(window);
                    let until = self.until;
                    return self.spawn_read(flight, Task::Edge { until, error });
                }
                Search::GoesOn(_) => source.queue.again(window),
                Search::Over if length > EDGE => source.queue.drifted(window),
                Search::Over if source.horizon.is_near(window) => {
                    return self.leave_unread(flight, too_old());
                }
                Search::Over => return self.fail(flight, WindowFailure::of_reading(&error)),
            }
        }
        self.spawn_write(flight, Effect::Nothing, async move |writer, fetch| {
            writer.split_unread(&fetch).await
        });
    }

    pub(super) fn found_no_edge(&mut self, flight: Flight, error: ApiError, why: NoEdge) {
        self.profile.length_is_doubtful = true;
        match why {
            NoEdge::AllIsRefused => self.fail(flight, WindowFailure::of_all(Problem::from(&error))),
            NoEdge::OtherReason => self.refused(flight, error),
        }
    }

    pub(super) fn found_edge(&mut self, mut flight: Flight, edge: DateTime<Utc>) {
        let Some(place) = self.place(flight.source) else {
            return;
        };
        self.profile.length_is_doubtful = true;
        let source = &mut self.sources[place];
        source.horizon.edge = Some(edge);
        source.queue.forget_before(edge);
        let purpose = source.purpose(flight.fetch.planned.window, &self.gaps);
        self.put_back_what_is_served(place, &mut flight);
        self.spawn_write(flight, Effect::Tried, async move |writer, fetch| {
            let (pool, lease) = (&writer.account.pool, &writer.lease);
            accounts::note_history(pool, lease, Some(edge)).await?;
            if !matches!(purpose, Purpose::Backfill | Purpose::Repair) {
                return writer.leave_unread(&fetch, &too_old()).await;
            }
            let failure = WindowFailure::alone(Problem::failed(
                ProblemCode::HistoryNotServed.as_str(),
                format!("the API serves nothing older than {}", telemetry::instant(edge)),
                "ask for what is newer; the vendor can say how long interactions are kept",
            ));
            writer.fail(&fetch, failure).await
        });
    }

    fn put_back_what_is_served(&mut self, place: usize, flight: &mut Flight) {
        let source = &mut self.sources[place];
        let window = &mut flight.fetch.planned.window;
        if let Some(edge) = source.horizon.edge
            && edge < window.end
        {
            source.queue.again(Window::new(edge, window.end));
            window.end = edge;
        }
    }

    /// Once a day.
    pub(super) fn try_history(&mut self, served_from: DateTime<Utc>) {
        let planned = Planned::whole(before(served_from));
        let priority = self.sources[0].priority(self.until);
        self.begin_task(0, planned, Task::History { served_from }, priority);
    }

    pub(super) fn note_history(&mut self, flight: Flight, served_from: Option<DateTime<Utc>>) {
        self.spawn_write(flight, Effect::Nothing, async move |writer, fetch| {
            let report = writer.leave_unread(&fetch, &too_old()).await?;
            accounts::note_history(&writer.account.pool, &writer.lease, served_from).await?;
            Ok(report)
        });
    }
}

fn before(end: DateTime<Utc>) -> Window {
    Window::new(end - EDGE, end)
}

impl WindowSource {
    /// The end of the newest minute that is too old; the window of `fetch` was refused.
    pub(super) async fn edge(&self, fetch: &Fetch, until: DateTime<Utc>) -> Result<DateTime<Utc>, NoEdge> {
        match self.is_refused(before(until), fetch).await {
            Some(false) => {}
            Some(true) => return Err(NoEdge::AllIsRefused),
            None => return Err(NoEdge::OtherReason),
        }
        let (mut refused, mut served) = (fetch.planned.window.start + EDGE, until);
        let mut is_refused = refused < served && self.is_refused(before(refused), fetch).await == Some(true);
        while is_refused && served - refused > EDGE {
            let [older, _] = Window::new(refused, served).halves();
            match self.is_refused(before(older.end), fetch).await {
                Some(true) => refused = older.end,
                Some(false) => served = older.end,
                None => is_refused = false,
            }
        }
        let is_edge = is_refused && self.is_edge(refused, fetch, until).await;
        is_edge.then_some(refused).ok_or(NoEdge::OtherReason)
    }

    /// The edge last, as an outage may end.
    async fn is_edge(&self, edge: DateTime<Utc>, fetch: &Fetch, until: DateTime<Utc>) -> bool {
        for days in DAYS_BEFORE_THE_EDGE {
            if self.is_refused(before(edge - TimeDelta::days(days)), fetch).await != Some(true) {
                return false;
            }
        }
        let inside = before(until.min(edge + FIRM + EDGE));
        self.is_refused(inside, fetch).await == Some(false)
            && self.is_refused(before(edge), fetch).await == Some(true)
    }

    /// `None` if unknown.
    async fn is_refused(&self, window: Window, fetch: &Fetch) -> Option<bool> {
        match self.first_record(window, fetch).await {
            Ok(()) => Some(false),
            Err(error) => is_refusal(&error).then_some(true),
        }
    }

    pub(super) async fn history(&self, served_from: DateTime<Utc>, fetch: &Fetch) -> Option<DateTime<Utc>> {
        match self.first_record(before(served_from), fetch).await {
            Ok(()) => return None,
            Err(error) if is_refusal(&error) => {}
            Err(error) => {
                debug!(error = %chain(&error), "whether older interactions are served again cannot be seen");
            }
        }
        Some(served_from)
    }

    async fn first_record(&self, window: Window, fetch: &Fetch) -> Result<(), ApiError> {
        let slice = Slice::of(window, self.priority);
        let page = self.account.api.page(&slice.request(0, 1), &fetch.tally).await;
        page.map(drop)
    }
}
