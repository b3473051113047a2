//! Reads passes until one is judged.

use futures_util::{StreamExt, stream};
use tracing::{debug, warn};

use crate::extract::{ApiError, PAGE_SIZE, PageRequest};
use crate::telemetry::chain;
use crate::time::Window;

use super::decide::{Judgement, NextPage, Proof, judge, next, no_total};
use super::pass::{Length, Pass};
use super::profile::{Knowledge, Lesson, OffsetUnit};
use super::range::Places;
use super::{Pages, RawPage, Reading, Slice, Verdict};

/// A false total takes two passes to detect.
const PASSES: usize = 3;

#[derive(Debug)]
pub(super) struct WindowReader<'a, P> {
    pub(super) pages: &'a P,
    pub(super) known: &'a mut Knowledge,
}

impl<P: Pages> WindowReader<'_, P> {
    pub(super) async fn read(&mut self, slice: &Slice) -> Result<Reading, ApiError> {
        let mut before: Option<Pass> = None;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut pass = self.pass(slice).await?;
            let judgement = match judge(&self.known.profile, &pass, before.as_ref()) {
                Judgement::Doubtful => self.resolve(slice, &pass).await?,
                judgement => judgement,
            };
            let judgement = if judgement.is_drained() {
                self.keeps_range(slice, &pass, judgement).await?
            } else {
                judgement
            };
            log(attempt, &pass, judgement);
            let is_last = attempt == PASSES;
            let pages = std::mem::take(&mut pass.pages);
            let lesson = Box::new(pass.without_records());
            self.known.learn(Lesson::Pass(lesson, judgement));
            let verdict = match judgement {
                Judgement::Again | Judgement::FalseTotal if !is_last => {
                    before = Some(pass);
                    continue;
                }
                Judgement::Withheld => {
                    let total = pass.total.unwrap_or(0);
                    return Err(ApiError::Withheld { total });
                }
                Judgement::Drained | Judgement::NoTotal => Verdict::Drained,
                Judgement::Overflow | Judgement::Unserved | Judgement::Doubtful => Verdict::Overflow,
                Judgement::Again | Judgement::FalseTotal => {
                    self.known.learn(Lesson::Inconsistent);
                    Verdict::Inconsistent
                }
                Judgement::Inconsistent => Verdict::Inconsistent,
                Judgement::Elsewhere => Verdict::Elsewhere,
                Judgement::Strays => Verdict::Strays,
            };
            let proof = Proof::of(&pass, judgement);
            return Ok(Reading::of(&pass, pages, verdict, proof));
        }
    }

    async fn pass(&self, slice: &Slice) -> Result<Pass, ApiError> {
        let first = self.first_page(slice, PAGE_SIZE).await?;
        let mut pass = Pass::of(first, &self.known.profile);
        let end = loop {
            let (pages, may_be_past_the_end) = match next(&self.known.profile, slice, &pass) {
                NextPage::Pages(pages) => (pages, false),
                NextPage::Perhaps(page) => (page..page + 1, true),
                NextPage::End(end) => break end,
            };
            let (unit, limit) = (pass.unit, pass.limit);
            let mut answers = stream::iter(pages)
                .map(|page| self.further(slice, unit.offset(page, limit), limit, may_be_past_the_end))
                .buffered(self.pages.in_flight());
            while let Some(answer) = answers.next().await {
                pass.take(answer?);
                if pass.after.is_some() || pass.is_too_large() {
                    break;
                }
            }
        };
        pass.end = end;
        pass.places = Places::of(slice.window, pass.pages.iter().flat_map(|page| &page.records));
        Ok(pass)
    }

    pub(super) async fn first_page(&self, slice: &Slice, limit: usize) -> Result<RawPage, ApiError> {
        self.pages.page(&slice.request(0, limit)).await
    }

    /// `None`: not served.
    pub(super) async fn further(
        &self,
        slice: &Slice,
        offset: usize,
        limit: usize,
        may_be_past_the_end: bool,
    ) -> Result<Option<RawPage>, ApiError> {
        let request = PageRequest {
            may_be_past_the_end,
            ..slice.request(offset, limit)
        };
        match self.pages.page(&request).await {
            Ok(page) => Ok(Some(page)),
            Err(error) if error.is_not_served() || (may_be_past_the_end && error.is_of_one_answer()) => {
                debug!(offset, error = %chain(&error), "a further page is not served");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn resolve(&self, slice: &Slice, pass: &Pass) -> Result<Judgement, ApiError> {
        let holds_more = if pass.unit == OffsetUnit::Records {
            self.is_followed(slice, pass).await?
        } else {
            self.halves_hold_more(slice, pass).await?
        };
        Ok(match holds_more {
            true => Judgement::Overflow,
            false if pass.total.is_some() => no_total(&self.known.profile),
            false => Judgement::Drained,
        })
    }

    /// Asks for all rows but the first, which any offset limit allows.
    async fn is_followed(&self, slice: &Slice, pass: &Pass) -> Result<bool, ApiError> {
        let rows = self.further(slice, 1, pass.limit, true).await?;
        Ok(rows.is_some_and(|rows| !pass.has_all_of(&rows)))
    }

    /// A half that brings nothing new, and is shorter than a page, is complete; one that may be full is
    /// halved.
    async fn halves_hold_more(&self, slice: &Slice, pass: &Pass) -> Result<bool, ApiError> {
        let mut window = slice.window;
        while window.seconds() > 1 {
            let mut full = Vec::new();
            for half in window.halves() {
                let page = match self.first_page(&slice.part(half), PAGE_SIZE).await {
                    Ok(page) => page,
                    Err(error) if error.is_not_served() => return Ok(true),
                    Err(error) => return Err(error),
                };
                if !page.strays.is_empty() || !pass.has_all_of(&page) {
                    return Ok(true);
                }
                if !page.records.is_empty() && Length::of(&page).reaches(pass.longest()) {
                    full.push((half, page.records.len() as u64));
                }
            }
            // Sessions that span both halves are in both.
            let are_alike = full.iter().all(|(_, records)| *records >= pass.distinct());
            window = match full.as_slice() {
                [] => return Ok(false),
                [(half, _)] => *half,
                [(half, _), ..] if are_alike => *half,
                _ => return Ok(true),
            };
        }
        Ok(pass.total.is_some())
    }

    /// `None` if both halves hold some. If neither does, the window's length caused them.
    pub(super) async fn part_with_strays(&mut self, slice: &Slice) -> Result<Option<Window>, ApiError> {
        let mut window = slice.window;
        while window.seconds() > 1 {
            let [older, newer] = window.halves();
            let hold = (
                self.has_strays(slice, older).await?,
                self.has_strays(slice, newer).await?,
            );
            window = match hold {
                (true, false) => older,
                (false, true) => newer,
                (true, true) => break,
                (false, false) => return Ok(Some(newer)),
            };
        }
        Ok(Some(window).filter(|part| *part != slice.window))
    }

    async fn has_strays(&mut self, slice: &Slice, part: Window) -> Result<bool, ApiError> {
        match Box::pin(self.read(&slice.part(part))).await {
            Ok(reading) => Ok(reading.verdict == Verdict::Strays),
            Err(ApiError::ErrorObjects) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn log(attempt: usize, pass: &Pass, judgement: Judgement) {
    let (records, outside) = (pass.places.records, pass.places.outside);
    if pass.places.are_elsewhere() {
        warn!(attempt, records, outside, "records lie outside of the window");
    } else if judgement.is_drained() && outside > 0 {
        warn!(records, outside, "some records lie outside of the window");
    }
    if matches!(judgement, Judgement::Again | Judgement::FalseTotal) {
        warn!(
            attempt,
            records = pass.shown(),
            distinct_records = pass.distinct(),
            reported_total = pass.total,
            elements_without_id = pass.strays,
            "record count differs, reading the window again"
        );
    }
}
