//! Checks an account, and how its API pages.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::config::AccountConfig;
use crate::extract::{ApiClient, ApiError, LAST_OFFSET, PAGE_SIZE, Tally};
use crate::ledger::problems::{self, Severity};
use crate::ledger::{LoadError, accounts, leases, recent_counts};
use crate::postgres::Pool;
use crate::sync::{self, ApiProfile, NumResults, OffsetUnit, Probe, Reached, TimeZoneVerdict};
use crate::telemetry::chain;
use crate::time::Clock;

use super::{Finding, Report, clocks_and_disks, reach};

const WINDOWS_REMEMBERED: i64 = 1_000;

const MOST_RETRIES: usize = 1;

pub(super) async fn examine(
    account: &AccountConfig,
    settle: Duration,
    pool: Option<&Pool>,
    clock: &Arc<dyn Clock>,
    report: &mut Report,
) {
    let mut asked = account.clone();
    asked.retry.max_retries = asked.retry.max_retries.min(MOST_RETRIES);
    let tally = Tally::default();
    let findings = match ApiClient::new(asked, Arc::clone(clock)) {
        Ok(api) => {
            let mut findings = vec![reach::dns(account).await.check("DNS")];
            if findings[0].status != Severity::Failed {
                look(&api, (clock.now(), settle), pool, (&tally, &mut findings)).await;
            }
            findings
        }
        Err(error) => vec![Finding::failed(chain(&error).to_string()).check("API")],
    };
    report.requests += tally.cost().requests;
    report
        .findings
        .extend(findings.into_iter().map(|finding| finding.of(&account.name)));
}

