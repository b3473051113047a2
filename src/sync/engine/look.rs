//! Fills the queues with what is due and left to read.

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tracing::debug;

use crate::ledger::accounts::{self, History};
use crate::ledger::requests::OpenRequest;
use crate::ledger::{LoadError, gaps, requests};
use crate::time::Window;

use super::super::account::{AccountContext, Health};
use super::super::policies;
use super::super::report::RunReport;
use super::close::AfterRun;
use super::source::{Run, Source};
use super::{Engine, FIRST_REST, GAPS_IN_A_RUN, Goal, RESTS_OF_A_REQUEST, Written};

#[derive(Debug)]
pub(super) struct Look {
    head: Vec<Window>,
    gaps: Vec<Window>,
    requests: Vec<OpenRequest>,
    history: Option<History>,
    kept_from: Option<DateTime<Utc>>,
    /// Windows written before it began.
    windows_written: u64,
}

#[derive(Debug)]
struct Due {
    poll: bool,
    /// Now, and when they were last looked for.
    refreshes: Option<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

async fn look(
    account: AccountContext,
    until: DateTime<Utc>,
    due: Due,
    windows_written: u64,
) -> Result<Look, LoadError> {
    let (pool, account_id) = (&account.pool, account.account_id());
    if due.poll {
        accounts::check(pool, account_id).await?;
    }
    if let Some((now, since)) = due.refreshes {
        policies::ask_all(&account, until, now, since).await?;
    }
    let settle = account.sync.settle;
    let kept_from = account.kept_from().await?;
    let gaps = gaps::open(pool, account_id).await?;
    Ok(Look {
        head: gaps::unread(pool, account_id, until, settle).await?,
        gaps: gaps.iter().map(|gap| gap.window).collect(),
        requests: requests::open(pool, account_id, (until, settle), kept_from).await?,
        history: accounts::history(pool, account_id).await?,
        kept_from,
        windows_written,
    })
}

impl Engine {
    pub(super) fn begin_look(&mut self) {
        if !self.is_look_due || !self.looks.is_empty() {
            return;
        }
        self.is_look_due = false;
        let due = self.due();
        let account = self.account.clone();
        self.looks
            .spawn(look(account, self.until, due, self.windows_written));
    }

    /// A poll that is due moves the end of what is read.
    fn due(&mut self) -> Due {
        let now = self.account.clock.now();
        let since = self.looked_at.replace(now);
        let is_due = policies::due(&self.account.sync.poll, now, since).is_some();
        let due = Due {
            poll: is_due && !matches!(self.goal, Goal::Everything(_)),
            refreshes: matches!(self.goal, Goal::Serve(_)).then_some((now, since)),
        };
        if due.poll {
            debug!(account = self.account.name(), "a poll is due");
            self.until = self.account.head();
            self.head_is_done = false;
            self.rests_until = None;
            self.sources[0].tried.clear();
            self.sources[0].drained.clear();
            self.account.health.send_modify(Health::begin);
        }
        due
    }

    pub(super) fn take_in(&mut self, look: Look) {
        if look.windows_written != self.windows_written {
            // Older than the last write, which would be read again.
            self.is_look_due = true;
            return;
        }
        self.kept_from = look.kept_from;
        self.gaps = look.gaps;
        self.take_in_head(&from_on(look.head, look.kept_from), look.history);
        let open: Vec<i64> = look.requests.iter().map(|request| request.id).collect();
        for request in look.requests {
            self.take_in_request(request);
        }
        if let Goal::Request(id) = &self.goal
            && !open.contains(id)
            && self.place(Some(*id)).is_none()
        {
            self.goal_has_ended = true;
        }
        // Ended by somebody else.
        for place in (1..self.sources.len()).rev() {
            let source = &self.sources[place];
            let is_open = source.id().is_some_and(|id| open.contains(&id));
            if !is_open && source.in_flight == 0 && matches!(source.run, Run::NotBegun) {
                self.note_ended(source.id());
                self.sources.remove(place);
            }
        }
    }

