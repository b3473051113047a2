//! Reads the pages of a window, learning how the API pages. Pages past the end may fail: without a total or a
//! short page the halves decide.

use futures_util::{StreamExt, TryStreamExt, stream};
use tracing::{debug, info};

use crate::extract::{ApiError, LAST_OFFSET, PAGE_SIZE, Page, PageRequest};
use crate::transform::Origin;

use super::drain::{ReadError, Reader, Slice};
use super::pass::{End, Pass, lines_up};
use super::sought::Sought;
use super::traits::OffsetUnit;

enum Next {
    Nothing,
    More(usize),
    OutOfReach,
    Unknown,
}

impl Reader<'_> {
    pub(super) async fn pass(&self, slice: &Slice) -> Result<Pass, ReadError> {
        let first = self.page(slice, 0, PAGE_SIZE).await?;
        let length = first.records.len();
        let mut pass = Pass::of(&first);
        self.add(&mut pass, &first);
        let may_be_full = self.traits.get().may_be_full(pass.newest());
        self.traits.learn(|traits| {
            traits.see_length(pass.newest());
            traits.see_first(&first);
        });
        let traits = self.traits.get();
        pass.full_page = traits.full_page();
        pass.total = traits.total(&first);
        let is_full = length >= traits.full_page();
        pass.end = Some(match pass.total {
            None if length == 0 => End::Short,
            None if traits.is_whole(&first) => {
                pass.total = first.reported;
                self.counted(slice, &mut pass).await?
            }
            None if !may_be_full && !slice.expects_more_than(length) => End::Short,
            None if is_full && (slice.is_probe || traits.pages() == 1) => End::Beyond,
            None => self.read_on(slice, &mut pass, &first).await?,
            Some(total) => self.read_counted(slice, &mut pass, &first, total).await?,
        });
        Ok(pass)
    }

    async fn read_on(&self, slice: &Slice, pass: &mut Pass, first: &Page) -> Result<End, ReadError> {
        let mut newest = first.records.len();
        loop {
            let traits = self.traits.get();
            if newest >= traits.full_page() {
                match self.after_a_full_page(slice, pass, first).await? {
                    Some(length) if length > 0 => newest = length,
                    Some(_) => return Ok(End::Short),
                    None => return Ok(End::Beyond),
                }
                continue;
            }
            if pass.ends_short() {
                return Ok(End::Short);
            }
            if pass.pages() > LAST_OFFSET {
                return Ok(End::Beyond);
            }
            match self.perhaps_more(slice, pass, first).await? {
                Next::Nothing => return Ok(End::Short),
                Next::More(length) => newest = length,
                Next::OutOfReach => return Ok(End::Beyond),
                Next::Unknown => return Ok(End::CutOff),
            }
        }
    }

    async fn after_a_full_page(
        &self,
        slice: &Slice,
        pass: &mut Pass,
        first: &Page,
    ) -> Result<Option<usize>, ReadError> {
        let index = pass.pages();
        if index >= self.traits.get().pages() {
            return Ok(None);
        }
        let page = match index {
            1 => self.second(slice, first).await?,
            _ => self.further(slice, index, size_of(first)).await?,
        };
        let Some(page) = page else { return Ok(None) };
        self.add(pass, &page);
        let traits = self.traits.get();
        if page.records.is_empty() && traits.page_size.is_none() && index > traits.deepest_page {
            // Some servers answer so for pages that they never serve.
            self.traits.learn(|traits| traits.see_vain(index));
            return Ok(None);
        }
        Ok(Some(page.records.len()))
    }

    /// Pages may be shorter than asked: only an empty page or a known short one is the end.
    async fn perhaps_more(&self, slice: &Slice, pass: &mut Pass, first: &Page) -> Result<Next, ReadError> {
        let (index, size) = (pass.pages(), size_of(first));
        let sought = match pass.total {
            Some(_) => self.wanted(slice, index, size).await?,
            None => self.after_the_last(slice, index, size).await?,
        };
        let page = match sought {
            Sought::Page(page) => page,
            not_there => {
                let is_second_by_records = index == 1 && self.unit() == OffsetUnit::Records;
                if is_second_by_records && self.is_followed(slice, pass, size).await? {
                    return Ok(Next::OutOfReach);
                }
                let may_be_full = pass.total.is_some() || self.traits.get().may_be_full(pass.newest());
                let is_known = matches!(not_there, Sought::Empty) || !may_be_full;
                return Ok(if is_known { Next::Nothing } else { Next::Unknown });
            }
        };
        if !self.shows_offset_in_records(index, first, &page) {
            return Ok(self.add_if_new(pass, &page, size));
        }
        if !self.brings_new(pass, &page) {
            return Ok(Next::Nothing);
        }
        match self.wanted(slice, index, size).await? {
            Sought::Page(page) => Ok(self.add_if_new(pass, &page, size)),
            Sought::Empty | Sought::NotServed => Ok(Next::OutOfReach),
        }
    }

    async fn is_followed(&self, slice: &Slice, pass: &Pass, size: usize) -> Result<bool, ApiError> {
        let request = PageRequest {
            offset: 1,
            ..self.request(slice, 0, size)
        };
        let page = self.ask_past_the_end(&request).await?;
        Ok(page.is_some_and(|page| self.brings_new(pass, &page)))
    }

    fn brings_new(&self, pass: &Pass, page: &Page) -> bool {
        let mut more = Pass::default();
        self.add(&mut more, page);
        !pass.holds_all_of(&more)
    }

    /// Some servers repeat records past the end.
    fn add_if_new(&self, pass: &mut Pass, page: &Page, size: usize) -> Next {
        if !self.brings_new(pass, page) {
            return Next::Nothing;
        }
        self.add(pass, page);
        if pass.pages() == 2 && page.records.len() >= size {
            self.traits.learn(|traits| traits.see_size(size));
        }
        Next::More(page.records.len())
    }

    /// A window that can be split is not read in part.
    async fn read_counted(
        &self,
        slice: &Slice,
        pass: &mut Pass,
        first: &Page,
        total: u64,
    ) -> Result<End, ReadError> {
        if first.records.len() < self.traits.get().full_page() {
            return self.read_short(slice, pass, first, total).await;
        }
        let total_pages = usize::try_from(total)
            .unwrap_or(usize::MAX)
            .div_ceil(first.records.len());
        let reachable = self.traits.get().pages();
        if total_pages > reachable && (slice.window.seconds() > 1 || reachable == 1) {
            return Ok(End::Beyond);
        }
        let Some(second) = self.second(slice, first).await? else {
            return Ok(End::Beyond);
        };
        self.add(pass, &second);
        let size = size_of(first);
        let rest: Vec<Option<Page>> = stream::iter(2..total_pages.min(self.traits.get().pages()))
            .map(|page| self.further(slice, page, size))
            .buffered(self.api.account().limits.max_in_flight)
            .try_collect()
            .await?;
        for page in rest {
            let Some(page) = page else { return Ok(End::Beyond) };
            self.add(pass, &page);
        }
        while pass.distinct() < total && pass.newest().records() > 0 {
            if pass.pages() >= self.traits.get().pages() {
                return Ok(End::Beyond);
            }
            let Some(page) = self.further(slice, pass.pages(), size).await? else {
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

    /// The total may be a page size or a cap, so one more page is read. A record may have just come, so only
    /// two passes prove it.
    async fn counted(&self, slice: &Slice, pass: &mut Pass) -> Result<End, ReadError> {
        let traits = self.traits.get();
        if pass.newest().records() < traits.full_page() {
            return Ok(End::Counted);
        }
        if pass.pages() >= traits.pages() {
            let may_be_split = slice.window.seconds() > 1;
            return Ok(if may_be_split { End::Beyond } else { End::Counted });
        }
        let Some(page) = self.past_the_end(slice, pass.pages(), traits.full_page()).await? else {
            return Ok(End::Counted);
        };
        match self.add_if_new(pass, &page, traits.full_page()) {
            Next::More(_) => {
                pass.exceeds = pass.total.take();
                Ok(End::Exhausted)
            }
            Next::Nothing | Next::OutOfReach | Next::Unknown => Ok(End::Counted),
        }
    }

    async fn read_short(
        &self,
        slice: &Slice,
        pass: &mut Pass,
        first: &Page,
        total: u64,
    ) -> Result<End, ReadError> {
        while pass.distinct() < total && pass.pages() <= LAST_OFFSET {
            match self.perhaps_more(slice, pass, first).await? {
                Next::More(_) => {}
                Next::Nothing => return Ok(End::Exhausted),
                Next::OutOfReach => return Ok(End::Beyond),
                Next::Unknown => return Ok(End::CutOff),
            }
        }
        Ok(if pass.distinct() < total {
            End::Beyond
        } else {
            End::Counted
        })
    }

    pub(super) async fn second(&self, slice: &Slice, first: &Page) -> Result<Option<Page>, ApiError> {
        let size = size_of(first);
        let Some(page) = self.further(slice, 1, size).await? else {
            return Ok(None);
        };
        if !self.shows_offset_in_records(1, first, &page) {
            return Ok(Some(page));
        }
        let page = self.further(slice, 1, size).await?;
        if page.as_ref().is_some_and(|page| page.records.is_empty()) {
            self.traits.learn(|traits| traits.see_refused(1));
            return Ok(None);
        }
        Ok(page)
    }

    fn shows_offset_in_records(&self, index: usize, first: &Page, page: &Page) -> bool {
        let is_shown = index == 1 && self.unit() == OffsetUnit::Pages && lines_up(first, page);
        if is_shown {
            info!("the API takes the page offset for a number of records");
            self.traits.learn(|traits| {
                traits.offset_unit = Some(OffsetUnit::Records);
                traits.deepest_page = 0;
                traits.refused_page = None;
            });
        }
        is_shown
    }

    pub(super) async fn further(
        &self,
        slice: &Slice,
        page: usize,
        size: usize,
    ) -> Result<Option<Page>, ApiError> {
        match self.page(slice, page, size).await {
            Err(ApiError::Unaccepted { .. } | ApiError::Message | ApiError::ErrorObjects) => {
                self.traits.learn(|traits| traits.see_vain(page));
                Ok(None)
            }
            page => page.map(Some),
        }
    }

    async fn wanted(&self, slice: &Slice, page: usize, size: usize) -> Result<Sought, ApiError> {
        match self.page(slice, page, size).await {
            Ok(page) => Ok(Sought::of(page)),
            Err(ApiError::Unaccepted { .. } | ApiError::Message | ApiError::ErrorObjects) => {
                Ok(Sought::NotServed)
            }
            Err(error) => Err(error),
        }
    }

    /// A failure does not prove the end.
    async fn after_the_last(&self, slice: &Slice, page: usize, size: usize) -> Result<Sought, ApiError> {
        let request = self.request(slice, page, size);
        match self.api.page_after_the_last(&request, self.tally).await {
            Ok(page) => Ok(Sought::of(page)),
            Err(error) if error.is_of_one_answer() => {
                debug!(offset = request.offset, error = %error, "the page after the last one is not to be had");
                Ok(Sought::NotServed)
            }
            Err(error) => Err(error),
        }
    }

    async fn past_the_end(&self, slice: &Slice, page: usize, size: usize) -> Result<Option<Page>, ApiError> {
        self.ask_past_the_end(&self.request(slice, page, size)).await
    }

    async fn ask_past_the_end(&self, request: &PageRequest<'_>) -> Result<Option<Page>, ApiError> {
        match self.api.page_past_the_end(request, self.tally).await {
            Ok(page) => Ok(page.filter(|page| !page.records.is_empty())),
            Err(error @ (ApiError::ServerFault { .. } | ApiError::Transport { .. })) => {
                debug!(offset = request.offset, error = %error, "the page past the end cannot be had");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn page(&self, slice: &Slice, page: usize, size: usize) -> Result<Page, ApiError> {
        self.api.page(&self.request(slice, page, size), self.tally).await
    }

    fn request<'s>(&self, slice: &'s Slice, page: usize, size: usize) -> PageRequest<'s> {
        PageRequest {
            window: slice.window,
            offset: self.unit().offset(page, size),
            limit: size,
            narrowing: &slice.narrowing,
            priority: slice.priority,
        }
    }

    fn unit(&self) -> OffsetUnit {
        self.traits.get().offset_unit.unwrap_or(OffsetUnit::Pages)
    }

    pub(super) fn add(&self, pass: &mut Pass, page: &Page) {
        let account = self.api.account();
        let origin = Origin {
            account_id: &account.account_id,
            time_zone_offset: account.time_zone_offset,
        };
        pass.add(page, origin, self.policy);
    }
}

/// No more than the first page held, so that pages meet whatever `offset` counts.
pub(super) fn size_of(first: &Page) -> usize {
    match first.records.len() + first.strays.len() {
        0 => PAGE_SIZE,
        elements => elements.min(PAGE_SIZE),
    }
}
