//! The status page, usable without JavaScript.

mod account;
mod assets;
mod calendar;
mod chart;

use chrono::{DateTime, NaiveDate, Utc};
use maud::{DOCTYPE, Markup, html};

use crate::sync::Problem;

use crate::status::board::{AccountBoard, Board, ConfiguredAccount};
use crate::status::calendar::Cell;
use crate::status::concern::{Concern, Level, Standing};
use crate::telemetry::plural;

pub(super) use assets::{Asset, asset, asset_link};

const RENEW_SECONDS: u32 = 10;
const RENEW_SECONDS_WITHOUT_SCRIPT: u32 = 30;

pub(super) fn overview(board: &Board) -> Markup {
    let (standing, words) = summary(board);
    let mut accounts: Vec<&AccountBoard> = board.accounts.iter().collect();
    accounts.sort_by_key(|account| std::cmp::Reverse(account.standing));
    let body = html! {
        (headline(standing, &words))
        @if accounts.len() > 1 { (account::jumps(&accounts)) }
        @for account in &accounts {
            (account::section(account, board.at))
        }
        @for name in &board.not_begun {
            section.account {
                p { strong { (name) } ": the first run has not begun yet. If this stays, read the daemon's log." }
            }
        }
    };
    document("SmartAssist ETL", &words, Some(board.at), &body)
}

pub(super) fn account(board: &Board, account: &AccountBoard) -> Markup {
    let name = &account.status.name;
    let body = html! {
        nav aria-label="Where you are" { a href="/" { "All accounts" } " / " (name) }
        (headline(account.standing, &format!("{name}: {}", account.standing.word())))
        (account::section(account, board.at))
    };
    document(
        &format!("{name} · SmartAssist ETL"),
        account.standing.word(),
        Some(board.at),
        &body,
    )
}

pub(super) fn day(board: &Board, account: &AccountBoard, day: NaiveDate, hours: &[Cell]) -> Markup {
    let name = &account.status.name;
    let body = html! {
        nav aria-label="Where you are" {
            a href="/" { "All accounts" } " / "
            a href=(account_link(name)) { (name) } " / " (day)
        }
        (calendar::day(account, day, hours, board.at))
    };
    document(
        &format!("{name}, {day} · SmartAssist ETL"),
        "hour by hour",
        Some(board.at),
        &body,
    )
}

pub(super) fn unavailable(words: &str, waiting: Option<&Problem>, known: &[ConfiguredAccount]) -> Markup {
    let problems = known
        .iter()
        .filter_map(|known| Some((&known.name, known.inside.as_ref()?.problem.as_ref()?)));
    let of_account = |name: Option<&str>, problem: &Problem| {
        let what = name.map_or_else(
            || problem.error.clone(),
            |name| format!("{name}: {}", problem.error),
        );
        Concern {
            level: Level::Failed,
            what,
            remedy: problem.remedy.to_owned(),
        }
    };
    let concerns: Vec<Concern> = waiting
        .map(|problem| of_account(None, problem))
        .into_iter()
        .chain(problems.map(|(name, problem)| of_account(Some(name), problem)))
        .collect();
    let body = html! {
        (headline(Standing::Trouble, words))
        (concern_list(&concerns))
        p { "Nothing is lost: what is not loaded meanwhile is read once the database is back. The daemon goes on trying." }
    };
    document("SmartAssist ETL", words, None, &body)
}

pub(super) fn not_found() -> Markup {
    let body = html! {
        h1 { "Nothing here" }
        p { "There is no such account, day or page. " a href="/" { "All accounts" } }
    };
    document("Not found · SmartAssist ETL", "not found", None, &body)
}

pub(super) fn account_link(name: &str) -> String {
    format!("/accounts/{}", in_path(name))
}

pub(super) fn day_link(name: &str, day: NaiveDate) -> String {
    format!("{}/days/{day}", account_link(name))
}

/// RFC 3986.
fn in_path(name: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    name.bytes().map(escape).collect()
}

