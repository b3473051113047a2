//! What this part prints: a line for each load.

use std::fmt;

use crate::database::Ledger;
use crate::figures::{grouped, verdict};

use super::scenario::{Goal, Scenario};

/// Records in a page of the API.
const PAGE: usize = 100;

/// What came of one first load.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) totals: bool,
    /// That the API has.
    pub(crate) records: usize,
    /// That the API received.
    pub(crate) requests: u64,
    /// The daemon's books, where it came so far.
    pub(crate) ledger: Option<Ledger>,
    /// Why the load is not complete, or not to be trusted.
    pub(crate) problem: Option<String>,
}

/// The names of the columns.
#[derive(Debug)]
pub(crate) struct Header;

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\na first load: requests ÷ ⌈records ÷ 100⌉, and what became of the windows\n"
        )?;
        line(
            f,
            [
                "scenario", "totals", "records", "requests", "ratio", "read", "split", "failed", "goal", "",
            ],
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows = |of: &dyn Fn(&Ledger) -> usize| {
            self.ledger
                .as_ref()
                .map_or("unknown".to_owned(), |ledger| grouped(of(ledger)))
        };
        let cells = [
            self.scenario.name().to_owned(),
            (if self.totals { "yes" } else { "no" }).to_owned(),
            grouped(self.records),
            grouped(usize::try_from(self.requests).unwrap_or(usize::MAX)),
            format!("{:.3}", self.ratio()),
            windows(&|ledger| ledger.drained),
            windows(&|ledger| ledger.split),
            windows(&|ledger| ledger.failed),
            self.goal(),
            self.verdict().to_owned(),
        ];
        line(f, cells.each_ref().map(String::as_str))
    }
}

impl Row {
    /// The scenario, for a message.
    pub(crate) fn name(&self) -> String {
        let with = if self.totals { "with" } else { "without" };
        format!("{} {with} totals", self.scenario.name())
    }

    /// How many requests were made for each that any program needs.
    #[expect(clippy::cast_precision_loss, reason = "it is rounded for people anyway")]
    fn ratio(&self) -> f64 {
        self.requests as f64 / self.records.div_ceil(PAGE) as f64
    }

    fn goal(&self) -> String {
        match self.scenario.goal(self.totals) {
            Goal::Requests(most) => format!("≤ {most} requests"),
            Goal::Ratio(most) => format!("≤ {most:.2}"),
            Goal::None => "none".to_owned(),
        }
    }

    /// A load that is not complete reaches nothing, however few requests it made.
    fn verdict(&self) -> &'static str {
        let goal = self.scenario.goal(self.totals);
        match goal {
            _ if self.problem.is_some() => "FAILED",
            Goal::Requests(most) => verdict(Some(self.requests <= most)),
            Goal::Ratio(most) => verdict(Some(self.ratio() <= most)),
            Goal::None => "",
        }
    }
}

fn line(f: &mut fmt::Formatter<'_>, cells: [&str; 10]) -> fmt::Result {
    let [
        scenario,
        totals,
        records,
        requests,
        ratio,
        read,
        split,
        failed,
        goal,
        verdict,
    ] = cells;
    let line = format!(
        "{scenario:<10}{totals:<8}{records:>9}{requests:>10}{ratio:>9}{read:>8}{split:>8}{failed:>8}   {goal:<15}{verdict}"
    );
    write!(f, "{}", line.trim_end())
}
