//! An account's section.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{account_link, calendar, chart, class, concern_list, mark, time};
use crate::status::board::{AccountBoard, BudgetLine, Work};
use crate::telemetry::{grouped, span};

pub(super) fn section(account: &AccountBoard, now: DateTime<Utc>) -> Markup {
    let name = &account.status.name;
    html! {
        section.account aria-labelledby=(format!("account-{name}")) {
            div.title {
                h2 id=(format!("account-{name}")) { a href=(account_link(name)) { (name) } }
                span.standing.(class(account.standing)) { (mark(account.standing)) " " (account.standing.word()) }
                span.id { (account.status.account_id) }
            }
            (concern_list(&account.concerns))
            (facts(account, now))
            @if let Some(cells) = &account.calendar {
                (calendar::months(account, cells))
                (chart::interactions(cells))
            } @else {
                p.more { a href=(account_link(name)) { "Calendar and chart of " (name) } }
            }
        }
    }
}

pub(super) fn jumps(accounts: &[&AccountBoard]) -> Markup {
    html! {
        nav.jumps aria-label="Accounts" {
            ul {
                @for account in accounts {
                    li {
                        a href=(format!("#account-{}", account.status.name)) { (account.status.name) }
                        span.standing.(class(account.standing)) { (mark(account.standing)) " " (account.standing.word()) }
                        span.lag { "lag " (span(account.status.lag_seconds)) }
                    }
                }
            }
        }
    }
}

fn facts(account: &AccountBoard, now: DateTime<Utc>) -> Markup {
    let status = &account.status;
    html! {
        dl.facts {
            div.first {
                dt { "Complete through" }
                dd { (through(account.has_loaded().then_some(status.watermark))) }
            }
            div {
                dt { "Settled through" }
                dd { (through(account.has_settled().then_some(status.settled_through))) }
            }
            div {
                dt { "Lag" }
                dd { (span(status.lag_seconds)) }
            }
            div {
                dt { "Last poll" }
                dd {
                    @match status.last_polled_at {
                        Some(at) => { (span((now - at).num_seconds())) " ago" },
                        None => "none yet",
                    }
                }
            }
            div {
                dt { "Gaps" }
                dd { @if status.gaps == 0 { "none" } @else { (grouped(status.gaps)) } }
            }
            div {
                dt { "Interactions" }
                dd { (grouped(status.interactions)) }
            }
            div {
                dt { "Wanted from" }
                dd { (status.start_from.format("%-d %b %Y")) }
            }
            div {
                dt { "Request budget" }
                dd {
                    @for line in &account.budget { (budget(line)) }
                    @if account.budget.is_empty() { (grouped(status.requests_last_minute)) " in the last minute, no limit" }
                }
            }
            div.wide {
                dt { "Doing now" }
                dd {
                    @for work in &account.work { (doing(work, now)) }
                    @if account.work.is_empty() { "waiting for the next poll" }
                }
            }
        }
    }
}

fn through(at: Option<DateTime<Utc>>) -> Markup {
    html! {
        @match at {
            Some(at) => (time(at)),
            None => "nothing yet",
        }
    }
}

fn budget(line: &BudgetLine) -> Markup {
    let label = format!("Requests of the {}", line.span.as_str());
    html! {
        span.line {
            meter min="0" max=(line.limit) value=(line.used) aria-label=(label) {}
            " " (line.words())
        }
    }
}

fn doing(work: &Work, now: DateTime<Utc>) -> Markup {
    html! {
        span.line {
            @if let Some(percent) = work.percent() {
                progress max="100" value=(percent) aria-label=(format!("Progress of the {}", work.kind)) {}
                " "
            }
            (work.words(now))
        }
    }
}
