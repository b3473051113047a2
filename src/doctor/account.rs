//! Checks how an API answers and behaves.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{AccountConfig, BudgetSpan};
use crate::extract::{ApiClient, Tally};
use crate::ledger::problems::{self, Severity, StandingProblem};
use crate::ledger::{accounts, recent_counts, spent_by_others};
use crate::postgres::Pool;
use crate::sync::{self, ApiTraits, Failure, Probe, Reached, TimeZoneVerdict};
use crate::telemetry::{chain, instant};
use crate::time::clock::Clock;
use crate::time::window::Window;

use super::finding::{Finding, Level, Report};
use super::{clocks, paging, reach};

/// No lease has this name.
const NOBODY: &str = "";

const WINDOWS_REMEMBERED: i64 = 1_000;

const MOST_RETRIES: usize = 1;

#[derive(Debug, Default)]
struct Books {
    traits: ApiTraits,
    windows: Vec<(Window, u64)>,
    problems: Vec<StandingProblem>,
}

pub(super) async fn examine(
    account: &AccountConfig,
    settle: Duration,
    pool: Option<&Pool>,
    clock: &Arc<dyn Clock>,
    report: &mut Report,
) {
    let mut asked = account.clone();
    asked.retry.max_retries = asked.retry.max_retries.min(MOST_RETRIES);
    let api = match ApiClient::new(asked, Arc::clone(clock)) {
        Ok(api) => api,
        Err(error) => {
            let finding = Finding::failed("API", chain(&error).to_string(), Failure::Other);
            report.add(finding.of(&account.name));
            return;
        }
    };
    let name = reach::dns(account).await;
    let is_known = name.status != Level::Failed;
    report.add(name.of(&account.name));
    if !is_known {
        return;
    }
    let tally = Tally::default();
    for finding in look(&api, settle, pool, clock, &tally).await {
        report.add(finding.of(&account.name));
    }
    report.add_requests(tally.requests());
}

async fn look(
    api: &ApiClient,
    settle: Duration,
    pool: Option<&Pool>,
    clock: &Arc<dyn Clock>,
    tally: &Tally,
) -> Vec<Finding> {
    let books = read_books(api, pool).await;
    let mut findings: Vec<Finding> = books.problems.iter().map(standing).collect();
    let until = sync::head(clock.now(), settle);
    let reached = sync::reach(api, until, tally).await;
    findings.extend(reach::steps(api.account(), &reached, clock.now()));
    findings.extend(api.clock_skew().map(clocks::of_api));
    if let Ok(day) = reached {
        findings.extend(behaviour(api, &books, day, tally).await);
    }
    findings
}

/// The database checks report errors.
async fn read_books(api: &ApiClient, pool: Option<&Pool>) -> Books {
    let Some(pool) = pool else {
        return Books::default();
    };
    let account_id = &api.account().account_id;
    if let Ok(spent) = spent_by_others(pool, account_id, NOBODY, BudgetSpan::LONGEST.length()).await {
        api.remember_spent(spent);
    }
    let traits = accounts::traits(pool, account_id).await.unwrap_or_default();
    Books {
        traits: serde_json::from_value(traits).unwrap_or_default(),
        windows: recent_counts(pool, account_id, WINDOWS_REMEMBERED)
            .await
            .unwrap_or_default(),
        problems: problems::standing(pool, account_id).await.unwrap_or_default(),
    }
}

fn standing(problem: &StandingProblem) -> Finding {
    const CHECK: &str = "known problems";
    let found = format!("{}, since {}", problem.text(), instant(problem.since));
    let finding = match problem.severity() {
        Severity::Failed => Finding::failed(CHECK, found, Failure::Other),
        Severity::Warning => Finding::warning(CHECK, found),
    };
    finding.remedy(problem.remedy())
}

async fn behaviour(api: &ApiClient, books: &Books, day: Reached, tally: &Tally) -> Vec<Finding> {
    let mut findings = Vec::new();
    let week = sync::reach_week(api, day.window.end, tally).await;
    findings.push(paging::longest_window(&week, &books.traits));
    let reached: Vec<Reached> = std::iter::once(day).chain(week.ok()).collect();
    let Some(window) = sync::worth_probing(&books.windows, &reached) else {
        return findings;
    };
    match sync::probe(api, window, tally).await {
        Ok(probe) => {
            findings.extend(paging::findings(&probe, &books.traits));
            findings.push(time_stamps(&probe, api.account().time_zone_offset));
        }
        Err(error) => findings.push(
            Finding::failed("paging", chain(&error).to_string(), Failure::Other).remedy(error.remedy()),
        ),
    }
    findings
}

fn time_stamps(probe: &Probe, offset: i32) -> Finding {
    const CHECK: &str = "time stamps";
    match probe.time_zone {
        TimeZoneVerdict::Agrees { records, witness } => Finding::ok(
            CHECK,
            format!("{} agree with time stamps without a zone, in {records} records", witness.words()),
        ),
        TimeZoneVerdict::Disagrees {
            minutes,
            records,
            witness,
        } => Finding::failed(
            CHECK,
            format!(
                "{} are {minutes} minutes later than time stamps without a zone, asked for with time_zone_offset {offset}, in \
                 {records} records",
                witness.words()
            ),
            Failure::Other,
        )
        .means("interactions are stored at wrong instants")
        .remedy(format!(
            "do not trust instants until this is repaired: set time_zone_offset = {}, and read again with `backfill --refetch \
             --from DATE --to DATE`; where stamps contradict each other even so, no offset fits: ask the vendor which zone \
             its stamps are in",
            probe.time_zone.fitting_offset(offset).unwrap_or_default()
        )),
        TimeZoneVerdict::Unknown => Finding::ok(
            CHECK,
            format!(
                "unknown yet: of {} interactions that were looked at, too few tell; every run goes on comparing starts with the \
                 seconds in session ids, and stamps of queues with those of callbacks",
                probe.records
            ),
        ),
    }
}