    fn take_in_head(&mut self, todo: &[Window], history: Option<History>) {
        if self.head_is_done {
            return;
        }
        self.history = history.filter(|history| history.may_be_tried && history.is_wanted);
        let (from, until) = (self.filled_until, self.until);
        let source = &mut self.sources[0];
        if !source.has_work() {
            self.refill(0, todo);
        } else {
            // New stretches go first; the rest keeps its cuts.
            for window in from_on(todo.to_vec(), Some(from)) {
                source.queue.add_newest(window);
            }
            self.filled_until = until;
        }
    }

    fn take_in_request(&mut self, request: OpenRequest) {
        let place = match self.place(Some(request.id)) {
            Some(place) => place,
            None => {
                self.sources.push(Source::default());
                self.sources.len() - 1
            }
        };
        let ends = request.is_cancelled || request.has_other_filters;
        let todo = request.remaining.clone();
        let source = &mut self.sources[place];
        source.request = Some(request);
        if ends {
            source.give_up_rest();
        }
        if ends && source.is_worked_off() {
            self.end(place, AfterRun::Ends);
        } else if !source.has_work() && !source.is_resting() {
            self.refill(place, &todo);
        }
    }

    fn refill(&mut self, place: usize, todo: &[Window]) {
        let source = &self.sources[place];
        if !source.is_worked_off() {
            return;
        }
        let left = without(from_on(todo.to_vec(), source.horizon.edge), &source.tried);
        let is_stuck = left
            .iter()
            .any(|window| source.drained.iter().any(|read| read.overlaps(*window)));
        let gives_up = source.gaps_found >= GAPS_IN_A_RUN;
        if left.is_empty() || is_stuck || gives_up {
            self.end_or_rest(place, is_stuck);
            return;
        }
        let being_read: Vec<Window> = self.being_read().collect();
        let free = without(left, &being_read);
        self.sources[place].fill(&free, &self.gaps, &self.model);
        if place == 0 {
            self.filled_until = self.until;
        }
    }

    /// A daemon tries failed windows again.
    fn end_or_rest(&mut self, place: usize, is_stuck: bool) {
        let goes_on = matches!(self.goal, Goal::Serve(_));
        let source = &mut self.sources[place];
        let may_rest = goes_on && source.request.is_some() && !source.failed.is_empty();
        if may_rest && source.gaps_found < GAPS_IN_A_RUN && source.rests < RESTS_OF_A_REQUEST {
            source.rests_until = Some(Instant::now() + FIRST_REST * 2_u32.pow(source.rests));
            source.rests += 1;
            let failed = std::mem::take(&mut source.failed);
            source.tried.retain(|tried| !failed.contains(tried));
            // The run has failed; the request may yet be served.
            self.close(place, AfterRun::Rests);
        } else if is_stuck {
            self.end(place, AfterRun::Stuck);
        } else {
            self.end(place, AfterRun::Ends);
        }
    }

    fn close(&mut self, place: usize, ending: AfterRun) -> bool {
        let closing = self.closing(place, ending);
        let Some(closing) = closing else { return false };
        self.sources[place].in_flight += 1;
        self.writes
            .spawn(async move { Written::Closed(closing.run().await) });
        true
    }

    fn end(&mut self, place: usize, ending: AfterRun) {
        if place == 0 {
            self.head_is_done = true;
        }
        if !self.close(place, ending) && self.sources[place].tried.is_empty() {
            let idle = RunReport::new();
            self.account.health.send_modify(|health| health.ended(&idle));
            self.add_report(self.sources[place].id(), idle);
        }
    }
}

fn from_on(mut windows: Vec<Window>, from: Option<DateTime<Utc>>) -> Vec<Window> {
    if let Some(from) = from {
        windows.retain(|window| window.end > from);
        windows
            .iter_mut()
            .for_each(|window| window.start = window.start.max(from));
    }
    windows
}

fn without(windows: Vec<Window>, others: &[Window]) -> Vec<Window> {
    others.iter().fold(windows, |left, other| {
        left.into_iter()
            .flat_map(|window| window.without(*other))
            .collect()
    })
}
