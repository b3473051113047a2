//! Gauges of accounts, read from the ledger so that standbys show the same.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::config::BudgetSpan;
use crate::ledger::problems::ProblemCode;
use crate::ledger::status::{AccountStatus, RequestStatus};
use crate::sync::AccountContext;
use crate::telemetry::{metrics, show};

use super::board::Board;

/// Keeps the last board for when the database fails.
#[derive(Debug, Default)]
pub struct Gauges(Mutex<Option<(Instant, Board)>>);

impl Gauges {
    /// `board` is `None` if it could not be read.
    pub fn show<'a>(
        &self,
        board: Option<Board>,
        workers: impl Iterator<Item = &'a AccountContext>,
        now: DateTime<Utc>,
    ) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_read = board.is_some();
        if let Some(board) = board {
            *last = Some((Instant::now(), board));
        }
        let accounts = last.iter().flat_map(|(_, board)| &board.accounts);
        let accounts: Vec<&AccountStatus> = accounts.map(|account| &account.status).collect();
        for worker in workers {
            show_worker(worker);
            let account_id = &worker.api.account().account_id;
            if let Some(account) = accounts.iter().find(|account| account.account_id == *account_id) {
                show_account(account, now);
                // Without the database, no lease is renewed.
                let is_ours = is_read && account.lease_holder.as_ref() == Some(&worker.holder);
                show(metrics::LEASE_HELD, &account.name, i64::from(is_ours));
            }
        }
        if let Some((read_at, _)) = &*last {
            ::metrics::gauge!(metrics::LEDGER_AGE).set(read_at.elapsed().as_secs_f64());
        }
    }
}

fn show_account(account: &AccountStatus, now: DateTime<Utc>) {
    let failed = account.requests.iter().filter_map(RequestStatus::failed_policy);
    let failed_policies = i64::try_from(failed.count()).unwrap_or(i64::MAX);
    for (metric, value) in [
        (metrics::WATERMARK, account.watermark.timestamp()),
        (metrics::SETTLED_THROUGH, account.settled_through.timestamp()),
        (metrics::LAG, (now - account.watermark).num_seconds().max(0)),
        (metrics::GAPS, account.gaps),
        (metrics::INTERACTIONS, account.interactions),
        (metrics::REJECTED_WAITING, account.rejected_waiting),
        (metrics::DRIFTED_FIELDS, account.drifted_fields),
        (metrics::FAILED_POLICIES, failed_policies),
    ] {
        show(metric, &account.name, value);
    }
    if let Some(at) = account.last_polled_at {
        show(metrics::LAST_POLL, &account.name, at.timestamp());
    }
    // All codes, since alerts need a final zero.
    for code in ProblemCode::all() {
        let problem = code.problem();
        let stands = account
            .standing_problems
            .iter()
            .any(|standing| standing.code == problem.code);
        let labels = [
            ("account", account.name.clone()),
            ("code", problem.code),
            ("severity", problem.severity.as_str().to_owned()),
        ];
        ::metrics::gauge!(metrics::PROBLEM, &labels).set(f64::from(u8::from(stands)));
    }
}

fn show_worker(worker: &AccountContext) {
    let name = &worker.api.account().name;
    for (metric, time) in [
        (metrics::STALLED, worker.health().idle_for()),
        (metrics::STALLED_AFTER, worker.stalled_after()),
    ] {
        ::metrics::gauge!(metric, "account" => name.clone()).set(time.as_secs_f64());
    }
    let spent = worker.api.budget_uses();
    for span in BudgetSpan::ALL {
        let of_span = spent.iter().find(|spent| spent.span == span);
        let (used, limit) = of_span.map_or((0, 0), |spent| (spent.used, spent.limit));
        for (metric, requests) in [(metrics::BUDGET_USED, used), (metrics::BUDGET_LIMIT, limit)] {
            let requests = u32::try_from(requests).unwrap_or(u32::MAX);
            ::metrics::gauge!(metric, "account" => name.clone(), "span" => span.as_str()).set(requests);
        }
    }
}
