//! Results of checks.

use serde::Serialize;
use serde_json::{Value, json};

use crate::sync::Failure;

/// Severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing needs doing.
    Ok,
    /// The operator should know.
    Warning,
    /// Must be fixed.
    Failed,
}

/// Result of one check.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Its severity.
    pub status: Level,
    /// What was checked.
    pub check: &'static str,
    /// The account, if any.
    pub account: Option<String>,
    /// What was seen.
    pub found: String,
    /// The consequence.
    pub means: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    #[serde(skip)]
    failure: Option<Failure>,
}

impl Finding {
    fn new(status: Level, check: &'static str, found: impl Into<String>) -> Self {
        Self {
            status,
            check,
            account: None,
            found: found.into(),
            means: None,
            remedy: None,
            failure: None,
        }
    }

    pub(crate) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(Level::Ok, check, found)
    }

    pub(super) fn warning(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(Level::Warning, check, found)
    }

    pub(crate) fn failed(check: &'static str, found: impl Into<String>, failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::new(Level::Failed, check, found)
        }
    }

    pub(crate) fn means(mut self, means: impl Into<String>) -> Self {
        self.means = Some(means.into());
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

/// Results of all checks.
#[derive(Debug, Default)]
pub struct Report {
    /// In order of the checks.
    pub findings: Vec<Finding>,
    /// API requests sent.
    pub requests: u64,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn add_requests(&mut self, requests: u64) {
        self.requests += requests;
    }

    /// Causes of failed checks.
    pub fn failures(&self) -> impl Iterator<Item = Failure> {
        self.findings.iter().filter_map(|finding| finding.failure)
    }

    /// The report as JSON.
    pub fn to_json(&self) -> Value {
        json!({ "checks": self.findings, "requests": self.requests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_read_every_field_of_a_finding_but_for_whose_fault_it_is() {
        let mut report = Report::default();
        let failed = Finding::failed("sign-in", "refused", Failure::Refused).remedy("check it");
        report.add(failed.of("main"));
        report.add_requests(2);
        let expected = json!({
            "checks": [{
                "status": "failed",
                "check": "sign-in",
                "account": "main",
                "found": "refused",
                "means": null,
                "remedy": "check it",
            }],
            "requests": 2,
        });
        assert_eq!(report.to_json(), expected);
        assert_eq!(report.failures().collect::<Vec<_>>(), [Failure::Refused]);
    }
}
