//! Tables below the calendar: the last runs, what was set aside, what is not known, how much changes.

use maud::{Markup, html};

use crate::load::status::{AgeClass, DriftedField, RejectedReason, RunStatus};

use super::super::text::{grouped, span};
use super::{chart, time};

pub(super) fn runs(runs: &[RunStatus]) -> Markup {
    html! {
        h3 { "Last runs" }
        @if runs.is_empty() { p { "None yet." } } @else {
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "Run" } th scope="col" { "Began" } th scope="col" { "Took" }
                            th scope="col" { "Outcome" }
                            @for number in ["Requests", "Records", "New", "Changed", "Set aside"] {
                                th scope="col" .number { (number) }
                            }
                        }
                    }
                    tbody { @for run in runs { (run_row(run)) } }
                }
            }
        }
    }
}

fn run_row(run: &RunStatus) -> Markup {
    html! {
        tr {
            th scope="row" { (run.kind) }
            td { (time(run.started_at)) }
            td {
                @match run.finished_at {
                    Some(end) => (span((end - run.started_at).num_seconds())),
                    None => "…",
                }
            }
            td.(outcome_class(&run.status)) {
                (run.status)
                @if let Some(error) = &run.error { span.error { ": " (error) } }
            }
            @for number in [run.requests, run.records, run.inserted, run.updated, run.rejected] {
                td.number { (grouped(number)) }
            }
        }
    }
}

fn outcome_class(status: &str) -> &'static str {
    match status {
        "failed" => "trouble",
        "interrupted" => "warning",
        _ => "plain",
    }
}

pub(super) fn rejected(reasons: &[RejectedReason]) -> Markup {
    html! {
        @if !reasons.is_empty() {
            h3 { "Rejected records, waiting" }
            div.scroll {
                table {
                    thead {
                        tr { th scope="col" { "Reason" } th scope="col" .number { "Records" } th scope="col" { "Last received" } }
                    }
                    tbody {
                        @for reason in reasons {
                            tr {
                                th scope="row" { (reason.reason) }
                                td.number { (grouped(reason.records)) }
                                td { (time(reason.last_seen_at)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The newest, of `all`.
pub(super) fn drift(fields: &[DriftedField], all: i64) -> Markup {
    let is_cut = i64::try_from(fields.len()).is_ok_and(|shown| shown < all);
    html! {
        @if !fields.is_empty() {
            h3 { "Fields of the API that are not known" }
            @if is_cut {
                p.hint { "The newest " (fields.len()) " of " (grouped(all)) "; all are in " code { "smartassist_sync.schema_drift" } "." }
            }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "Field" } th scope="col" { "Type" }
                            th scope="col" .number { "Records" } th scope="col" { "First seen" }
                        }
                    }
                    tbody {
                        @for field in fields {
                            tr {
                                th scope="row" { code { (field.path) } }
                                td { (field.json_type) }
                                td.number { (grouped(field.times_seen)) }
                                td { (time(field.first_seen_at)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn change_by_age(classes: &[AgeClass]) -> Markup {
    html! {
        @if !classes.is_empty() {
            h3 { "Change by age" }
            p.hint { "Of interactions that were read again at this age, so many had changed: what " code { "sync.refresh" } " is chosen by." }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "Age" } th scope="col" .number { "Read again" } th scope="col" .number { "Changed" }
                            th scope="col" .number { "Share" } th scope="col" { span.hidden { "Share as a bar" } }
                        }
                    }
                    tbody {
                        @for class in classes {
                            tr {
                                th scope="row" {
                                    (class.age_from)
                                    @if let Some(to) = &class.age_to { " to " (to) } @else { " and more" }
                                }
                                td.number { (grouped(class.reread)) }
                                td.number { (grouped(class.changed)) }
                                td.number { (percent(class)) }
                                td { (chart::bar(class.changed, class.reread)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// To a tenth, by whole numbers.
fn percent(class: &AgeClass) -> String {
    let permille = class.changed.saturating_mul(1_000) / class.reread.max(1);
    format!("{}.{} %", permille / 10, permille % 10)
}