fn summary(board: &Board) -> (Standing, String) {
    let count = |standing| {
        let alike = board
            .accounts
            .iter()
            .filter(|account| account.standing == standing);
        i64::try_from(alike.count()).unwrap_or(i64::MAX)
    };
    let all = i64::try_from(board.accounts.len()).unwrap_or(i64::MAX);
    let loaded = board.accounts.iter().map(|account| account.standing).max();
    if let [first, ..] = board.not_begun.as_slice()
        && loaded < Some(Standing::Warning)
    {
        return (
            Standing::CatchingUp,
            format!("The first run of {first} has not begun yet"),
        );
    }
    let Some(worst) = board.worst() else {
        return (Standing::CatchingUp, "Nothing has been loaded yet".to_owned());
    };
    let words = match worst {
        Standing::Complete if all == 1 => "All data is complete".to_owned(),
        Standing::Complete => format!("All data of {} is complete", plural(all, "account", "accounts")),
        worst => format!(
            "{} of {} {}",
            count(worst),
            plural(all, "account", "accounts"),
            if count(worst) == 1 {
                singular(worst)
            } else {
                many(worst)
            }
        ),
    };
    (worst, words)
}

fn singular(standing: Standing) -> &'static str {
    match standing {
        Standing::Complete => "is complete",
        Standing::CatchingUp => "is catching up",
        Standing::Warning => "needs a look",
        Standing::Trouble => "is in trouble",
    }
}

fn many(standing: Standing) -> &'static str {
    match standing {
        Standing::Complete => "are complete",
        Standing::CatchingUp => "are catching up",
        Standing::Warning => "need a look",
        Standing::Trouble => "are in trouble",
    }
}

fn headline(standing: Standing, words: &str) -> Markup {
    html! {
        h1.headline.(class(standing)) { (mark(standing)) " " (words) }
    }
}

fn concern_list(concerns: &[Concern]) -> Markup {
    html! {
        @if !concerns.is_empty() {
            ul.concerns {
                @for Concern { level, what, remedy } in concerns {
                    li.(level_class(*level)) {
                        strong { (what) }
                        @if !remedy.is_empty() { p { span.label { "What to do: " } (remedy) } }
                    }
                }
            }
        }
    }
}

fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Complete => "complete",
        Standing::CatchingUp => "catching-up",
        Standing::Warning => "warning",
        Standing::Trouble => "trouble",
    }
}

fn level_class(level: Level) -> &'static str {
    match level {
        Level::Note => "note",
        Level::Warning => "warning",
        Level::Failed => "trouble",
    }
}

/// No state depends on colour alone.
fn mark(standing: Standing) -> Markup {
    let sign = match standing {
        Standing::Complete => "✓",
        Standing::CatchingUp => "↻",
        Standing::Warning => "!",
        Standing::Trouble => "✕",
    };
    html! { span.mark aria-hidden="true" { (sign) } }
}

fn time(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(crate::telemetry::second(at)) { (at.format("%-d %b %Y, %H:%M:%S")) } }
}

fn document(title: &str, description: &str, at: Option<DateTime<Utc>>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="description" content=(description);
                title { (title) }
                link rel="icon" type="image/svg+xml" href=(asset_link("icon.svg"));
                link rel="stylesheet" href=(asset_link("page.css"));
                script src=(asset_link("page.js")) defer {}
                noscript { meta http-equiv="refresh" content=(RENEW_SECONDS_WITHOUT_SCRIPT); }
            }
            body {
                a.skip href="#board" { "Skip to the state" }
                header {
                    a.brand href="/" { "SmartAssist ETL" }
                    span.version { (env!("CARGO_PKG_VERSION")) }
                }
                main id="board" tabindex="-1" data-renew-seconds=(RENEW_SECONDS) {
                    (body)
                    p.as-of {
                        @if let Some(at) = at { "As of " (time(at)) " UTC. " }
                        span.renewal role="status" { "Reload to see what is new." }
                    }
                }
                footer {
                    "All times are UTC. Sums only, no personal data; nothing can be changed here. "
                    a href="/api/status" { "The same as JSON" } " · " a href="/metrics" { "Metrics" }
                }
            }
        }
    }
}
