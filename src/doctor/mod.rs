//! Checks everything, changes nothing, takes no lease.

mod account;
mod clocks_and_disks;
mod database;
mod reach;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::ledger::problems::{Failure, Problem, Severity};
use crate::time::Clock;

pub async fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Report {
    let mut report = Report::default();
    report.findings.extend(configuration(config));
    let database = database::examine(config, clock.as_ref(), &mut report.findings).await;
    for account in &config.accounts {
        let pool = database.as_ref().map(|database| &database.pool);
        account::examine(account, config.sync.settle, pool, clock, &mut report).await;
    }
    if let Some(database) = database {
        database.close().await;
    }
    report
}

fn configuration(config: &Config) -> Vec<Finding> {
    let names: Vec<&str> = config
        .accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    let accounts = if names.is_empty() {
        Finding::failed("it can be read, but no account is configured")
            .remedy("set accounts.<name>.base_url, .account_id, .stream_id and credentials")
    } else {
        Finding::ok(format!("accounts: {}", names.join(", ")))
    };
    let mut findings = vec![accounts.check("configuration")];
    if !config.trimmed_secrets.is_empty() {
        let keys = config.trimmed_secrets.join(", ");
        let found = format!("used without the white space or the byte order mark around it: {keys}");
        findings.push(Finding::ok(found).check("secrets"));
    }
    findings
}

#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub status: Severity,
    pub check: &'static str,
    pub account: Option<String>,
    pub found: String,
    pub explanation: Option<String>,
    pub remedy: Option<String>,
    #[serde(skip)]
    failure: Failure,
}

impl Finding {
    pub(super) fn new(status: Severity, found: impl Into<String>) -> Self {
        Self {
            status,
            check: "",
            account: None,
            found: found.into(),
            explanation: None,
            remedy: None,
            failure: Failure::Other,
        }
    }

    pub(crate) fn ok(found: impl Into<String>) -> Self {
        Self::new(Severity::Ok, found)
    }

    pub(super) fn warning(found: impl Into<String>) -> Self {
        Self::new(Severity::Warning, found)
    }

    pub(super) fn failed(found: impl Into<String>) -> Self {
        Self::new(Severity::Failed, found)
    }

    pub(crate) fn problem(problem: impl Into<Problem>) -> Self {
        let problem = problem.into();
        Self {
            failure: problem.failure(),
            ..Self::new(problem.severity, problem.text).remedy(problem.remedy)
        }
    }

    pub(crate) fn check(mut self, check: &'static str) -> Self {
        self.check = check;
        self
    }

    pub(crate) fn explanation(mut self, explanation: impl Into<String>) -> Self {
        self.explanation = Some(explanation.into());
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn of(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }
}

#[derive(Debug, Default)]
pub struct Report {
    /// In order of the checks.
    pub findings: Vec<Finding>,
    pub requests: u64,
}

impl Report {
    pub fn failures(&self) -> impl Iterator<Item = Failure> {
        let failed = self
            .findings
            .iter()
            .filter(|finding| finding.status == Severity::Failed);
        failed.map(|finding| finding.failure)
    }

    pub fn to_json(&self) -> Value {
        json!({ "checks": self.findings, "requests": self.requests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_report_has_every_public_field_of_a_finding() {
        let refused = Problem::failed("api_refused", "refused", "check it");
        let report = Report {
            findings: vec![Finding::problem(refused).check("sign-in").of("main")],
            requests: 2,
        };
        let expected = json!({
            "checks": [{
                "status": "failed",
                "check": "sign-in",
                "account": "main",
                "found": "refused",
                "explanation": null,
                "remedy": "check it",
            }],
            "requests": 2,
        });
        assert_eq!(report.to_json(), expected);
        assert_eq!(report.failures().collect::<Vec<_>>(), [Failure::Refused]);
    }
}
