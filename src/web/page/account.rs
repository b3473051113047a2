use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{account_link, calendar, mark, problem_list, shape};
use crate::status::board::AccountBoard;
use crate::status::calendar::RECENT_DAYS;
use crate::status::facts;
use crate::status::problems::Standing;
use crate::telemetry::span;

pub(super) fn section(account: &AccountBoard, now: DateTime<Utc>) -> Markup {
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

pub(super) fn jumps(accounts: &[&AccountBoard]) -> Markup {
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