async fn look(
    api: &ApiClient,
    (now, settle): (DateTime<Utc>, Duration),
    pool: Option<&Pool>,
    (tally, findings): (&Tally, &mut Vec<Finding>),
) {
    let (mut profile, mut windows) = (ApiProfile::default(), Vec::new());
    // Errors are reported by the database checks.
    if let Some(pool) = pool {
        let account_id = &api.account().account_id;
        if let Ok(spent) = leases::spent(pool, account_id).await {
            api.budget.spent_before(spent);
        }
        let traits = accounts::traits(pool, account_id).await.unwrap_or_default();
        profile = serde_json::from_value(traits).unwrap_or_default();
        let counts = recent_counts(pool, account_id, WINDOWS_REMEMBERED).await;
        windows = counts.unwrap_or_default();
        if let Err(error @ LoadError::Impossible(_)) = accounts::check(pool, account_id).await {
            findings.push(Finding::problem(&error).check("sync state"));
        }
        let standing = problems::standing(pool, account_id).await.into_iter().flatten();
        findings.extend(standing.map(|problem| Finding::problem(problem).check("known problems")));
    }
    let until = sync::head(now, settle);
    let reached = sync::reach(api, until, tally).await;
    findings.extend(reach::steps(api.account(), &reached, now));
    findings.extend(api.clock_skew().map(clocks_and_disks::api_clock));
    let Ok(day) = reached else { return };
    let week = sync::reach_week(api, until, tally).await;
    findings.push(longest_window(&week, &profile).check("longest window"));
    let reached: Vec<Reached> = std::iter::once(day).chain(week.ok()).collect();
    let Some(window) = sync::worth_probing(&windows, &reached) else {
        return;
    };
    match sync::probe(api, window, tally).await {
        Ok(probe) => {
            findings.extend(paging(&probe, &profile));
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

const UNKNOWN: &str = "unknown yet, there is too little data: found out while loading";
const NOW: &str = "seen now";
const LEDGER: &str = "learned by earlier runs";

fn longest_window(week: &Result<Reached, ApiError>, ledger: &ApiProfile) -> Finding {
    let learned = ledger.longest_window_seconds.map(|seconds| seconds / 3_600);
    match (week, learned) {
        (Ok(_), None) => Finding::ok(format!("7 days are accepted, as documented ({NOW})")),
        (Ok(_), Some(hours)) => Finding::warning(format!(
            "7 days are accepted ({NOW}), but earlier runs were refused and request {hours} hours at most"
        ))
        .explanation("more requests than needed where there are few interactions; nothing is lost"),
        (Err(ApiError::Unaccepted { .. }), learned) => {
            let found = learned.map_or_else(
                || format!("7 days are refused ({NOW}): they are too many, or begin before what is served"),
                |hours| format!("7 days are refused ({NOW}); runs request {hours} hours at most ({LEDGER})"),
            );
            Finding::warning(found).explanation(
                "runs find out by themselves what is accepted; more requests where there are few interactions",
            )
        }
        (Err(error), _) => Finding::warning(format!("unknown yet: {}", chain(error))).remedy(error.remedy()),
    }
}

fn paging(probe: &Probe, ledger: &ApiProfile) -> Vec<Finding> {
    let now = &probe.profile;
    let mut findings = vec![
        totals(now, ledger).check("totals"),
        offset_unit(now, ledger).check("offset"),
        page_size(now, ledger).check("page size"),
        pages(now, ledger).check("pages served"),
    ];
    if probe.rows_move {
        findings.push(
            Finding::warning(format!("two pages of one window share interactions ({NOW})"))
                .explanation(
                    "records shift while they are read: windows are read again until the record count fits, shorter ones if it never does",
                )
                .remedy("nothing, if interactions were just beginning; else ask the vendor for a stable order")
                .check("paging"),
        );
    }
    findings
}

/// What is seen now wins over earlier runs.
fn known<T: PartialEq + Copy>(now: Option<T>, ledger: Option<T>) -> Option<(T, String)> {
    match (now, ledger) {
        (Some(now), Some(before)) if now != before => Some((
            now,
            format!("{NOW}; earlier runs learned otherwise, the next run learns it again"),
        )),
        (Some(now), _) => Some((now, NOW.to_owned())),
        (None, Some(ledger)) => Some((ledger, LEDGER.to_owned())),
        (None, None) => None,
    }
}

fn totals(now: &ApiProfile, ledger: &ApiProfile) -> Finding {
    // Detecting `Other` takes whole windows.
    let now = now
        .num_results
        .filter(|_| ledger.num_results != Some(NumResults::Other));
    let Some((num_results, from)) = known(now, ledger.num_results) else {
        return Finding::ok(UNKNOWN);
    };
    let without_totals = |finding: Finding| {
        finding.explanation(
            "a window is complete once its last page is not full; one that holds too much is only known after all of \
             its pages, so loading takes more requests",
        )
    };
    match num_results {
        NumResults::Total => Finding::ok(format!("numResults is the number of all records of a window ({from})"),
        )
        .explanation("the first page tells whether a window holds too much, and the total proves that nothing is missing"),
        NumResults::Page => {
            without_totals(Finding::ok(format!("numResults only counts the page ({from})")))
        }
        NumResults::Absent => without_totals(Finding::ok(format!("there is no numResults ({from})"))),
        NumResults::Other => without_totals(Finding::warning(format!("numResults is more than a window returns ({from})"),
        ))
        .remedy("ask the vendor what numResults counts: perhaps records that the app may not see"),
    }
}

fn offset_unit(now: &ApiProfile, ledger: &ApiProfile) -> Finding {
    match known(now.offset_unit, ledger.offset_unit) {
        None => Finding::ok(UNKNOWN),
        Some((OffsetUnit::Pages, from)) => {
            Finding::ok(format!("offset counts pages, as documented ({from})"))
        }
        Some((OffsetUnit::Records, from)) => {
            Finding::warning(format!("offset counts records, not pages ({from})")).explanation(
                "pages are requested accordingly; if the API also keeps its documented limit of 10 for the offset, \
                 only one page of a window is served and loading takes more requests",
            )
        }
    }
}

fn page_size(now: &ApiProfile, ledger: &ApiProfile) -> Finding {
    match known(now.page_size, ledger.page_size) {
        None => Finding::ok(format!("{PAGE_SIZE} records, as far as is known")),
        Some((size, from)) => Finding::warning(format!(
            "a page has {size} records at most, {PAGE_SIZE} are requested ({from})"
        ))
        .explanation("windows are split accordingly, so loading takes more requests; nothing is lost"),
    }
}

fn pages(now: &ApiProfile, ledger: &ApiProfile) -> Finding {
    let all = LAST_OFFSET + 1;
    let from = |is_now: bool| if is_now { NOW } else { LEDGER };
    if let Some(refused) = now.refused_page.or(ledger.refused_page) {
        let from = from(now.refused_page.is_some());
        let records = refused.max(1) * now.page_size.or(ledger.page_size).unwrap_or(PAGE_SIZE);
        return Finding::warning(format!("page {} of a window is not served, of {all} documented ({from})", refused + 1),
        )
        .explanation(format!(
            "windows are split to hold {records} records at most, so loading takes more requests; nothing is lost"
        ));
    }
    match now.deepest_page.max(ledger.deepest_page) {
        0 => Finding::ok(UNKNOWN),
        deepest => {
            let from = from(now.deepest_page == deepest);
            Finding::ok(format!("{} of {all} at least ({from})", deepest + 1))
        }
    }
}
