//! The HTTP client of one account.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use tracing::{debug, warn};

use crate::clock::{Clock, Skew};
use crate::config::{AccountConfig, RequestLimits};
use crate::observe::{self, chain};

use super::{Action, ApiError, Budget, BudgetUse, Page, PageRequest, Tally, body};

const AUTH: HeaderName = HeaderName::from_static("auth");
const ACCOUNT_ID: HeaderName = HeaderName::from_static("accountid");
const STREAM_ID: HeaderName = HeaderName::from_static("iid");

/// A pause between two tries never grows past this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// Clocks that differ by more are taken for different: a `Date` is in whole seconds, and an answer takes
/// its time.
const OTHER_CLOCK: TimeDelta = TimeDelta::seconds(5);

/// Those that were, and differ by less, are taken for the same again. Apart from the other limit by more
/// than two answers contradict each other, or time would go to and fro.
const SAME_CLOCK: TimeDelta = TimeDelta::seconds(3);

/// What an answer said of the API's clock is believed for so long: it may have been one proxy's word, and by a clock
/// that is far behind nothing would be asked for any more, and an outage not be seen.
const BELIEVED_FOR: Duration = Duration::from_secs(2 * 60);

/// Asks one account's API for pages, within its budget.
#[derive(Debug)]
pub struct ApiClient {
    account: AccountConfig,
    endpoint: reqwest::Url,
    http: reqwest::Client,
    budget: Budget,
    clock: Arc<dyn Clock>,
    skew: Mutex<ApiClock>,
}

/// What is known of the API's clock.
#[derive(Debug, Default)]
struct ApiClock {
    /// By how much it is ahead of ours, as the newest answer said, and when that was.
    seen: Option<(TimeDelta, DateTime<Utc>, Instant)>,
    /// Whether the two are taken for different.
    is_other: bool,
    /// Whether it has been said that the two are far apart.
    is_said: bool,
}

impl ApiClock {
    fn see(&mut self, ahead: TimeDelta, now: DateTime<Utc>) {
        self.seen = Some((ahead, now, Instant::now()));
        let limit = if self.is_other { SAME_CLOCK } else { OTHER_CLOCK };
        self.is_other = ahead.abs() > limit;
    }

    /// By how much it is ahead, where the two are different; `elapsed` tells how long ago something was.
    fn ahead(&self, now: DateTime<Utc>, elapsed: impl FnOnce(Instant) -> Duration) -> Option<TimeDelta> {
        let (ahead, at, instant) = self.seen.filter(|_| self.is_other)?;
        let elapsed = elapsed(instant);
        let has_jumped =
            (now - at - TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX)).abs() > OTHER_CLOCK;
        (!has_jumped && elapsed <= BELIEVED_FOR).then_some(ahead)
    }
}

/// The HTTP client could not be set up for an account.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An id has characters that cannot be sent in a header.
    #[error("accounts.{account}: account_id and stream_id must be plain ASCII")]
    Header {
        /// The account's name.
        account: String,
    },
    /// TLS or the proxy settings of the system.
    #[error("cannot set up the HTTP client")]
    Http(#[source] reqwest::Error),
}

impl ApiClient {
    /// A client for `account`.
    ///
    /// # Errors
    /// The account's ids cannot be sent, or the system's TLS roots or proxy settings are unusable.
    pub fn new(account: AccountConfig, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let mut endpoint = account.base_url.clone();
        let path = format!(
            "{}/agentassist/api/public/analytics/account/{}/v2/interactionDetails",
            endpoint.path().trim_end_matches('/'),
            account.account_id
        );
        endpoint.set_path(&path);
        let http = http_client(&account)?;
        let budget = Budget::new(account.limits);
        Ok(Self {
            account,
            endpoint,
            http,
            budget,
            clock,
            skew: Mutex::default(),
        })
    }

    /// The account that is asked, as it was configured at the start.
    pub fn account(&self) -> &AccountConfig {
        &self.account
    }

