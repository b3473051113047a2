//! A verification of whole days, and what it has found so far.

use chrono::TimeDelta;
use smartassist_etl::ledger::Purpose;
use smartassist_etl::ledger::requests::NewRequest;
use smartassist_etl::sync::{self, AccountContext, DayComparison, RunReport};
use smartassist_etl::time::Window;
use tokio_util::sync::CancellationToken;

pub(crate) struct Verification {
    range: Window,
    by_identity: bool,
    days: Vec<DayComparison>,
}

impl Verification {
    pub(crate) fn of(range: Window) -> Self {
        Self {
            range,
            by_identity: false,
            days: Vec::new(),
        }
    }

    pub(crate) fn demand_identity(&mut self) {
        self.by_identity = true;
    }

    /// As far as it is loaded.
    pub(crate) fn range(&self) -> Window {
        self.range
    }

    pub(crate) fn compared(&self) -> impl Iterator<Item = &DayComparison> {
        self.days.iter()
    }
}

pub(crate) trait Verifies {
    async fn verify(&self, verification: &mut Verification, stop: &CancellationToken) -> RunReport;
}

impl Verifies for AccountContext {
    async fn verify(&self, verification: &mut Verification, stop: &CancellationToken) -> RunReport {
        verification.range = sync::loaded(self, verification.range).await.unwrap();
        let ranges = [verification.range];
        let wish = NewRequest {
            due_for: Some(TimeDelta::zero()),
            by_identity: verification.by_identity,
            ..NewRequest::of(Purpose::Verify, &ranges)
        };
        let (request, report) = sync::fulfil(self, &wish, stop).await;
        if let Some(request) = request {
            verification.days = sync::compared(self, request).await.unwrap();
        }
        report
    }
}
