//! How the API's minute is used while more is asked for than it has: a daemon polls for what is new, refreshes 30 days again and again, and serves a
//! backfill, against an API that enforces its limit.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use smartassist_etl::time::{Clock, SystemClock};

use crate::api::Api;
use crate::daemon::{Daemon, Running};
use crate::figures::verdict;
use crate::requests::Scenario;
use crate::simulator::{Arrival, Seen, Simulator};
use crate::workbench::Workbench;

/// The API's limit, and the daemon's.
const REQUESTS_PER_MINUTE: u32 = 60;

/// How long an answer takes.
const LATENCY: Duration = Duration::from_millis(300);

/// Full minutes to be measured, from the first request on.
const MINUTES: u32 = 3;

/// So much of the budget is to be used at least.
const LEAST_SHARE: f64 = 0.95;

/// What is new is asked for so often.
const POLL_EVERY: TimeDelta = TimeDelta::seconds(15);

/// What the daemon begins with: nothing to catch up.
const HEAD: TimeDelta = TimeDelta::minutes(5);

/// A page of what is new is to wait so long at most, beside a page that is on its way.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Until the first request, and from SIGTERM to the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the simulator is asked whether the first request has come.
const POLL: Duration = Duration::from_millis(200);

/// Works for [`MINUTES`] minutes, stops, and prints what came of it.
///
/// # Errors
/// The daemon did not work for a full minute, or did not stop in order.
pub(crate) async fn measure(workbench: &Workbench) -> Result<()> {
    let now = SystemClock.now().trunc_subsecs(0);
    let data = Scenario::Typical.data(now, 1.0);
    let from = data.from;
    let mut simulator = Simulator::start(&Api {
        totals: false,
        requests_per_minute: Some(REQUESTS_PER_MINUTE),
        latency: LATENCY,
        ..Api::new(data)
    })
    .await?;
    let mut database = workbench.database("budget").await?;
    let daemon = Daemon::new(now - HEAD, &simulator, &database, workbench.directory())
        .with(
            "ACCOUNTS__BENCH__REQUESTS_PER_MINUTE",
            &REQUESTS_PER_MINUTE.to_string(),
        )
        .with("SYNC__POLL", &format!("*/{} * * * * *", POLL_EVERY.num_seconds()))
        .with(
            "SYNC__REFRESH",
            r#"[{"name":"again","every":"5 * * * * *","lookback":"30d"}]"#,
        )
        .with("HTTP__BIND", "127.0.0.1:0")
        .with("STORAGE__RAW", "false");
    let until = work(&daemon, from, now - TimeDelta::days(30), &mut simulator)
        .await
        .map_err(|error| anyhow::anyhow!("{error:#}; the log ends with:\n{}", daemon.last_words()))?;
    let seen = simulator.seen().await?;
    let polls = database.polls().await?;
    workbench.drop(database).await?;
    report(&seen, &polls, until)
}

/// Lets the daemon work for the time, and a backfill of `from` to `to` beside it, and stops both. Gives the instant until which they worked.
async fn work(
    daemon: &Daemon,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    simulator: &mut Simulator,
) -> Result<DateTime<Utc>> {
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut running = daemon.start("run")?;
    let until = measured_time(simulator);
    tokio::pin!(until);
    // A moment later, so that the daemon has the account.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut backfill = daemon.start(&format!("backfill --from {} --to {}", instant(from), instant(to)))?;
    let until = tokio::select! {
        ended = running.end() => {
            anyhow::bail!("the daemon ended with {} before it was told to", ended?.status)
        }
        ended = backfill.end() => {
            anyhow::bail!("the backfill ended with {} before it was told to", ended?.status)
        }
        worked = until => worked?,
    };
    stop(&mut backfill).await?;
    stop(&mut running).await?;
    Ok(until)
}

/// Returns at the end of the time that is measured, which the first request begins.
async fn measured_time(simulator: &mut Simulator) -> Result<DateTime<Utc>> {
    let first = tokio::time::timeout(PATIENCE, first_request(simulator))
        .await
        .context("no request came")??;
    let end = first + minutes(MINUTES);
    let rest = (end - SystemClock.now()).to_std().unwrap_or_default();
    tokio::time::sleep(rest).await;
    Ok(end)
}

