use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::TimeDelta;
use clap::Args;
use serde_json::{Value, json};

use crate::config::Config;
use crate::ledger::problems::Failure;
use crate::ledger::requests::NewRequest;
use crate::ledger::runs::Outcome;
use crate::ledger::{Purpose, bigint};
use crate::sync::{self, DayComparison, Method, RunReport};
use crate::telemetry::logging::Screen;
use crate::telemetry::plural;
use crate::time::Window;

use super::accounts::{WatchedAccount, run_all};
use super::output::print_report;
use super::process::CommandError;
use super::sync::RangeArguments;

/// An interaction is marked as missing by the second read that misses it.
const REPAIRS: usize = 2;

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    range: RangeArguments,
    /// One JSON object for programs
    #[arg(long)]
    json: bool,
    /// Read every day whole, even if the API gives totals: equal counts do not prove equal contents, nor
    /// that no interaction was replaced by another
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
    /// A day may be compared in parts, around a gap.
    parts: Vec<DayComparison>,
}

impl Compared {
    fn differing(&self) -> impl Iterator<Item = &DayComparison> {
        self.parts.iter().filter(|day| day.differs())
    }

    fn days(&self, is_meant: impl Fn(&DayComparison) -> bool) -> usize {
        let meant = self.parts.iter().filter(|part| is_meant(part));
        meant
            .map(|part| part.from.date_naive())
            .collect::<BTreeSet<_>>()
            .len()
    }

    fn days_left(&self) -> usize {
        days_of(self.range).saturating_sub(self.days(|_| true))
    }
}

pub(super) async fn verify(
    config: &Config,
    arguments: &VerifyArguments,
    screen: &Screen,
) -> Result<(), CommandError> {
    let (config, range) = arguments.range.of(config)?;
    let compared = RefCell::new(Vec::new());
    let worked = run_all(&config, screen, false, async |watched| {
        let (range, days, report) = compare(watched, range, arguments).await;
        compared.borrow_mut().push(Compared {
            account: watched.context.name().to_owned(),
            range,
            parts: days,
        });
        report
    })
    .await;
    let mut compared: Vec<Compared> = compared.into_inner();
    compared.sort_by(|a, b| a.account.cmp(&b.account));
    print_report(arguments.json, &to_json(range, &compared), || to_table(&compared))?;
    worked?;
    let differing = compared
        .iter()
        .map(|account| account.days(DayComparison::differs));
    let differing: usize = differing.sum();
    if differing > 0 {
        let remedy = if arguments.repair {
            "they were read again; `status` says what stands in the way"
        } else {
            "--repair reads them again"
        };
        Err(CommandError::Differs {
            days: differing,
            remedy,
        })
    } else {
        Ok(())
    }
}

/// Cut to what is loaded; the days as last compared.
async fn compare(
    watched: &WatchedAccount<'_>,
    range: Window,
    arguments: &VerifyArguments,
) -> (Window, Vec<DayComparison>, RunReport) {
    let loaded = async || sync::loaded(&watched.context, range).await;
    let (range, mut report, mut days) = match watched.look(loaded).await {
        Ok(range) => {
            let (days, report) = verify_ranges(watched, &[range], arguments).await;
            (range, report, days)
        }
        Err(error) => (
            range,
            RunReport::not_begun(watched.context.name(), &error),
            Vec::new(),
        ),
    };
    let mut not_repaired = None;
    for _ in 0..if arguments.repair { REPAIRS } else { 0 } {
        let differing: Vec<Window> = days.iter().filter(|day| day.differs()).map(window_of).collect();
        if differing.is_empty() || report.outcome != Outcome::Succeeded {
            break;
        }
        let wish = NewRequest {
            due_for: Some(TimeDelta::zero()),
            ..NewRequest::of(Purpose::Repair, &differing)
        };
        let (_, repaired) = watched.fulfil(&wish).await;
        not_repaired = None;
        if repaired.outcome != Outcome::Succeeded {
            if watched.shell.stop.is_cancelled() || is_everywhere(repaired.failure()) {
                return (range, days, repaired);
            }
            // For example a gap; other days can still be repaired.
            not_repaired = Some(repaired);
        }
        let (again, of_again) = verify_ranges(watched, &differing, arguments).await;
        report = of_again;
        days.retain(|day| !differing.contains(&window_of(day)));
        days.extend(again);
        days.sort_by_key(|day| day.from);
    }
    let report = match not_repaired {
        Some(failed) if report.outcome == Outcome::Succeeded => failed,
        _ => report,
    };
    (range, days, report)
}

