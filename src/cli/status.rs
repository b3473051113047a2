//! `status`: the state of each account.

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::ledger::LoadError;
use crate::postgres::Database;
use crate::status::board::{self, AccountBoard, Board, BudgetLine, ConfiguredAccount, Scope};
use crate::status::calendar::CellState;
use crate::status::concern::{Level, Standing};
use crate::telemetry::{grouped, plural, second, span};
use crate::time::clock::{Clock, SystemClock};

use super::exit::CommandError;
use super::layout::hanging;
use super::output::print;
use super::paint::{FAILED, HEADING, OK, WARNING, painted};

const DAYS: usize = 30;

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
    let gathered = board::gather(&database.pool, &known, &config.sync, now, Scope::Whole).await;
    database.close().await;
    let board = gathered.map_err(|error| {
        if is_empty_database(&error) {
            CommandError::other(
                "the database does not hold the tables of this version yet; run `smartassist-etl sync` first (or `migrate`)",
            )
        } else {
            error.into()
        }
    })?;
    let text = if as_json {
        serde_json::to_string_pretty(&board).map_err(CommandError::other)? + "\n"
    } else {
        lay_out(&board)
    };
    print(&text)?;
    Ok(())
}

fn is_empty_database(error: &LoadError) -> bool {
    matches!(error, LoadError::Database(error) if crate::postgres::is_undefined(error))
}

fn lay_out(board: &Board) -> String {
    if board.accounts.is_empty() && board.not_begun.is_empty() {
        return "No account has been loaded yet. Run `smartassist-etl sync`.\n".to_owned();
    }
    let accounts = board.accounts.iter().map(|account| {
        let facts = facts(account, board.at)
            .into_iter()
            .map(|(name, value)| format!("  {name:<18} {}\n", hanging(&value, VALUE_AT)));
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
    let word = account.standing.word();
    let word = match account.standing {
        Standing::Complete | Standing::CatchingUp => painted(OK, word),
        Standing::Warning => painted(WARNING, word),
        Standing::Trouble => painted(FAILED, word),
    };
    let status = &account.status;
    let mut text = format!(
        "{} ({}): {word}\n",
        painted(HEADING, &status.name),
        status.account_id
    );
    for concern in &account.concerns {
        let what = hanging(&concern.what, 4);
        text += &match concern.level {
            Level::Note => format!("  . {what}\n"),
            Level::Warning => painted(WARNING, format!("  ! {what}")) + "\n",
            Level::Failed => painted(FAILED, format!("  x {what}")) + "\n",
        };
        text += &format!("    -> {}\n", hanging(&concern.remedy, 7));
    }
    text
}

fn wanted_from(account: &AccountBoard) -> String {
    let status = &account.status;
    let from = second(status.start_from);
    match status.served_from {
        Some(served) if served == status.start_from => format!("{from} (the API serves nothing older)"),
        Some(served) => format!("{from} (the API serves nothing before {})", second(served)),
        None => from,
    }
}

fn facts(account: &AccountBoard, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let status = &account.status;
    let mut facts = vec![
        ("complete through", complete_through(account)),
        ("settled through", settled_through(account)),
        ("lag", span(status.lag_seconds)),
        ("wanted from", wanted_from(account)),
        ("last poll", last_poll(account, now)),
    ];
    facts.extend(account.work.iter().map(|work| ("doing now", work.words(now))));
    if account.work.is_empty() {
        facts.push(("doing now", "nothing".to_owned()));
    }
    facts.extend([
        ("request budget", budget(account)),
        ("interactions", grouped(status.interactions)),
        (
            "holes",
            none_or(status.holes, "stretch not read", "stretches not read"),
        ),
        (
            "gaps",
            none_or(status.gaps, "stretch", "stretches") + &where_to_look(status.gaps, "gaps"),
        ),
        (
            "rejected, waiting",
            none_or(status.rejected_waiting, "record", "records"),
        ),
        (
            "unknown fields",
            none_or(status.drifted_fields, "field", "fields")
                + &where_to_look(status.drifted_fields, "schema_drift"),
        ),
        ("last run", last_run(account)),
    ]);
    facts.extend(details(account));
    if let Some(error) = &status.last_run_error {
        facts.push(("last error", error.clone()));
    }
    let worker = status.lease_holder.as_deref().unwrap_or("none");
    facts.push(("worker now", worker.to_owned()));
    facts
}

fn details(account: &AccountBoard) -> Vec<(&'static str, String)> {
    let (Some(details), Some(cells)) = (&account.details, &account.calendar) else {
        return Vec::new();
    };
    let newest = &cells[cells.len().saturating_sub(DAYS)..];
    let signs: String = newest.iter().map(|cell| sign(cell.state)).collect();
    let legend = "# drained, + partial, ! gap, ? not read yet, . not wanted";
    let mut facts = vec![("last 30 days", format!("{signs} ({legend})"))];
    facts.extend(details.rejected.iter().map(|waiting| {
        let records = plural(waiting.records, "record", "records");
        ("rejected because", format!("{}: {records}", waiting.reason))
    }));
    facts
}

fn sign(state: CellState) -> char {
    match state {
        CellState::Drained => '#',
        CellState::Partial => '+',
        CellState::Gap => '!',
        CellState::Unread => '?',
        CellState::NotWanted => '.',
    }
}

fn none_or(number: i64, one: &str, many: &str) -> String {
    if number == 0 {
        "none".to_owned()
    } else {
        plural(number, one, many)
    }
}

fn where_to_look(number: i64, table: &str) -> String {
    if number == 0 {
        String::new()
    } else {
        format!(", see smartassist_sync.{table}")
    }
}

fn complete_through(account: &AccountBoard) -> String {
    if account.has_loaded() {
        second(account.status.watermark)
    } else {
        "nothing yet".to_owned()
    }
}

fn settled_through(account: &AccountBoard) -> String {
    if account.has_settled() {
        second(account.status.settled_through)
    } else {
        "nothing yet".to_owned()
    }
}

fn last_poll(account: &AccountBoard, now: DateTime<Utc>) -> String {
    account.status.last_polled_at.map_or_else(
        || "none yet".to_owned(),
        |at| format!("{} ({} ago)", second(at), span((now - at).num_seconds())),
    )
}

fn budget(account: &AccountBoard) -> String {
    if account.budget.is_empty() {
        let requests = plural(account.status.requests_last_minute, "request", "requests");
        return format!("{requests} in the last minute");
    }
    let lines = account.budget.iter().map(BudgetLine::words);
    lines.collect::<Vec<_>>().join(", ")
}

fn last_run(account: &AccountBoard) -> String {
    let status = &account.status;
    match (
        &status.last_run_kind,
        &status.last_run_status,
        status.last_run_started_at,
    ) {
        (Some(kind), Some(outcome), Some(at)) => format!("{kind} {outcome}, began {}", second(at)),
        _ => "none yet".to_owned(),
    }
}
