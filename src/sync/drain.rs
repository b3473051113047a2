//! Reading one window until every record in it has been seen, or saying why that cannot be.
//!
//! A window is drained if no interaction came twice, and either its last page had room left or
//! the records add up to the total that the API reported. Otherwise rows shifted while we paged,
//! and the window is read again, or there are more records than can be reached, and it is split.

use futures_util::{StreamExt, TryStreamExt, stream};
use tracing::{info, warn};

use crate::extract::{
    ApiClient, ApiError, LAST_OFFSET, Narrowing, PAGE_SIZE, Page, PageRequest, Priority, Tally,
};
use crate::transform::privacy::Policy;
use crate::window::Window;

use super::pass::{End, Pass, Rows, lines_up};
use super::traits::{ApiTraits, NumResults, OffsetUnit, SharedTraits};

/// How often a window that shifts while it is read is read in all.
const READS: usize = 3;

/// What is asked for as one: a window, or a part of it.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) window: Window,
    pub(super) narrowing: Narrowing,
    pub(super) priority: Priority,
    /// Without a total, a full first page is enough to know that the window is too long.
    pub(super) is_probe: bool,
}

/// What came of reading a slice.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) verdict: Verdict,
    /// What was seen in the last pass, all of the slice or not.
    pub(super) rows: Rows,
    pub(super) distinct_records: u64,
    pub(super) reported_total: Option<u64>,
}

/// Whether that is everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every record was seen.
    Drained,
    /// There are more records than can be reached.
    Overflow,
    /// Rows shifted each time that it was read.
    Drift,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("a request failed")]
    Api(#[from] ApiError),
    #[error("the API reports {total} records and shows none")]
    Withheld { total: u64 },
}

/// What reading needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) api: &'a ApiClient,
    pub(super) traits: &'a SharedTraits,
    pub(super) policy: &'a Policy,
    pub(super) tally: &'a Tally,
}

