//! What tasks of the engine read.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::debug;

use crate::extract::{ApiError, Narrowing, PageRequest, Priority};
use crate::failpoint;
use crate::ledger::{self, LoadError};
use crate::telemetry::chain;
use crate::time::window::Window;

use super::super::account::AccountContext;
use super::super::compare::Comparing;
use super::super::drain::{ReadError, Reader, Reading, Slice, Verdict};
use super::super::horizon::EDGE;
use super::super::plan::Model;
use super::super::traits::SharedTraits;
use super::write::{Fetch, WindowReport, Writer};

const DAYS_BEFORE_THE_EDGE: [i64; 3] = [1, 7, 30];

/// What a task is to find out.
#[derive(Debug)]
pub(super) enum Task {
    Window,
    /// Whether the API serves nothing older; `inside` is a window that it served.
    IsEdge {
        edge: DateTime<Utc>,
        inside: Option<Window>,
        /// Why it is asked.
        error: ReadError,
    },
    /// Whether older interactions are served again.
    History {
        served_from: DateTime<Utc>,
    },
    /// How days compare.
    Compare {
        days: Vec<Window>,
        model: Box<Model>,
        request: i64,
        by_identity: bool,
    },
}

#[derive(Debug)]
pub(super) enum Found {
    Window(Result<Reading, ReadError>),
    IsEdge {
        edge: DateTime<Utc>,
        is_edge: bool,
        error: ReadError,
    },
    /// `None`: older ones are served.
    History(Option<DateTime<Utc>>),
    Compared(WindowReport),
    /// Nothing has come for too long.
    Silent,
}

/// A page source, and what is known of it.
#[derive(Debug, Clone)]
pub(in crate::sync) struct WindowSource {
    pub(in crate::sync) account: AccountContext,
    pub(in crate::sync) traits: Arc<SharedTraits>,
    pub(in crate::sync) priority: Priority,
}

impl WindowSource {
    pub(super) async fn find(
        &self,
        task: Task,
        fetch: &mut Fetch,
        writer: Writer,
    ) -> Result<Found, LoadError> {
        fetch.began_at = ledger::now(&self.account.pool).await?;
        Ok(match task {
            Task::Window => Found::Window(self.read(fetch).await),
            Task::IsEdge { edge, inside, error } => Found::IsEdge {
                edge,
                is_edge: self.is_edge(edge, inside, fetch).await,
                error,
            },
            Task::History { served_from } => Found::History(self.history(served_from, fetch).await),
            Task::Compare {
                days,
                model,
                request,
                by_identity,
            } => {
                let comparing = Comparing::new(self, writer, *model, fetch.clone(), request);
                Found::Compared(Box::pin(comparing.all(&days, by_identity)).await?)
            }
        })
    }

    pub(in crate::sync) async fn read(&self, fetch: &Fetch) -> Result<Reading, ReadError> {
        let reader = Reader {
            api: &self.account.api,
            traits: &self.traits,
            policy: &self.account.settings.policy,
            tally: &fetch.tally,
        };
        let slice = Slice {
            window: fetch.planned.window,
            narrowing: Narrowing::default(),
            priority: self.priority,
            is_probe: fetch.planned.is_probe && fetch.planned.window.seconds() > 1,
            expected: fetch.planned.expected,
        };
        let mut reading = reader.read(&slice).await?;
        if reading.verdict == Verdict::Strays {
            reading.strays_in = Box::pin(reader.part_with_strays(&slice)).await?;
        }
        failpoint::reach("window.read");
        let may_be_parted = matches!(reading.verdict, Verdict::Overflow | Verdict::Drift);
        if !may_be_parted || slice.window.seconds() > 1 {
            return Ok(reading);
        }
        reader.read_parts(&slice, reading).await
    }

    /// Older and newer ranges are tested too, as it may be a hole or an outage. The edge comes last: an
    /// outage may have ended.
    async fn is_edge(&self, edge: DateTime<Utc>, inside: Option<Window>, fetch: &Fetch) -> bool {
        for days in DAYS_BEFORE_THE_EDGE {
            if self.is_refused(before(edge - TimeDelta::days(days)), fetch).await != Some(true) {
                return false;
            }
        }
        let Some(inside) = inside else {
            return false;
        };
        self.is_refused(inside, fetch).await == Some(false)
            && self.is_refused(before(edge), fetch).await == Some(true)
    }

    /// `None` if unknown.
    async fn is_refused(&self, window: Window, fetch: &Fetch) -> Option<bool> {
        match self.first_record(window, fetch).await {
            Ok(()) => Some(false),
            Err(ApiError::Unaccepted { .. } | ApiError::Message) => Some(true),
            Err(_) => None,
        }
    }

    async fn history(&self, served_from: DateTime<Utc>, fetch: &Fetch) -> Option<DateTime<Utc>> {
        match self.first_record(before(served_from), fetch).await {
            Ok(()) => None,
            Err(ApiError::Unaccepted { .. } | ApiError::Message) => Some(served_from),
            Err(error) => {
                debug!(error = %chain(&error), "whether older interactions are served again cannot be seen");
                Some(served_from)
            }
        }
    }

    async fn first_record(&self, window: Window, fetch: &Fetch) -> Result<(), ApiError> {
        let request = PageRequest {
            window,
            offset: 0,
            limit: 1,
            narrowing: &Narrowing::NONE,
            priority: self.priority,
        };
        self.account.api.page(&request, &fetch.tally).await.map(|_| ())
    }
}

fn before(end: DateTime<Utc>) -> Window {
    Window {
        start: end - EDGE,
        end,
    }
}