fn window_of(day: &DayComparison) -> Window {
    Window::new(day.from, day.to)
}

async fn verify_ranges(
    watched: &WatchedAccount<'_>,
    ranges: &[Window],
    arguments: &VerifyArguments,
) -> (Vec<DayComparison>, RunReport) {
    let wish = NewRequest {
        due_for: Some(TimeDelta::zero()),
        by_identity: arguments.by_identity,
        ..NewRequest::of(Purpose::Verify, ranges)
    };
    let (request, report) = watched.fulfil(&wish).await;
    let days = match request.filter(|_| !report.was_cut_off()) {
        Some(id) => {
            let compared = async || sync::compared(&watched.context, id).await;
            watched.look(compared).await
        }
        None => Ok(Vec::new()),
    };
    match days {
        Ok(days) => (days, report),
        Err(error) => (Vec::new(), RunReport::not_begun(watched.context.name(), &error)),
    }
}

fn days_of(range: Window) -> usize {
    let last = range.end - TimeDelta::seconds(1);
    let days = (last.date_naive() - range.start.date_naive()).num_days() + 1;
    usize::try_from(days).unwrap_or(0)
}

fn is_everywhere(failure: Option<Failure>) -> bool {
    matches!(failure, Some(Failure::Refused | Failure::DatabaseUnreachable))
}

fn to_json(range: Window, compared: &[Compared]) -> Value {
    let accounts = compared.iter().map(|compared| {
        json!({
            "account": compared.account,
            "from": compared.range.start,
            "to": compared.range.end,
            "days": compared.parts,
            "days_compared": compared.days(|_| true),
            "days_not_compared": compared.days_left(),
            "days_that_differ": compared.days(DayComparison::differs),
        })
    });
    let accounts: Vec<Value> = accounts.collect();
    let (from, to) = (range.start, range.end);
    json!({ "from": from, "to": to, "accounts": accounts })
}

fn to_table(compared: &[Compared]) -> String {
    compared.iter().map(account_to_table).collect()
}

fn account_to_table(compared: &Compared) -> String {
    let (from, to) = (day_of(compared.range.start), day_of(compared.range.end));
    let mut text = format!("{}, {from} to {to} (days of UTC)\n", compared.account);
    let differing = compared.days(DayComparison::differs);
    if differing > 0 {
        text += "  day                        API    stored not stored not returned  changed rejected\n";
    }
    for day in compared.differing() {
        let found = match &day.problem {
            Some(problem) => format!("not compared: {problem}"),
            None => format!(
                "{:>9} {:>9} {:>10} {:>12} {:>8} {:>8}",
                day.api, day.stored, day.not_stored, day.not_returned, day.changed, day.rejected
            ),
        };
        let _ = writeln!(text, "  {:<20} {found}", day_of(day.from));
    }
    let (days, by_identity) = (
        compared.days(|_| true),
        compared.days(|day| day.method == Method::Identity),
    );
    let by_total = days - by_identity;
    let _ = writeln!(
        text,
        "  {differing} of {days} days differ; {by_total} were compared by the API's total, {by_identity} by identity"
    );
    if by_total > 0 {
        text += "  equal totals do not prove equal content: --by-identity reads every day whole\n";
    }
    let rejected: u64 = compared.parts.iter().map(|day| day.rejected).sum();
    if rejected > 0 {
        let records = plural(bigint(rejected), "record", "records");
        let _ = writeln!(text, "  {records} of these days cannot become rows");
    }
    let left = compared.days_left();
    if left > 0 {
        let _ = writeln!(
            text,
            "  it ended before {} could be compared",
            plural(bigint(left as u64), "more day", "more days")
        );
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