impl Reader<'_> {
    /// Reads the slice until it adds up.
    ///
    /// # Errors
    /// What was still wrong with a request after the last try.
    pub(super) async fn read(&self, slice: &Slice) -> Result<Reading, ReadError> {
        let mut before: Option<Pass> = None;
        for attempt in 1..=READS {
            let pass = self.pass(slice).await?;
            if pass.end == Some(End::Beyond) {
                return Ok(Reading::of(pass, Verdict::Overflow));
            }
            if pass.adds_up() || before.as_ref().is_some_and(|before| pass.confirms_twins(before)) {
                self.traits.learn(|traits| learn_from(traits, &pass));
                return Ok(Reading::of(pass, Verdict::Drained));
            }
            if before
                .as_ref()
                .is_some_and(|before| pass.confirms_exhausted(before))
            {
                return Ok(self.exhausted(pass));
            }
            if pass.exceeds.is_some() && before.as_ref().is_some_and(|before| before.exceeds.is_some()) {
                self.exceeded(&pass);
            }
            if let Some(total) = pass.total.filter(|_| pass.is_withheld()) {
                return Err(ReadError::Withheld { total });
            }
            warn!(
                attempt,
                records = pass.records,
                distinct_records = pass.distinct(),
                reported_total = pass.total,
                "window does not add up"
            );
            let may_be_confirmed = pass.end == Some(End::Exhausted);
            before = Some(pass);
            if self.traits.get().pages() == 1 && !may_be_confirmed {
                break;
            }
        }
        self.traits.learn(ApiTraits::see_drift);
        Ok(Reading::of(before.unwrap_or_default(), Verdict::Drift))
    }

    /// Twice the pages ended before the total was reached.
    fn exhausted(&self, pass: Pass) -> Reading {
        if let Some(page) = pass.stops_after_full_page() {
            self.traits.learn(|traits| traits.see_refused(page));
            return Reading::of(pass, Verdict::Overflow);
        }
        if self.traits.get().totals_add_up {
            // Totals could be relied on so far: records are being kept back.
            return Reading::of(pass, Verdict::Drift);
        }
        warn!(
            reported = pass.total,
            records = pass.records,
            "numResults is not the number of records"
        );
        self.traits
            .learn(|traits| traits.num_results = Some(NumResults::Other));
        Reading::of(pass, Verdict::Drained)
    }

    /// Pages from the first to the last, or to where it is clear that they are not to be had.
    async fn pass(&self, slice: &Slice) -> Result<Pass, ReadError> {
        let first = self.page(slice, 0).await?;
        self.traits.learn(|traits| traits.see_first(&first));
        let traits = self.traits.get();
        let mut pass = Pass::default();
        pass.reported = first.reported;
        pass.total = traits.total(&first);
        let starts = self.add(&mut pass, &first);
        self.traits.learn(|traits| traits.see_order(&starts));
        let is_full = first.records.len() >= PAGE_SIZE;
        pass.end = match pass.total {
            None if !is_full => Some(End::Short),
            None if traits.is_whole(&first) => {
                pass.total = first.reported;
                Some(self.counted(slice, &mut pass).await?)
            }
            None if slice.is_probe || traits.pages() == 1 => Some(End::Beyond),
            None => Some(self.read_on(slice, &mut pass, &first).await?),
            Some(total) => Some(self.read_counted(slice, &mut pass, &first, total).await?),
        };
        Ok(pass)
    }

    /// No total: on until a page has room left.
    async fn read_on(&self, slice: &Slice, pass: &mut Pass, first: &Page) -> Result<End, ReadError> {
        let Some(mut page) = self.second(slice, first).await? else {
            return Ok(End::Beyond);
        };
        loop {
            self.add(pass, &page);
            let traits = self.traits.get();
            let newest = pass.pages() - 1;
            if page.records.is_empty() && newest > traits.deepest_page {
                // As if the records ended exactly with the page before; but some servers answer so
                // to pages that they do not serve, and this one was never seen to serve this page.
                self.traits.learn(|traits| traits.see_vain(newest));
                return Ok(End::Beyond);
            }
            if page.records.len() < PAGE_SIZE {
                return Ok(End::Short);
            }
            if pass.pages() >= traits.pages() {
                return Ok(End::Beyond);
            }
            match self.further(slice, pass.pages()).await? {
                Some(next) => page = next,
                None => return Ok(End::Beyond),
            }
        }
    }

    /// A total: as many pages as it takes, most of them at once; and beyond them while records are
    /// wanting. What can be split is not read in vain; of a second, all that can be had is.
    async fn read_counted(
        &self,
        slice: &Slice,
        pass: &mut Pass,
        first: &Page,
        total: u64,
    ) -> Result<End, ReadError> {
        if first.records.len() < PAGE_SIZE {
            return self.read_short(slice, pass, total).await;
        }
        let pages = usize::try_from(total).unwrap_or(usize::MAX).div_ceil(PAGE_SIZE);
        let reachable = self.traits.get().pages();
        if pages > reachable && (slice.window.seconds() > 1 || reachable == 1) {
            return Ok(End::Beyond);
        }
        let Some(second) = self.second(slice, first).await? else {
            return Ok(End::Beyond);
        };
        self.add(pass, &second);
        let rest: Vec<Option<Page>> = stream::iter(2..pages.min(self.traits.get().pages()))
            .map(|page| self.further(slice, page))
            .buffered(self.api.limits().max_in_flight)
            .try_collect()
            .await?;
        for page in rest {
            let Some(page) = page else { return Ok(End::Beyond) };
            self.add(pass, &page);
        }
        while pass.distinct() < total && pass.newest() > 0 {
            if pass.pages() >= self.traits.get().pages() {
                return Ok(End::Beyond);
            }
            let Some(page) = self.further(slice, pass.pages()).await? else {
                return Ok(End::Beyond);
            };
            self.add(pass, &page);
        }
        if pass.distinct() < total {
            Ok(End::Exhausted)
        } else {
            self.counted(slice, pass).await
        }
    }

    /// The total is reached. Where the last page is full that may be the size of a page, or as far as the API counts,
    /// which totals that could be relied on for years have become without a word: one page more tells. Of what it
    /// brings, one record may have come just now; so the window is read again, and only twice is a habit.
    async fn counted(&self, slice: &Slice, pass: &mut Pass) -> Result<End, ReadError> {
        if pass.newest() < PAGE_SIZE {
            return Ok(End::Counted);
        }
        if pass.pages() >= self.traits.get().pages() {
            // It cannot be asked for; parts of the window can.
            let may_be_split = slice.window.seconds() > 1;
            return Ok(if may_be_split { End::Beyond } else { End::Counted });
        }
        let page = match self.page(slice, pass.pages()).await {
            Ok(page) => page,
            Err(ApiError::Unaccepted { .. }) => return Ok(End::Counted),
            Err(error) => return Err(error.into()),
        };
        let mut more = Pass::default();
        self.add(&mut more, &page);
        // Empty, or what came before once more, as some servers answer past the end.
        if pass.holds_all_of(&more) {
            return Ok(End::Counted);
        }
        self.add(pass, &page);
        pass.exceeds = pass.total.take();
        Ok(End::Exhausted)
    }

    /// Twice there was more than the total said.
    fn exceeded(&self, pass: &Pass) {
        warn!(
            reported = pass.exceeds,
            records = pass.records,
            "numResults is not the number of records"
        );
        let may_be_page = pass.exceeds == Some(PAGE_SIZE as u64);
        self.traits.learn(|traits| traits.see_false_total(may_be_page));
    }

    /// A first page with room left, and a number that says more: pages are shorter than was asked
    /// for, or that number is no total. Further pages tell, whatever the offset counts, by
    /// whether they bring anything new.
    async fn read_short(&self, slice: &Slice, pass: &mut Pass, total: u64) -> Result<End, ReadError> {
        while pass.distinct() < total && pass.pages() <= LAST_OFFSET {
            let seen = pass.distinct();
            match self.page(slice, pass.pages()).await {
                Ok(page) => self.add(pass, &page),
                Err(ApiError::Unaccepted { .. }) => return Ok(End::Exhausted),
                Err(error) => return Err(error.into()),
            };
            if pass.distinct() == seen {
                return Ok(End::Exhausted);
            }
        }
        Ok(if pass.distinct() < total {
            End::Beyond
        } else {
            End::Counted
        })
    }

    /// The second page. It shows what the offset counts.
    pub(super) async fn second(&self, slice: &Slice, first: &Page) -> Result<Option<Page>, ApiError> {
        let asked_in_pages = self.unit() == OffsetUnit::Pages;
        let Some(page) = self.further(slice, 1).await? else {
            return Ok(None);
        };
        if !(asked_in_pages && lines_up(first, &page)) {
            return Ok(Some(page));
        }
        info!("the API takes the page offset for a number of records");
        self.traits.learn(|traits| {
            traits.offset_unit = Some(OffsetUnit::Records);
            traits.deepest_page = 0;
            traits.refused_page = None;
        });
        let page = self.further(slice, 1).await?;
        if page.as_ref().is_some_and(|page| page.records.is_empty()) {
            // The page at offset 1 was full, so there is a record 101.
            self.traits.learn(|traits| traits.see_refused(1));
            return Ok(None);
        }
        Ok(page)
    }

    /// A page after the first; `None` where the API does not serve it.
    pub(super) async fn further(&self, slice: &Slice, page: usize) -> Result<Option<Page>, ApiError> {
        match self.page(slice, page).await {
            Err(ApiError::Unaccepted { .. }) => {
                self.traits.learn(|traits| traits.see_vain(page));
                Ok(None)
            }
            page => page.map(Some),
        }
    }

    pub(super) async fn page(&self, slice: &Slice, page: usize) -> Result<Page, ApiError> {
        let request = PageRequest {
            window: slice.window,
            offset: self.unit().offset(page),
            limit: PAGE_SIZE,
            narrowing: &slice.narrowing,
            priority: slice.priority,
        };
        self.api.page(&request, self.tally).await
    }

    fn unit(&self) -> OffsetUnit {
        self.traits.get().offset_unit.unwrap_or(OffsetUnit::Pages)
    }

    pub(super) fn add(&self, pass: &mut Pass, page: &Page) -> Vec<chrono::DateTime<chrono::Utc>> {
        pass.add(page, self.api.account().time_zone_offset, self.policy)
    }
}

