use chrono::{DateTime, Utc};

use super::{AccountBoard, CurrentRun};
use crate::extract::BudgetUse;
use crate::ledger::status::{AccountStatus, RequestStatus, RunStatus};
use crate::telemetry::{grouped, plural, second, span};

#[derive(Debug, Clone)]
pub struct Fact {
    pub name: &'static str,
    pub value: String,
    /// Done or used, if known.
    pub percent: Option<i64>,
}

fn fact(name: &'static str, value: impl Into<String>) -> Fact {
    Fact {
        name,
        value: value.into(),
        percent: None,
    }
}

/// The most important first.
pub fn of(account: &AccountBoard, now: DateTime<Utc>) -> Vec<Fact> {
    let status = &account.status;
    let through = |at: DateTime<Utc>| {
        let has_moved = at > status.start_from;
        if has_moved {
            second(at)
        } else {
            "nothing yet".to_owned()
        }
    };
    let mut facts = vec![
        fact("complete through", through(status.watermark)),
        fact("settled through", through(status.settled_through)),
        fact("lag", span(status.lag_seconds)),
        fact("wanted from", wanted_from(account)),
        fact("last poll", last_poll(account, now)),
    ];
    let filters = status.filters.as_ref();
    facts.extend(filters.map(|filters| fact("filters", filters.as_str())));
    facts.extend(account.work.iter().map(|work| doing(work, now)));
    if account.work.is_empty() {
        facts.push(fact("doing now", "nothing"));
    }
    facts.extend(status.rebuild_from.map(made_anew));
    facts.extend(replay(status));
    let open = status.requests.iter().filter(|request| request.is_open());
    facts.extend(open.map(|request| asked_for(request, now)));
    facts.extend(budget(account));
    facts.push(fact("interactions", grouped(status.interactions)));
    facts.extend(counts(account));
    facts.extend(last_run(account));
    facts.push(fact(
        "worker now",
        status.lease_holder.as_deref().unwrap_or("none"),
    ));
    facts
}

fn made_anew(to: DateTime<Utc>) -> Fact {
    if to > DateTime::UNIX_EPOCH {
        let to = second(to);
        fact("reports", format!("facts are being made anew, done up to {to}"))
    } else {
        fact("reports", "facts are to be made anew")
    }
}

fn replay(status: &AccountStatus) -> Option<Fact> {
    let run = status.newest_replay.as_ref()?;
    let is_unfinished = run.is_running() || run.is_interrupted();
    is_unfinished.then(|| fact("replay", began(run)))
}

fn budget(account: &AccountBoard) -> Vec<Fact> {
    if account.budget.is_empty() {
        let requests = plural(account.status.requests_last_minute, "request", "requests");
        return vec![fact("request budget", format!("{requests} in the last minute"))];
    }
    let used = account.budget.iter().map(|BudgetUse { span, used, limit }| Fact {
        percent: i64::try_from(used * 100 / limit.max(&1)).ok(),
        ..fact("request budget", format!("{used} of {limit} a {}", span.as_str()))
    });
    used.collect()
}

fn counts(account: &AccountBoard) -> Vec<Fact> {
    let status = &account.status;
    let unless_none = |number, words: String| if number == 0 { "none".to_owned() } else { words };
    let holes = plural(status.holes, "stretch not read", "stretches not read");
    let gaps = plural(status.gaps, "stretch", "stretches") + ", see smartassist_sync.gaps";
    let waiting = plural(status.rejected_waiting, "record", "records");
    let waiting = waiting + ", see smartassist_sync.rejected_records";
    let drifted = plural(status.drifted_fields, "field", "fields");
    let drifted = drifted + ", kept in the column extra, see smartassist_sync.schema_drift";
    let mut facts = vec![
        fact("holes", unless_none(status.holes, holes)),
        fact("gaps", unless_none(status.gaps, gaps)),
        fact("rejected, waiting", unless_none(status.rejected_waiting, waiting)),
    ];
    let rejected = account.details.iter().flat_map(|details| &details.rejected);
    facts.extend(rejected.map(|waiting| {
        let records = plural(waiting.records, "record", "records");
        fact("rejected because", format!("{}: {records}", waiting.reason))
    }));
    let drifted = unless_none(status.drifted_fields, drifted);
    facts.push(fact("unknown fields", drifted));
    facts
}

fn doing(work: &CurrentRun, now: DateTime<Utc>) -> Fact {
    let CurrentRun { run, eta_seconds } = work;
    let since = span((now - run.started_at).num_seconds());
    let requests = plural(run.requests, "request", "requests");
    let mut words = format!("{} for {since}, {requests}", run.name());
    let mut percent = None;
    if let Some(left) = run.requests_left.filter(|left| run.requests + left > 0) {
        let all = run.requests + left;
        let done = run.requests * 100 / all;
        words += &format!(" of about {} ({done} %)", grouped(all));
        percent = Some(done);
    }
    words += &format!(", {}", plural(run.records, "record", "records"));
    if let Some(seconds) = eta_seconds.and_then(|seconds| i64::try_from(seconds).ok()) {
        words += &format!(", about {} left", span(seconds));
    }
    Fact {
        percent,
        ..fact("doing now", words)
    }
}

fn asked_for(request: &RequestStatus, now: DateTime<Utc>) -> Fact {
    let asked = span((now - request.requested_at).num_seconds());
    let (name, from, to) = (request.name(), second(request.start), second(request.end));
    let words = format!(
        "{name} of {from} to {to}, {} % read, asked {asked} ago",
        request.percent
    );
    Fact {
        percent: Some(request.percent),
        ..fact("asked for", words)
    }
}

fn wanted_from(account: &AccountBoard) -> String {
    let status = &account.status;
    let from = second(status.start_from);
    match status.served_from {
        Some(served) if served == status.start_from => format!("{from} (the API serves nothing older)"),
        Some(served) => format!("{from} (the API serves nothing before {})", second(served)),
        None => from,
    }
}

fn last_poll(account: &AccountBoard, now: DateTime<Utc>) -> String {
    account.status.last_polled_at.map_or_else(
        || "none yet".to_owned(),
        |at| format!("{} ({} ago)", second(at), span((now - at).num_seconds())),
    )
}

fn last_run(account: &AccountBoard) -> Vec<Fact> {
    let Some(run) = account.status.runs.first() else {
        return vec![fact("last run", "none yet")];
    };
    let words = format!("{} {}", run.name(), began(run));
    let name = if run.is_failed() {
        "last error"
    } else {
        "ended early"
    };
    let why = run.failure.error.clone().map(|why| fact(name, why));
    std::iter::once(fact("last run", words)).chain(why).collect()
}

fn began(run: &RunStatus) -> String {
    format!("{}, began {}", run.status, second(run.started_at))
}