    /// How many requests the account may take now.
    pub fn limits(&self) -> RequestLimits {
        self.budget.limits()
    }

    /// Lets the account take so many requests from now on; what was spent stays spent.
    pub fn limit(&self, limits: RequestLimits) {
        self.budget.limit(limits);
    }

    /// Takes requests into account that an earlier process spent of the account's budget: numbers
    /// of them, each with how long ago the last one ended.
    pub fn remember_spent(&self, requests: impl IntoIterator<Item = (usize, Duration)>) {
        self.budget.spent_before(requests);
    }

    /// One page of a window, tried again as the error table says. Every request that leaves, and
    /// the page that comes in the end, is counted in `tally`.
    ///
    /// # Errors
    /// What was still wrong after the last try.
    pub async fn page(&self, request: &PageRequest<'_>, tally: &Tally) -> Result<Page, ApiError> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(self.account.retry.pause)
            .with_max_delay(LONGEST_BACKOFF)
            .with_max_times(self.account.retry.max_retries)
            .with_jitter()
            .build();
        let mut signed_in_again = false;
        loop {
            let error = match self.try_page(request, tally).await {
                Ok(page) => {
                    tally.add_page(page.records.len());
                    return Ok(page);
                }
                Err(error) => error,
            };
            match error.action() {
                Action::Retry => {
                    let Some(pause) = pauses.next() else {
                        return Err(error);
                    };
                    let pause = self.pause(&error, pause, request.offset);
                    tally.pulse.while_waiting(pause).await;
                    tally.add_retry();
                    observe::retry(&self.account.name);
                }
                Action::SignInAgain if !signed_in_again => {
                    signed_in_again = true;
                    tally.add_retry();
                    observe::retry(&self.account.name);
                    debug!(offset = request.offset, error = %chain(&error), "signing in again");
                }
                Action::SignInAgain | Action::GiveUpWindow | Action::StopAccount => return Err(error),
            }
        }
    }

    /// How much of the request budget is used now.
    pub fn budget_uses(&self) -> Vec<BudgetUse> {
        self.budget.uses()
    }

