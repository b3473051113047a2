//! `verify`: compares stored data with the API, day by day.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::ledger::problems::Failure;
use crate::ledger::runs::Outcome;
use crate::sync::{DayComparison, Job, Method, RunReport, Verification};
use crate::telemetry::logging::Screen;
use crate::time::window::Window;

use super::accounts;
use super::exit::CommandError;
use super::output::print;
use super::progress::Watched;
use super::range::{Range, until_done};

/// An interaction is marked as missing by the second read that misses it.
const REPAIRS: usize = 2;

/// What `verify` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    range: Range,
    /// One JSON object for programs
    #[arg(long)]
    json: bool,
    /// Read every day whole, also where the API gives totals: equal counts say nothing of what the
    /// interactions hold, nor of one that took another's place
    #[arg(long)]
    by_identity: bool,
    /// Read the days that differ again, store what they hold, and compare them once more
    #[arg(long)]
    repair: bool,
}

struct Compared {
    account: String,
    /// The loaded part of the range.
    range: Window,
    days: Vec<DayComparison>,
    left: usize,
}

pub(super) async fn verify(
    config: &Config,
    arguments: &Arguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    let (config, range) = arguments.range.of(config)?;
    let compared: Mutex<Vec<Compared>> = Mutex::default();
    let worked = accounts::work(&config, screen, async |watched, stop| {
        let mut verification = Verification::of(range);
        if arguments.by_identity {
            verification.demand_identity();
        }
        let report = compare(watched, &mut verification, arguments.repair, stop).await;
        let mut compared = compared.lock().unwrap_or_else(PoisonError::into_inner);
        compared.push(Compared {
            account: watched.account().to_owned(),
            range: verification.range(),
            left: verification.left(),
            days: verification.compared().cloned().collect(),
        });
        report
    })
    .await;
    let mut compared = compared.into_inner().unwrap_or_else(PoisonError::into_inner);
    compared.sort_by(|a, b| a.account.cmp(&b.account));
    let text = if arguments.json {
        as_json(range, &compared)
    } else {
        as_table(&compared)
    };
    print(&text)?;
    worked?;
    let differing = compared
        .iter()
        .flat_map(|account| &account.days)
        .filter(|day| day.differs())
        .count();
    if differing > 0 {
        Err(CommandError::Differs(differing))
    } else {
        Ok(())
    }
}

async fn compare(
    watched: &Watched<'_>,
    verification: &mut Verification,
    repair: bool,
    stop: &CancellationToken,
) -> RunReport {
    let mut report = verify_until_done(watched, verification, stop).await;
    let mut not_repaired = None;
    for _ in 0..if repair { REPAIRS } else { 0 } {
        let differing: Vec<Window> = verification
            .compared()
            .filter(|day| day.differs())
            .map(|day| Window {
                start: day.from,
                end: day.to,
            })
            .collect();
        if differing.is_empty() || report.outcome != Outcome::Succeeded {
            break;
        }
        not_repaired = None;
        for range in differing {
            let job = Job::Backfill { range, refetch: true };
            let repaired = until_done(watched.account(), stop, async || watched.run(&job, stop).await).await;
            if repaired.outcome == Outcome::Succeeded {
                continue;
            }
            if stop.is_cancelled() || is_everywhere(repaired.failure()) {
                return repaired;
            }
            // For example a gap: other days can still be repaired.
            not_repaired.get_or_insert(repaired);
        }
        verification.compare_again();
        report = verify_until_done(watched, verification, stop).await;
    }
    match not_repaired {
        Some(failed) if report.outcome == Outcome::Succeeded => failed,
        _ => report,
    }
}

async fn verify_until_done(
    watched: &Watched<'_>,
    verification: &mut Verification,
    stop: &CancellationToken,
) -> RunReport {
    until_done(watched.account(), stop, async || {
        watched.verify(verification, stop).await
    })
    .await
}

fn is_everywhere(failure: Option<Failure>) -> bool {
    matches!(failure, Some(Failure::Refused | Failure::DatabaseUnreachable))
}

fn as_json(range: Window, compared: &[Compared]) -> String {
    let account = |compared: &Compared| -> Value {
        let days = &compared.days;
        json!({
            "account": compared.account,
            "from": compared.range.start,
            "to": compared.range.end,
            "days": days,
            "days_compared": days.len(),
            "days_not_compared": compared.left,
            "days_that_differ": days.iter().filter(|day| day.differs()).count(),
        })
    };
    let accounts: Vec<Value> = compared.iter().map(account).collect();
    format!(
        "{:#}\n",
        json!({ "from": range.start, "to": range.end, "accounts": accounts })
    )
}

fn as_table(compared: &[Compared]) -> String {
    let mut text = String::new();
    for Compared {
        account,
        range,
        days,
        left,
    } in compared
    {
        let _ = writeln!(
            text,
            "{account}, {} to {} (days of UTC)",
            day_of(range.start),
            day_of(range.end)
        );
        let differing: Vec<_> = days.iter().filter(|day| day.differs()).collect();
        if !differing.is_empty() {
            let _ = writeln!(
                text,
                "  {:<20} {:>9} {:>9} {:>10} {:>12} {:>8}",
                "day", "API", "stored", "not stored", "not returned", "changed"
            );
        }
        for day in &differing {
            let _ = writeln!(
                text,
                "  {:<20} {:>9} {:>9} {:>10} {:>12} {:>8}{}",
                day_of(day.from),
                day.api,
                day.stored,
                day.not_stored,
                day.not_returned,
                day.changed,
                day.problem
                    .as_ref()
                    .map(|problem| format!("  {problem}"))
                    .unwrap_or_default()
            );
        }
        let by_total = days.iter().filter(|day| day.method == Method::Total).count();
        let _ = writeln!(
            text,
            "  {} of {} days differ; {by_total} were compared by the API's total, {} by identity",
            differing.len(),
            days.len(),
            days.len() - by_total
        );
        if by_total > 0 {
            let _ = writeln!(
                text,
                "  equal totals do not prove equal content: --by-identity reads every day whole"
            );
        }
        if *left > 0 {
            let _ = writeln!(text, "  {left} days more were not compared: it ended before");
        }
    }
    text
}

fn day_of(at: chrono::DateTime<chrono::Utc>) -> String {
    if at.time() == chrono::NaiveTime::MIN {
        at.date_naive().to_string()
    } else {
        crate::telemetry::instant(at)
    }
}