async fn first_request(simulator: &mut Simulator) -> Result<DateTime<Utc>> {
    loop {
        if let Some(first) = simulator.seen().await?.arrivals.first() {
            return Ok(first.at);
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn stop(running: &mut Running) -> Result<()> {
    running.terminate()?;
    let ended = tokio::time::timeout(PATIENCE, running.end())
        .await
        .context("it does not stop when it is told to")??;
    let code = ended.status.code();
    code.with_context(|| format!("it was told to stop, and ended with {}", ended.status))?;
    Ok(())
}

fn report(seen: &Seen, polls: &[[DateTime<Utc>; 2]], until: DateTime<Utc>) -> Result<()> {
    let arrivals: Vec<DateTime<Utc>> = seen.arrivals.iter().map(|arrival| arrival.at).collect();
    let counts = per_minute(&arrivals, until);
    ensure!(
        !counts.is_empty(),
        "there was work for less than a minute: {} requests",
        seen.requests
    );
    let whole = f64::from(REQUESTS_PER_MINUTE) * f64::from(u32::try_from(counts.len())?);
    let share = f64::from(u32::try_from(counts.iter().sum::<usize>())?) / whole;
    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
    let mut stdout = std::io::stdout();
    writeln!(
        stdout,
        "\na daemon and a backfill with a budget of {REQUESTS_PER_MINUTE} requests a minute, {} ms for an answer, no totals\n\n\
         requests inside the limit, minute by minute: {}\n",
        LATENCY.as_millis(),
        counts.join(", ")
    )?;
    writeln!(
        stdout,
        "{:<7}  share of the budget that was used, minute by minute: {share:.3}, at least {LEAST_SHARE:.2} wanted",
        verdict(Some(share >= LEAST_SHARE))
    )?;
    let pace = pace(&arrivals);
    writeln!(
        stdout,
        "{:<7}  pace compared with the fastest that is allowed: {}, at least {LEAST_SHARE:.2} wanted",
        verdict(pace.map(|pace| pace >= LEAST_SHARE)),
        pace.map_or("unknown".to_owned(), |pace| format!("{pace:.3}"))
    )?;
    let waits = head_waits(&seen.arrivals, polls, until);
    let longest = waits.iter().max().context("nothing new was asked for")?;
    writeln!(
        stdout,
        "{:<7}  longest wait of {} pages of what is new: {:.2} s, at most {:.1} s wanted",
        verdict(Some(*longest <= LONGEST_WAIT + LATENCY)),
        waits.len(),
        longest.as_secs_f64(),
        (LONGEST_WAIT + LATENCY).as_secs_f64()
    )?;
    writeln!(
        stdout,
        "{:<7}  requests over the limit (429): {}, none wanted",
        verdict(Some(seen.limited == 0)),
        seen.limited
    )?;
    Ok(())
}

/// Of each page of a poll: of the first from the second in which the poll is due, of others from the end of the page before. But for polls of the
/// first minute: what a start does is not due.
fn head_waits(arrivals: &[Arrival], polls: &[[DateTime<Utc>; 2]], until: DateTime<Utc>) -> Vec<Duration> {
    let Some(first) = arrivals.first() else {
        return Vec::new();
    };
    let measured = first.at + minutes(1)..until;
    let mut waits = Vec::new();
    for [start, finished_at] in polls
        .iter()
        .filter(|[_, finished_at]| measured.contains(finished_at))
    {
        // A refresh may begin at the same instant, later.
        let while_read = *finished_at - POLL_EVERY..*finished_at;
        let pages = arrivals
            .iter()
            .filter(|arrival| arrival.start == Some(*start) && while_read.contains(&arrival.at));
        let mut ready = None;
        for page in pages {
            let due = page.at.timestamp().div_euclid(POLL_EVERY.num_seconds()) * POLL_EVERY.num_seconds();
            let since = ready
                .or_else(|| DateTime::from_timestamp(due, 0))
                .unwrap_or(page.at);
            waits.push((page.at - since).to_std().unwrap_or_default());
            ready = Some(page.at + LATENCY);
        }
    }
    waits
}

/// Arrivals in each full minute from the first to `until`.
fn per_minute(arrivals: &[DateTime<Utc>], until: DateTime<Utc>) -> Vec<usize> {
    let Some(first) = arrivals.first() else {
        return Vec::new();
    };
    (0..)
        .map(|minute| (*first + minutes(minute), *first + minutes(minute + 1)))
        .take_while(|(_, end)| *end <= until)
        .map(|(begin, end)| arrivals.iter().filter(|at| (begin..end).contains(*at)).count())
        .collect()
}

/// The shortest time that the limit allows between the first request and one that is whole budgets
/// later, compared with the time that it took. Requests that come in bursts fill every minute even
/// if the bursts are too far apart, which only this shows. `None` if there is no such request.
fn pace(arrivals: &[DateTime<Utc>]) -> Option<f64> {
    let first = arrivals.first()?;
    let budgets = (arrivals.len() - 1) / usize::try_from(REQUESTS_PER_MINUTE).ok()?;
    let last = arrivals.get(budgets * usize::try_from(REQUESTS_PER_MINUTE).ok()?)?;
    let fastest = minutes(u32::try_from(budgets).ok()?);
    (budgets > 0).then(|| fastest.as_seconds_f64() / (*last - *first).as_seconds_f64())
}

fn minutes(count: u32) -> TimeDelta {
    TimeDelta::minutes(i64::from(count))
}
