use std::fmt::Write;
use std::sync::Arc;

use crate::config::Config;
use crate::doctor::{self, Finding, Report};
use crate::ledger::problems::Severity;
use crate::time::clock::{Clock, SystemClock};

use super::exit::CommandError;
use super::output::{FAILED, HEADING, OK, WARNING, hanging, painted, print_report};

/// Columns.
const FOUND_AT: usize = 9;
const ADVICE_AT: usize = FOUND_AT + 8;

pub(super) async fn doctor(config: &Config, as_json: bool) -> Result<(), CommandError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let report = doctor::examine(config, &clock).await;
    print_report(as_json, &report.to_json(), || to_text(&report))?;
    let worst = report.failures().max();
    worst.map_or(Ok(()), |failure| Err(CommandError::Found(failure)))
}

fn to_text(report: &Report) -> String {
    let mut text: String = report.findings.iter().map(finding_to_text).collect();
    let count = |severity| {
        let findings = report
            .findings
            .iter()
            .filter(|finding| finding.status == severity);
        findings.count()
    };
    let summary = format!(
        "{} checks: {} ok, {} with a warning, {} failed",
        report.findings.len(),
        count(Severity::Ok),
        count(Severity::Warning),
        count(Severity::Failed)
    );
    let requests = match report.requests {
        1 => "1 request to the API was made for this. It counts against the account's request budget."
            .to_owned(),
        requests => format!(
            "{requests} requests to the API were made for this. They count against the accounts' request budgets."
        ),
    };
    let _ = writeln!(text, "\n{}\n{}", painted(HEADING, summary), hanging(&requests, 0));
    text
}

fn finding_to_text(finding: &Finding) -> String {
    let style = match finding.status {
        Severity::Ok => OK,
        Severity::Warning => WARNING,
        Severity::Failed => FAILED,
    };
    let account = finding.account.as_ref();
    let account = account.map(|account| format!("{account}: ")).unwrap_or_default();
    let found = format!("{account}{}: {}", finding.check, finding.found);
    let status = painted(style, format_args!("{:<FOUND_AT$}", finding.status.as_str()));
    let mut text = format!("{status}{}\n", hanging(&found, FOUND_AT));
    for (word, advice) in [("means:", &finding.explanation), ("remedy:", &finding.remedy)] {
        if let Some(advice) = advice {
            let _ = writeln!(text, "{:FOUND_AT$}{word:<8}{}", "", hanging(advice, ADVICE_AT));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use crate::ledger::problems::Problem;

    fn report() -> Report {
        let remedy =
            "check client_id, client_secret, account_id and stream_id, and that the app has the scope";
        let rejected = Problem::failed("api_refused", "the API rejected us", remedy);
        let failed = Finding::problem(rejected)
            .explanation("nothing is loaded for this account")
            .check("sign-in");
        Report {
            findings: vec![Finding::ok("it answers").check("database"), failed.of("main")],
            requests: 2,
        }
    }

    #[test]
    fn a_finding_is_a_line_with_what_it_means_and_what_to_do_below() {
        assert_eq!(
            strip_str(&to_text(&report())).to_string(),
            "\
ok       database: it answers
failed   main: sign-in: the API rejected us
         means:  nothing is loaded for this account
         remedy: check client_id, client_secret, account_id and stream_id, and
                 that the app has the scope

2 checks: 1 ok, 0 with a warning, 1 failed
2 requests to the API were made for this. They count against the accounts'
request budgets.
"
        );
    }
}
