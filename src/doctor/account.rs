use std::sync::Arc;
use std::time::Duration;

use crate::config::AccountConfig;
use crate::extract::{ApiClient, Tally};
use crate::ledger::problems::{self, Problem, Severity};
use crate::ledger::{accounts, leases, recent_counts};
use crate::postgres::Pool;
use crate::sync::{self, ApiProfile, Probe, Reached, TimeZoneVerdict};
use crate::telemetry::chain;
use crate::time::clock::Clock;
use crate::time::window::Window;

use super::finding::{Finding, Report};
use super::{clocks, paging, reach};

const WINDOWS_REMEMBERED: i64 = 1_000;

const MOST_RETRIES: usize = 1;

#[derive(Debug, Default)]
struct Known {
    profile: ApiProfile,
    windows: Vec<(Window, u64)>,
    problems: Vec<Problem>,
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
    let findings = match ApiClient::new(asked, Arc::clone(clock)) {
        Ok(api) => {
            let mut findings = vec![reach::dns(account).await.check("DNS")];
            if findings[0].status != Severity::Failed {
                let tally = Tally::default();
                look(&api, settle, pool, clock, (&tally, &mut findings)).await;
                report.requests += tally.requests();
            }
            findings
        }
        Err(error) => vec![Finding::failed(chain(&error).to_string()).check("API")],
    };
    report
        .findings
        .extend(findings.into_iter().map(|finding| finding.of(&account.name)));
}

async fn look(
    api: &ApiClient,
    settle: Duration,
    pool: Option<&Pool>,
    clock: &Arc<dyn Clock>,
    (tally, findings): (&Tally, &mut Vec<Finding>),
) {
    let known = remember(api, pool).await;
    let problems = known.problems.iter().cloned();
    findings.extend(problems.map(|problem| Finding::problem(problem).check("known problems")));
    let until = sync::head(clock.now(), settle);
    let reached = sync::reach(api, until, tally).await;
    findings.extend(reach::steps(api.account(), &reached, clock.now()));
    findings.extend(api.clock_skew().map(clocks::of_api));
    if let Ok(day) = reached {
        behaviour(api, &known, day, (tally, findings)).await;
    }
}

/// Errors are reported by the database checks.
async fn remember(api: &ApiClient, pool: Option<&Pool>) -> Known {
    let Some(pool) = pool else {
        return Known::default();
    };
    let account_id = &api.account().account_id;
    if let Ok(spent) = leases::spent(pool, account_id).await {
        api.remember_spent(spent);
    }
    let profile = accounts::traits(pool, account_id).await.unwrap_or_default();
    let windows = recent_counts(pool, account_id, WINDOWS_REMEMBERED).await;
    Known {
        profile: serde_json::from_value(profile).unwrap_or_default(),
        windows: windows.unwrap_or_default(),
        problems: problems::standing(pool, account_id).await.unwrap_or_default(),
    }
}

async fn behaviour(
    api: &ApiClient,
    known: &Known,
    day: Reached,
    (tally, findings): (&Tally, &mut Vec<Finding>),
) {
    let week = sync::reach_week(api, day.window.end, tally).await;
    findings.push(paging::longest_window(&week, &known.profile).check("longest window"));
    let reached: Vec<Reached> = std::iter::once(day).chain(week.ok()).collect();
    let Some(window) = sync::worth_probing(&known.windows, &reached) else {
        return;
    };
    match sync::probe(api, window, tally).await {
        Ok(probe) => {
            findings.extend(paging::findings(&probe, &known.profile));
            findings.push(time_stamps(&probe, api.account().time_zone_offset).check("time stamps"));
        }
        Err(error) => findings.push(Finding::problem(&error).check("paging")),
    }
}

fn time_stamps(probe: &Probe, offset: i32) -> Finding {
    match probe.time_zone {
        TimeZoneVerdict::Agrees { records, witness } => Finding::ok(format!("{} agree with time stamps without a zone, in {records} records", witness.words()),
        ),
        TimeZoneVerdict::Disagrees {
            minutes,
            records,
            witness,
        } => Finding::failed(format!(
                "{} are {minutes} minutes later than time stamps without a zone, requested with time_zone_offset {offset}, in \
                 {records} records",
                witness.words()
            ),
        )
        .explanation("interactions are stored at wrong instants")
        .remedy(format!(
            "do not trust instants until this is repaired: set time_zone_offset = {}, and run `backfill --refetch --from DATE \
             --to DATE`; if stamps still contradict each other, no offset fits: ask the vendor which zone its stamps are in",
            probe.time_zone.fitting_offset(offset).unwrap_or_default()
        )),
        TimeZoneVerdict::Unknown => Finding::ok(format!(
                "unknown yet: too few of {} interactions tell; every run compares starts with the seconds in session ids, and \
                 stamps of queues with those of callbacks",
                probe.records
            ),
        ),
    }
}
