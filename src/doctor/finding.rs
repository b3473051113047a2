//! What a check found, and how it is shown.

use std::fmt::Write;

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
    status: Level,
    check: &'static str,
    account: Option<String>,
    found: String,
    means: Option<String>,
    remedy: Option<String>,
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

    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(Level::Ok, check, found)
    }

    pub(super) fn warning(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(Level::Warning, check, found)
    }

    pub(super) fn failed(check: &'static str, found: impl Into<String>, failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::new(Level::Failed, check, found)
        }
    }

    pub(super) fn means(mut self, means: impl Into<String>) -> Self {
        self.means = Some(means.into());
        self
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(super) fn of(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    requests: u64,
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

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            finding.render(&mut text);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\n{} requests to the API were made for this. They count against the accounts' request budgets.",
            self.requests
        );
        text
    }
}

impl Finding {
    fn render(&self, text: &mut String) {
        let status = match self.status {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Failed => "failed",
        };
        let account = self
            .account
            .as_ref()
            .map_or_else(String::new, |account| format!("{account}: "));
        let _ = writeln!(text, "{status:<8} {account}{}: {}", self.check, self.found);
        for (word, line) in [("means", &self.means), ("remedy", &self.remedy)] {
            if let Some(line) = line {
                let _ = writeln!(text, "           {word}: {line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_with_what_it_means_and_what_to_do() {
        let mut report = Report::default();
        report.add(Finding::ok("database", "it answers"));
        let failed = Finding::failed("sign-in", "refused", Failure::Refused)
            .means("nothing is loaded")
            .remedy("check it");
        report.add(failed.of("main"));
        report.add_requests(2);
        assert_eq!(
            report.to_text(),
            "ok       database: it answers\nfailed   main: sign-in: refused\n           means: nothing is loaded\n           \
             remedy: check it\n\n2 requests to the API were made for this. They count against the accounts' request budgets.\n"
        );
        assert_eq!(report.to_json()["checks"][1]["status"], "failed");
        assert_eq!(report.failures().collect::<Vec<_>>(), [Failure::Refused]);
    }
}
