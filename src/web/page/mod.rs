//! The status page, usable without JavaScript.

mod calendar;

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};

use crate::ledger::problems::{Problem, Severity};
use crate::status::calendar::RECENT_DAYS;
use crate::status::problems::Standing;
use crate::status::{AccountBoard, Board, facts};
use crate::telemetry::{plural, second, span};

const RENEW_SECONDS: u32 = 10;
const RENEW_SECONDS_WITHOUT_SCRIPT: u32 = 30;

const TITLE: &str = "SmartAssist ETL";

pub(super) fn overview(board: &Board) -> Markup {
    let (standing, words) = summary(board);
    let mut accounts: Vec<&AccountBoard> = board.accounts.iter().collect();
    accounts.sort_by_key(|account| std::cmp::Reverse(account.standing));
    let body = html! {
        (headline(standing, &words))
        @if accounts.len() > 1 { (jumps(&accounts)) }
        @for account in &accounts { (section(account, board.at)) }
        @for name in &board.not_begun {
            section.account {
                p { strong { (name) } ": the first run has not begun yet. If this stays, read the daemon's log." }
            }
        }
    };
    document(TITLE, &words, Some(board.at), &body)
}

pub(super) fn account(board: &Board, account: &AccountBoard) -> Markup {
    let (name, word) = (&account.status.name, account.standing.word());
    let body = html! {
        nav aria-label="Where you are" { a href="/" { "All accounts" } " / " (name) }
        (headline(account.standing, &format!("{name}: {word}")))
        (section(account, board.at))
    };
    document(&format!("{name} · {TITLE}"), word, Some(board.at), &body)
}

pub(super) fn unavailable(words: &str, problems: &[Problem]) -> Markup {
    let body = html! {
        (headline(Standing::Trouble, words))
        (problem_list(problems))
        p { "Nothing is lost: data is loaded once the database is back. The daemon keeps trying." }
    };
    document(TITLE, words, None, &body)
}

pub(super) fn not_found() -> Markup {
    let body = html! {
        h1 { "Nothing here" }
        p { "There is no such account or page. " a href="/" { "All accounts" } }
    };
    document(&format!("Not found · {TITLE}"), "not found", None, &body)
}

/// Configured names need no escaping.
fn account_link(name: &str) -> String {
    format!("/accounts/{name}")
}

fn summary(board: &Board) -> (Standing, String) {
    let worst_begun = board.accounts.iter().map(|account| account.standing).max();
    if let [first, ..] = board.not_begun.as_slice()
        && worst_begun < Some(Standing::Warning)
    {
        let words = format!("The first run of {first} has not begun yet");
        return (Standing::CatchingUp, words);
    }
    let Some(worst) = board.worst() else {
        return (Standing::CatchingUp, "Nothing has been loaded yet".to_owned());
    };
    let alike = board
        .accounts
        .iter()
        .filter(|account| account.standing == worst)
        .count();
    let all = plural(
        i64::try_from(board.accounts.len()).unwrap_or(i64::MAX),
        "account",
        "accounts",
    );
    let words = match worst {
        Standing::Complete if alike == 1 => "All data is complete".to_owned(),
        Standing::Complete => format!("All data of {all} is complete"),
        worst => format!("{alike} of {all} {}", shape(worst).verb[usize::from(alike != 1)]),
    };
    (worst, words)
}

struct Shape {
    class: &'static str,
    /// No state depends on colour alone.
    sign: &'static str,
    verb: [&'static str; 2],
}

fn shape(standing: Standing) -> Shape {
    let (class, sign, verb) = match standing {
        Standing::Complete => ("complete", "✓", ["is complete", "are complete"]),
        Standing::CatchingUp => ("catching-up", "↻", ["is catching up", "are catching up"]),
        Standing::Warning => ("warning", "!", ["needs a look", "need a look"]),
        Standing::Trouble => ("trouble", "✕", ["is in trouble", "are in trouble"]),
    };
    Shape { class, sign, verb }
}

fn headline(standing: Standing, words: &str) -> Markup {
    html! {
        h1.headline.(shape(standing).class) { (mark(standing)) " " (words) }
    }
}

fn mark(standing: Standing) -> Markup {
    html! { span.mark aria-hidden="true" { (shape(standing).sign) } }
}

fn problem_list(problems: &[Problem]) -> Markup {
    html! {
        @if !problems.is_empty() {
            ul.problems {
                @for Problem { severity, text, remedy, .. } in problems {
                    li.(if *severity == Severity::Failed { "trouble" } else { "warning" }) {
                        strong { (text) }
                        @if !remedy.is_empty() { p { span.label { "What to do: " } (remedy) } }
                    }
                }
            }
        }
    }
}

fn section(account: &AccountBoard, now: DateTime<Utc>) -> Markup {
    let name = &account.status.name;
    html! {
        section.account aria-labelledby=(format!("account-{name}")) {
            div.title {
                h2 id=(format!("account-{name}")) { a href=(account_link(name)) { (name) } }
                (badge(account.standing))
                span.id { (account.status.account_id) }
            }
            (problem_list(&account.problems))
            dl.facts {
                @for fact in facts::of(account, now) {
                    dt { (fact.name) }
                    dd {
                        @if let Some(percent) = fact.percent {
                            progress max="100" value=(percent) aria-label=(fact.name) {} " "
                        }
                        @for word in fact.value.split(' ') { span.word { (word) } " " }
                    }
                }
            }
            @if let (Some(details), Some(cells)) = (&account.details, &account.calendar) {
                (calendar::months(name, cells))
                @if cells.len() as u64 == RECENT_DAYS {
                    p.more { a href=(account_link(name)) { "All days of " (name) } }
                }
                (calendar::gaps(&details.gaps))
                (calendar::chart(cells))
            } @else {
                p.more { a href=(account_link(name)) { "Calendar and chart of " (name) } }
            }
        }
    }
}

fn badge(standing: Standing) -> Markup {
    html! { span.standing.(shape(standing).class) { (mark(standing)) " " (standing.word()) } }
}

fn jumps(accounts: &[&AccountBoard]) -> Markup {
    html! {
        nav.jumps aria-label="Accounts" {
            ul {
                @for account in accounts {
                    li {
                        a href=(format!("#account-{}", account.status.name)) { (account.status.name) }
                        (badge(account.standing))
                        span.lag { "lag " (span(account.status.lag_seconds)) }
                    }
                }
            }
        }
    }
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
                link rel="icon" type="image/svg+xml" href=("/icon.svg");
                link rel="stylesheet" href=("/page.css");
                script src=("/page.js") defer {}
                noscript { meta http-equiv="refresh" content=(RENEW_SECONDS_WITHOUT_SCRIPT); }
            }
            body {
                a.skip href="#board" { "Skip to the state" }
                header {
                    a.brand href="/" { (TITLE) }
                    span.version { (env!("CARGO_PKG_VERSION")) }
                }
                main id="board" tabindex="-1" data-renew-seconds=(RENEW_SECONDS) {
                    (body)
                    p.as-of {
                        @if let Some(at) = at {
                            "As of " time datetime=(second(at)) { (at.format("%-d %b %Y, %H:%M:%S")) } " UTC. "
                        }
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
