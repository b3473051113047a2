//! What a check found.

use serde::Serialize;
use serde_json::{Value, json};

use crate::sync::Failure;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be, or nothing to be done about it.
    Ok,
    /// It works, but somebody should know.
    Warning,
    /// It has to be mended.
    Failed,
}

/// What one check found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub status: Level,
    /// What was looked at.
    pub check: &'static str,
    /// Whose it is, where it is one account's.
    pub account: Option<String>,
    /// What was seen.
    pub found: String,
    /// What comes of it, where that is not plain.
    pub means: Option<String>,
    /// What to do about it, where there is something.
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

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Report {
    /// What each check found, in the order in which they were made.
    pub findings: Vec<Finding>,
    /// Requests to the API that this took.
    pub requests: u64,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn add_requests(&mut self, requests: u64) {
        self.requests += requests;
    }

    /// Whose fault the failed checks are, in the order in which they were made.
    pub fn failures(&self) -> impl Iterator<Item = Failure> {
        self.findings.iter().filter_map(|finding| finding.failure)
    }

    /// For programs.
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
