//! Checks an account, and how its API pages.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::config::AccountConfig;
use crate::extract::{ApiClient, LAST_OFFSET, PAGE_SIZE, Tally};
use crate::ledger::problems;
use crate::ledger::{LoadError, accounts, leases, recent_counts};
use crate::postgres::Pool;
use crate::sync::{self, ApiProfile, NumResults, OffsetUnit, Probe, TimeZoneVerdict};
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
            let mut findings = Vec::new();
            look(&api, (clock.now(), settle), pool, (&tally, &mut findings)).await;
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
    match sync::probe(api, sync::worth_probing(&windows, &day), tally).await {
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

fn paging(probe: &Probe, earlier: &ApiProfile) -> Vec<Finding> {
    let profile = probe.profile.or(earlier);
    let mut findings = vec![
        totals(&profile).check("totals"),
        offset_unit(&profile).check("offset"),
        page_size(&profile).check("page size"),
        pages(&profile).check("pages served"),
    ];
    if probe.rows_move {
        findings.push(
            Finding::warning("two pages of one window share interactions")
                .explanation(
                    "records shift while they are read: windows are read again until the record count fits, shorter ones if it never does",
                )
                .remedy("nothing, if interactions were just beginning; else ask the vendor for a stable order")
                .check("paging"),
        );
    }
    findings
}

fn totals(profile: &ApiProfile) -> Finding {
    let without_totals = |finding: Finding| {
        finding.explanation(
            "a window is complete once its last page is not full; one that holds too much is only known after all of \
             its pages, so loading takes more requests",
        )
    };
    match profile.num_results {
        None => Finding::ok(UNKNOWN),
        Some(NumResults::Total) => Finding::ok("numResults is the number of all records of a window")
        .explanation("the first page tells whether a window holds too much, and the total proves that nothing is missing"),
        Some(NumResults::Page) => without_totals(Finding::ok("numResults only counts the page")),
        Some(NumResults::Absent) => without_totals(Finding::ok("there is no numResults")),
        Some(NumResults::Other) => {
            without_totals(Finding::warning("numResults is more than a window returns"))
                .remedy("ask the vendor what numResults counts: perhaps records that the app may not see")
        }
    }
}

fn offset_unit(profile: &ApiProfile) -> Finding {
    match profile.offset_unit {
        None => Finding::ok(UNKNOWN),
        Some(OffsetUnit::Pages) => Finding::ok("offset counts pages, as documented"),
        Some(OffsetUnit::Records) => Finding::warning("offset counts records, not pages").explanation(
            "pages are requested accordingly; if the API also keeps its documented limit of 10 for the offset, \
             only one page of a window is served and loading takes more requests",
        ),
    }
}

fn page_size(profile: &ApiProfile) -> Finding {
    match profile.page_size {
        None => Finding::ok(format!("{PAGE_SIZE} records, as far as is known")),
        Some(size) => Finding::warning(format!(
            "a page has {size} records at most, {PAGE_SIZE} are requested"
        ))
        .explanation("windows are split accordingly, so loading takes more requests; nothing is lost"),
    }
}

fn pages(profile: &ApiProfile) -> Finding {
    let all = LAST_OFFSET + 1;
    if let Some(refused) = profile.refused_page {
        let records = refused.max(1) * profile.page_size.unwrap_or(PAGE_SIZE);
        return Finding::warning(format!("page {} of a window is not served, of {all} documented", refused + 1),
        )
        .explanation(format!(
            "windows are split to hold {records} records at most, so loading takes more requests; nothing is lost"
        ));
    }
    match profile.deepest_page {
        0 => Finding::ok(UNKNOWN),
        deepest => Finding::ok(format!("{} of {all} at least", deepest + 1)),
    }
}
