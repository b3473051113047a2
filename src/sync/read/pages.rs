use crate::config::AccountConfig;
use crate::extract::{ApiClient, ApiError, Page, PageRequest, Tally};
use crate::transform::{Origin, RawRecord, RecordText};

#[derive(Debug, Default)]
pub(in crate::sync) struct RawPage {
    pub(in crate::sync) reported: Option<u64>,
    pub(in crate::sync) records: Vec<RawRecord>,
    pub(in crate::sync) strays: Vec<RecordText<'static>>,
}

pub(in crate::sync) trait Pages: Sync {
    /// A page that may be past the end is hardly retried.
    fn page(
        &self,
        request: &PageRequest<'_>,
        may_be_past_the_end: bool,
    ) -> impl Future<Output = Result<RawPage, ApiError>> + Send;

    fn in_flight(&self) -> usize;
}

#[derive(Debug, Clone, Copy)]
pub(in crate::sync) struct ApiPages<'a> {
    pub(in crate::sync) api: &'a ApiClient,
    pub(in crate::sync) tally: &'a Tally,
}

impl Pages for ApiPages<'_> {
    async fn page(&self, request: &PageRequest<'_>, may_be_past_the_end: bool) -> Result<RawPage, ApiError> {
        let page = if may_be_past_the_end {
            self.api.page_past_the_end(request, self.tally).await?
        } else {
            self.api.page(request, self.tally).await?
        };
        Ok(RawPage::of(page, origin(self.api.account())))
    }

    fn in_flight(&self) -> usize {
        self.api.account().limits.max_in_flight
    }
}

pub(in crate::sync) fn origin(account: &AccountConfig) -> Origin<'_> {
    Origin {
        account_id: &account.account_id,
        time_zone_offset: account.time_zone_offset,
    }
}

impl RawPage {
    pub(super) fn of(page: Page, origin: Origin<'_>) -> Self {
        let mut read = Self {
            reported: page.reported,
            ..Self::default()
        };
        for element in page.records {
            match RawRecord::of(element.text.into(), element.unreadable, origin) {
                Ok(record) => read.records.push(record),
                Err(stray) => read.strays.push(stray),
            }
        }
        read
    }
}
