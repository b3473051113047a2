//! Commands that look and change nothing: `status`, `doctor`, `healthcheck`.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Config;
use crate::doctor::{self, Finding, Report};
use crate::ledger::LoadError;
use crate::ledger::problems::Severity;
use crate::postgres::{self, Database};
use crate::status::calendar::{DayState, MOST_DAYS, RECENT_DAYS};
use crate::status::facts::{self, Fact};
use crate::status::problems::Standing;
use crate::status::{AccountBoard, Board, ConfiguredAccount, gather};
use crate::time::{Clock, SystemClock};

use super::output::{FAILED, HEADING, OK, WARNING, hanging, painted, print_report};
use super::process::CommandError;

const DAYS_SHOWN: usize = 30;

const VALUE_AT: usize = 21;

pub(super) async fn status(config: &Config, as_json: bool) -> Result<(), CommandError> {
    if !Database::is_made(config) {
        // `status` must not create a server.
        return Err(CommandError::other(
            "nothing has been loaded yet; run `smartassist-etl sync` first",
        ));
    }
    let database = Database::open(config).await?;
    let now = SystemClock.now();
    let known = ConfiguredAccount::of_config(config);
    let days = if as_json { MOST_DAYS } else { RECENT_DAYS };
    let gathered = gather(&database.pool, &known, &config.sync, now, Some(days)).await;
    database.close().await;
    let board = gathered.map_err(|error| match &error {
        LoadError::Database(undefined) if postgres::is_undefined(undefined) => CommandError::other(
            "the database does not hold the tables of this version yet; run `smartassist-etl sync` first (or `migrate`)",
        ),
        _ => error.into(),
    })?;
    print_report(as_json, &board, || board_to_text(&board))
}

fn board_to_text(board: &Board) -> String {
    if board.accounts.is_empty() && board.not_begun.is_empty() {
        return "No account has been loaded yet. Run `smartassist-etl sync`.\n".to_owned();
    }
    let accounts = board.accounts.iter().map(|account| {
        let facts = facts::of(account, board.at).into_iter().chain(last_days(account));
        let facts =
            facts.map(|Fact { name, value, .. }| format!("  {name:<18} {}\n", hanging(&value, VALUE_AT)));
        heading(account) + &facts.collect::<String>()
    });
    let not_begun = board.not_begun.iter().map(|name| {
        format!(
            "{}: nothing loaded yet, its first run has not begun\n",
            painted(HEADING, name)
        )
    });
    accounts.chain(not_begun).collect::<Vec<_>>().join("\n")
}

fn heading(account: &AccountBoard) -> String {
    let style = match account.standing {
        Standing::Complete | Standing::CatchingUp => OK,
        Standing::Warning => WARNING,
        Standing::Trouble => FAILED,
    };
    let status = &account.status;
    let mut text = format!(
        "{} ({}): {}\n",
        painted(HEADING, &status.name),
        status.account_id,
        painted(style, account.standing.word())
    );
    for problem in &account.problems {
        let (style, sign) = match problem.severity {
            Severity::Failed => (FAILED, 'x'),
            Severity::Warning | Severity::Ok => (WARNING, '!'),
        };
        text += &painted(style, format!("  {sign} {}", hanging(&problem.text, 4)));
        text += &format!("\n    -> {}\n", hanging(&problem.remedy, 7));
    }
    text
}

fn last_days(account: &AccountBoard) -> Option<Fact> {
    let cells = account.calendar.as_ref()?;
    let newest = &cells[cells.len().saturating_sub(DAYS_SHOWN)..];
    let signs: String = newest.iter().map(|cell| cell.state.look().sign).collect();
    let legend = DayState::ALL
        .map(DayState::look)
        .map(|look| format!("{} {}", look.sign, look.word));
    Some(Fact {
        name: "last 30 days",
        value: format!("{signs} ({})", legend.join(", ")),
        percent: None,
    })
}

/// Columns.
const FOUND_AT: usize = 9;
const ADVICE_AT: usize = FOUND_AT + 8;

pub(super) async fn doctor(config: &Config, as_json: bool) -> Result<(), CommandError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let report = doctor::examine(config, &clock).await;
    print_report(as_json, &report.to_json(), || report_to_text(&report))?;
    let worst = report.failures().max();
    worst.map_or(Ok(()), |failure| Err(CommandError::Found(failure)))
}

fn report_to_text(report: &Report) -> String {
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

const TIMEOUT: Duration = Duration::from_secs(3);

/// Every failure is exit code 1: container engines know no other.
pub(super) async fn healthcheck(file: Option<&Path>) -> Result<(), CommandError> {
    let address = reachable(Config::load_bind(file).map_err(CommandError::other)?);
    let failed =
        |why: String| CommandError::other(format!("no live daemon at http://{address}/healthz: {why}"));
    match tokio::time::timeout(TIMEOUT, status_line(address)).await {
        Ok(Ok(line)) if line.contains(" 200 ") => Ok(()),
        Ok(Ok(line)) => Err(failed(format!("it answered {line:?}"))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {} seconds", TIMEOUT.as_secs()))),
    }
}

fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bind.port())
}

/// An HTTP client would load root certificates each time.
async fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(1_024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
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
            strip_str(&report_to_text(&report())).to_string(),
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