/// What a pass that adds up proves.
fn learn_from(traits: &mut ApiTraits, pass: &Pass) {
    let full_pages = usize::try_from(pass.distinct()).unwrap_or(usize::MAX) / PAGE_SIZE;
    if traits.is_unsteady() && pass.records > 0 {
        traits.see_steady();
    }
    if pass.pages() < 2 || full_pages == 0 {
        return;
    }
    traits.drifts_in_a_row = 0;
    traits.vain_pages_in_a_row = 0;
    traits.offset_unit.get_or_insert(OffsetUnit::Pages);
    let last_with_records = full_pages - usize::from(pass.distinct().is_multiple_of(PAGE_SIZE as u64));
    traits.deepest_page = traits.deepest_page.max(last_with_records);
    match pass.total {
        Some(_) => traits.totals_add_up = true,
        // Not the number of records once, but that may have been a bad moment.
        None if traits.num_results == Some(NumResults::Other) && pass.reported == Some(pass.distinct()) => {
            traits.num_results = Some(NumResults::Total);
        }
        None if traits.num_results.is_none() => traits.num_results = Some(NumResults::Page),
        None => {}
    }
}

impl Reading {
    /// A window of which nothing was read.
    pub(super) fn nothing() -> Self {
        Self::of(Pass::default(), Verdict::Overflow)
    }

    fn of(pass: Pass, verdict: Verdict) -> Self {
        Self {
            verdict,
            distinct_records: pass.distinct(),
            reported_total: pass.total,
            rows: pass.rows,
        }
    }
}