    /// By how much the API's clock is ahead of ours, to about a second, as its newest answer said;
    /// `None` where none did.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        let skew = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        skew.seen.map(|(ahead, ..)| ahead)
    }

    /// What the API's clock says, as far as its newest answer tells; ours, where they agree or nothing
    /// is known of the API's. Once ours has jumped, or slept, since that answer, or it is long ago, nothing is known.
    pub fn now(&self) -> DateTime<Utc> {
        let now = self.clock.now();
        let skew = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = skew.ahead(now, |then| self.clock.elapsed(then));
        ahead.map_or(now, |ahead| now + ahead)
    }

    /// Reads an answer's `Date` (RFC 9110, section 6.6.1).
    fn see_date(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) {
            let now = self.clock.now();
            let ahead = date.to_utc() - now.trunc_subsecs(0);
            observe::clock_skew(&self.account.name, ahead);
            let mut skew = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
            skew.see(ahead, now);
            let is_far = Skew::of(ahead) > Skew::Small;
            if is_far && !skew.is_said {
                warn!(
                    account = self.account.name,
                    skew_seconds = ahead.num_seconds(),
                    remedy = "have this machine's clock set by NTP; until then nothing is read beyond what both clocks have \
                              passed, and tokens are signed by the API's",
                    "this machine's clock and the API's are far apart"
                );
            }
            skew.is_said = is_far;
        }
    }

    async fn pause(&self, error: &ApiError, backoff: Duration, offset: usize) {
        let pause = match error {
            ApiError::RateLimited { retry_after, .. } => {
                let pause = backoff.max(retry_after.unwrap_or_default());
                self.budget.pause(pause);
                pause
            }
            _ => backoff,
        };
        warn!(
            offset,
            pause_seconds = pause.as_secs_f64(),
            error = %chain(error),
            remedy = error.remedy(),
            "request failed, trying again after a pause"
        );
        tokio::time::sleep(pause).await;
    }

    async fn try_page(&self, request: &PageRequest<'_>, tally: &Tally) -> Result<Page, ApiError> {
        let admission = self.budget.admit(request.priority);
        let place = tally.pulse.while_waiting(admission).await;
        let token = self.account.credentials.token(self.now())?;
        let mut auth = HeaderValue::from_str(token.expose_secret())
            .map_err(|_| ApiError::Unsigned(jsonwebtoken::errors::ErrorKind::InvalidToken.into()))?;
        auth.set_sensitive(true);
        tally.add_request();
        let sent = Instant::now();
        let sending = self
            .http
            .post(request.url(&self.endpoint))
            .header(AUTH, auth)
            .body(request.body(&self.account).to_string())
            .send();
        let answer = match sending.await {
            Ok(response) => {
                self.see_date(response.headers());
                body::read(response, self.account.response.max_bytes, self.now()).await
            }
            Err(error) => Err(ApiError::transport(error)),
        };
        // Before the place is free, and whether or not this page is tried again: with its retries
        // used up, the next window's first request would otherwise leave at once.
        if let Err(ApiError::RateLimited {
            retry_after: Some(pause),
            ..
        }) = &answer
        {
            self.budget.pause(*pause);
        }
        drop(place);
        tally.pulse.beat();
        if let Err(ApiError::RateLimited { .. }) = &answer {
            tally.add_rate_limited();
        }
        let outcome = answer.as_ref().err().map_or("ok", ApiError::kind);
        observe::request(&self.account.name, outcome, sent.elapsed());
        answer
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that sets what the lint asks for"
)]
fn http_client(account: &AccountConfig) -> Result<reqwest::Client, ClientError> {
    let unsendable = |_| ClientError::Header {
        account: account.name.clone(),
    };
    let headers = HeaderMap::from_iter([
        (
            ACCOUNT_ID,
            HeaderValue::from_str(&account.account_id).map_err(unsendable)?,
        ),
        (
            STREAM_ID,
            HeaderValue::from_str(&account.stream_id).map_err(unsendable)?,
        ),
        (ACCEPT, HeaderValue::from_static("application/json")),
        (
            CONTENT_TYPE,
            HeaderValue::from_static("application/json;charset=UTF-8"),
        ),
    ]);
    reqwest::Client::builder()
        .user_agent(concat!("smartassist-etl/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        // Our own auth header would be sent to whatever host a redirect names.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Every request is paid for from the budget, so none may be repeated behind its back.
        .retry(reqwest::retry::never())
        .connect_timeout(account.response.connect_timeout)
        .read_timeout(account.response.read_timeout)
        .timeout(account.response.request_timeout)
        .build()
        .map_err(ClientError::Http)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_about_the_limit_are_not_taken_for_the_same_and_different_in_turn() {
        let mut skew = ApiClock::default();
        let mut see = |seconds| {
            skew.see(TimeDelta::seconds(seconds), DateTime::UNIX_EPOCH);
            skew.is_other
        };
        assert!(!see(-5));
        assert!(see(-6));
        assert!(see(-5), "an answer that was a second faster");
        assert!(see(-4));
        assert!(!see(-2));
        assert!(!see(5));
    }

    #[test]
    fn what_one_answer_said_of_the_clock_long_ago_is_not_believed_for_ever() {
        let mut skew = ApiClock::default();
        let then = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        skew.see(-TimeDelta::days(20_000), then);
        let ahead = |minutes: i64| {
            let elapsed = TimeDelta::minutes(minutes);
            skew.ahead(then + elapsed, |_| elapsed.to_std().unwrap())
        };
        assert_eq!(ahead(2), Some(-TimeDelta::days(20_000)));
        assert_eq!(ahead(3), None);
    }
}
