use crate::config::Config;
use crate::ledger::LoadError;
use crate::ledger::problems::Severity;
use crate::postgres::{self, Database};
use crate::status::board::{self, AccountBoard, Board, ConfiguredAccount, Scope};
use crate::status::calendar::DayState;
use crate::status::facts::{self, Fact};
use crate::status::problems::Standing;
use crate::time::clock::{Clock, SystemClock};

use super::exit::CommandError;
use super::output::{FAILED, HEADING, OK, WARNING, hanging, painted, print_report};

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
    let scope = if as_json {
        Scope::Whole
    } else {
        Scope::Few(usize::MAX)
    };
    let gathered = board::gather(&database.pool, &known, &config.sync, now, scope).await;
    database.close().await;
    let board = gathered.map_err(|error| match &error {
        LoadError::Database(undefined) if postgres::is_undefined(undefined) => CommandError::other(
            "the database does not hold the tables of this version yet; run `smartassist-etl sync` first (or `migrate`)",
        ),
        _ => error.into(),
    })?;
    print_report(as_json, &board, || to_text(&board))
}

fn to_text(board: &Board) -> String {
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
