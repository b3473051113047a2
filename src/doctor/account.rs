//! One account: does its API answer, let us in, and how does it behave.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::config::AccountConfig;
use crate::database::Pool;
use crate::extract::{ApiClient, ApiError, Tally};
use crate::load::{accounts, recent_counts, spent_by_others};
use crate::observe::chain;
use crate::sync::{self, ApiTraits, Failure, Probe, Reached, TimeZoneVerdict};
use crate::window::Window;

use super::finding::{Finding, Report};
use super::paging;

/// Nobody holds leases by this name: what every process spent counts as others'.
const NOBODY: &str = "";

/// The newest windows of the ledger, of which one may be worth looking at again.
const WINDOWS_REMEMBERED: i64 = 1_000;

/// Whoever waits for an answer wants to know of trouble now, not when it has passed.
const MOST_RETRIES: usize = 1;

/// Clocks that are off by more deserve a word, and by more still our tokens are refused.
const NOTABLE_SKEW: TimeDelta = TimeDelta::seconds(30);
const LARGEST_SKEW: TimeDelta = TimeDelta::minutes(5);

/// What the books say of an account, as far as they can be read.
#[derive(Debug, Default)]
struct Books {
    traits: ApiTraits,
    windows: Vec<(Window, u64)>,
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
    let books = read_books(&api, pool).await;
    let tally = Tally::default();
    let until = sync::head(clock.now(), settle);
    let mut findings = Vec::new();
    let reached = sync::reach(&api, until, &tally).await;
    findings.push(reachable(&reached));
    findings.extend(api.clock_skew().map(clocks));
    if let Ok(day) = reached {
        findings.extend(behaviour(&api, &books, day, &tally).await);
    }
    for finding in findings {
        report.add(finding.of(&account.name));
    }
    report.add_requests(tally.requests());
}

/// What cannot be read here was said by the checks of the database.
async fn read_books(api: &ApiClient, pool: Option<&Pool>) -> Books {
    let Some(pool) = pool else {
        return Books::default();
    };
    let account_id = &api.account().account_id;
    let hour = Duration::from_secs(3_600);
    if let Ok(spent) = spent_by_others(pool, account_id, NOBODY, hour).await {
        api.remember_spent(spent);
    }
    let traits = accounts::traits(pool, account_id).await.unwrap_or_default();
    Books {
        traits: serde_json::from_value(traits).unwrap_or_default(),
        windows: recent_counts(pool, account_id, WINDOWS_REMEMBERED)
            .await
            .unwrap_or_default(),
    }
}

fn reachable(reached: &Result<Reached, ApiError>) -> Finding {
    const CHECK: &str = "API";
    match reached {
        Ok(reached) => {
            let found = match (reached.has_records, reached.total) {
                (true, Some(total)) => {
                    format!("it lets us in, and has {total} interactions in the last 24 hours")
                }
                (true, None) => "it lets us in, and has interactions in the last 24 hours".to_owned(),
                (false, _) => {
                    return Finding::warning(CHECK, "it lets us in, and shows no interaction in the last 24 hours")
                        .remedy(
                            "nothing, if it was a quiet day; else check stream_id, the app's rights and the account's filters",
                        );
                }
            };
            Finding::ok(CHECK, found)
        }
        Err(error) => {
            let failure = match error {
                ApiError::Refused { .. } => Failure::Refused,
                _ => Failure::Other,
            };
            Finding::failed(CHECK, chain(error).to_string(), failure)
                .means("nothing is loaded for this account")
                .remedy(error.remedy())
        }
    }
}

fn clocks(skew: TimeDelta) -> Finding {
    const CHECK: &str = "clocks";
    const REMEDY: &str = "set this machine's clock, as by NTP";
    let direction = if skew < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    let found = format!(
        "the API's clock is {} s {direction} ours",
        skew.num_seconds().abs()
    );
    if skew.abs() <= NOTABLE_SKEW {
        Finding::ok(CHECK, found)
    } else if skew.abs() <= LARGEST_SKEW {
        Finding::warning(CHECK, found)
            .means("windows are read up to a little more or less than sync.settle_seconds ago")
            .remedy(REMEDY)
    } else {
        Finding::failed(CHECK, found, Failure::Other)
            .means("the API may take our tokens for expired, or for not valid yet, and the newest interactions may be missed")
            .remedy(REMEDY)
    }
}

/// How it answers longer windows and further pages.
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
    let compared = "when customers entered a queue (a stamp without a zone) and when they opted for a callback there \
                    (a stamp with one)";
    match probe.time_zone {
        TimeZoneVerdict::Agrees { records } => Finding::ok(
            CHECK,
            format!("stamps with and without a zone agree; compared: {compared}, {records} times"),
        ),
        TimeZoneVerdict::Disagrees { minutes, records } => Finding::failed(
            CHECK,
            format!(
                "stamps with a zone are {minutes} minutes later than those without, asked for with time_zone_offset {offset}; \
                 compared: {compared}, {records} times"
            ),
            Failure::Other,
        )
        .means("sessions are stored at wrong instants")
        .remedy("do not trust instants until this is mended: set time_zone_offset to 0, or ask the vendor which zone its stamps are in"),
        TimeZoneVerdict::Unknown => Finding::ok(
            CHECK,
            format!(
                "unknown yet: of {} interactions that were looked at, too few tell; every run goes on looking at {compared}",
                probe.records
            ),
        ),
    }
}
