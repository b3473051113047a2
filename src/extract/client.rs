//! Asks within the budget, and again after failures.

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::answer::{self, Answer};
use super::clock::{self, ApiClock};
use super::{Action, ApiError, Budget, HOURLY_LIMIT_REMEDY, Page, PageRequest, Tally, body};
use crate::config::AccountConfig;
use crate::json::replaced_characters;
use crate::telemetry::{self, chain};
use crate::time::{Clock, NORMAL_SKEW};

const AUTH: HeaderName = HeaderName::from_static("auth");
const ACCOUNT_ID: HeaderName = HeaderName::from_static("accountid");
const STREAM_ID: HeaderName = HeaderName::from_static("iid");

const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

const RETRIES_PAST_THE_END: usize = 1;

const RETRIES_OF_A_MESSAGE: usize = 2;

#[derive(Debug)]
pub struct ApiClient {
    account: AccountConfig,
    endpoint: reqwest::Url,
    http: reqwest::Client,
    pub budget: Budget,
    clock: Arc<dyn Clock>,
    api_clock: Mutex<ApiClock>,
    says_unreadable: Once,
}

/// As without certificate authorities on this machine.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client")]
pub struct ClientError(#[source] reqwest::Error);

impl ApiClient {
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
            api_clock: Mutex::default(),
            says_unreadable: Once::new(),
        })
    }

    pub fn account(&self) -> &AccountConfig {
        &self.account
    }

    pub async fn page(&self, request: &PageRequest<'_>, tally: &Tally) -> Result<Page, ApiError> {
        let retry = self.account.retry;
        let retries = match request.may_be_past_the_end {
            true => RETRIES_PAST_THE_END,
            false => retry.max_retries,
        };
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(retry.pause)
            .with_max_delay(LONGEST_BACKOFF)
            .with_max_times(retry.max_retries)
            .with_jitter()
            .build();
        let (mut failures, mut signed_in_again, mut said_nothing) = (0, false, false);
        loop {
            let error = match self.try_page(request, tally).await {
                Ok(Answer::EmptyIfAgreed) if !said_nothing => {
                    said_nothing = true;
                    debug!(
                        offset = request.offset,
                        "an answer says in its own way that there is nothing, asking once more"
                    );
                    tokio::time::sleep(retry.pause).await;
                    continue;
                }
                Ok(answer) => return Ok(self.accept(answer, tally)),
                Err(error) => error,
            };
            match error.action() {
                Action::Retry => {
                    let most = match &error {
                        ApiError::RateLimited { .. } => retry.max_retries,
                        ApiError::Message | ApiError::ErrorObjects => retries.min(RETRIES_OF_A_MESSAGE),
                        _ => retries,
                    };
                    let Some(pause) = pauses.next().filter(|_| failures < most) else {
                        return Err(error);
                    };
                    failures += 1;
                    self.pause(&error, pause, request.offset).await;
                }
                Action::SignInAgain if !signed_in_again => {
                    signed_in_again = true;
                    debug!(offset = request.offset, error = %chain(&error), "signing in again");
                }
                Action::SignInAgain | Action::GiveUpWindow | Action::StopAccount => return Err(error),
            }
            tally.note(|cost| cost.retries += 1);
            telemetry::retry(&self.account.name);
        }
    }

    fn accept(&self, answer: Answer, tally: &Tally) -> Page {
        let page = match answer {
            Answer::Page(page) => page,
            Answer::EmptyIfAgreed => Page::default(),
        };
        tally.note(|cost| {
            cost.pages += 1;
            cost.records += page.records.len() as u64;
        });
        let characters: u64 = page
            .records
            .iter()
            .map(|record| replaced_characters(record.get()))
            .sum();
        if characters > 0 {
            telemetry::unreadable(&self.account.name, characters);
            self.says_unreadable.call_once(|| {
                warn!(
                    characters,
                    remedy = "where nobody typed U+FFFD, tell the vendor that its answers are not in the charset that they name; the \
                              warnings of sessions show where",
                    "characters of an answer cannot be read, and were replaced; later ones are only counted"
                );
            });
        }
        page
    }

    /// How far the API's clock is ahead, to about a second.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.api_clock().newest()
    }

    /// The API's time if recently seen and different, else ours.
    pub fn now(&self) -> DateTime<Utc> {
        self.api_clock().now(&*self.clock)
    }

    fn api_clock(&self) -> MutexGuard<'_, ApiClock> {
        self.api_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see_date(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(clock::date) else {
            return;
        };
        let now = self.clock.now();
        let ahead = date - now.trunc_subsecs(0);
        telemetry::clock_skew(&self.account.name, ahead);
        let mut api_clock = self.api_clock();
        api_clock.see(ahead, now);
        let is_far = ahead.abs() > NORMAL_SKEW;
        if is_far && !api_clock.is_said {
            let remedy = if clock::is_too_far_to_sign(ahead) {
                "have this machine's clock set by NTP; if it is right, ask who answers at base_url: the API's clock is followed for an \
                 hour at most, so tokens are signed by this machine's"
            } else {
                "have this machine's clock set by NTP; until then nothing is read beyond what both clocks have passed, and tokens \
                 are signed by the API's"
            };
            warn!(
                account = self.account.name,
                skew_seconds = ahead.num_seconds(),
                remedy,
                "this machine's clock and the API's are far apart"
            );
        }
        api_clock.is_said = is_far;
    }

    async fn pause(&self, error: &ApiError, backoff: Duration, offset: usize) {
        let pause = match error {
            ApiError::RateLimited { retry_after, .. } => {
                // Longer if the hourly limit seems exhausted.
                self.budget.pause(backoff.max(retry_after.unwrap_or_default()))
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

    async fn try_page(&self, request: &PageRequest<'_>, tally: &Tally) -> Result<Answer, ApiError> {
        let place = self.budget.admit(request.priority).await;
        let token = self
            .account
            .credentials
            .token(self.api_clock().now_to_sign(&*self.clock))?;
        // Only a configured one can fail: those that we sign are base64.
        let auth = HeaderValue::from_str(token.expose_secret()).ok();
        let auth = auth.filter(|auth| auth.to_str().is_ok());
        let mut auth = auth.ok_or(ApiError::UnsendableToken)?;
        auth.set_sensitive(true);
        tally.note(|cost| cost.requests += 1);
        let sent = Instant::now();
        let sending = self
            .http
            .post(request.url(&self.endpoint))
            .header(AUTH, auth)
            // The configuration takes visible ASCII alone.
            .header(ACCOUNT_ID, &self.account.account_id)
            .header(STREAM_ID, &self.account.filters.stream_id)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json;charset=UTF-8")
            .body(request.body(&self.account).to_string())
            .send();
        let answer = match sending.await {
            Ok(response) => {
                self.see_date(response.headers());
                self.read(response).await
            }
            Err(error) => Err(ApiError::transport(error)),
        };
        // Before the place is freed, or the next request leaves at once.
        self.learn_of_limits(&answer, sent, tally);
        drop(place);
        let outcome = answer.as_ref().err().map_or("ok", ApiError::kind);
        telemetry::request(&self.account.name, outcome, sent.elapsed());
        answer
    }

    async fn read(&self, response: Response) -> Result<Answer, ApiError> {
        let most = self.account.response.max_bytes;
        let received = body::receive(response, most, self.now()).await?;
        answer::judge(received, most)
    }

    fn learn_of_limits(&self, answer: &Result<Answer, ApiError>, sent: Instant, tally: &Tally) {
        match answer {
            Ok(_) => self.budget.let_in(),
            Err(ApiError::RateLimited {
                retry_after,
                is_of_minute,
                ..
            }) => {
                tally.note(|cost| cost.rate_limited += 1);
                if let Some(pause) = *retry_after {
                    self.budget.pause(pause);
                }
                if !is_of_minute && let Some(pause) = self.budget.turned_away(sent) {
                    let pause = retry_after.unwrap_or(pause);
                    self.budget.pause(pause);
                    warn!(
                        account = self.account.name,
                        pause_seconds = pause.as_secs(),
                        remedy = HOURLY_LIMIT_REMEDY,
                        "the API turns requests away although the minute is free: its limit of the hour seems to be used up"
                    );
                }
            }
            Err(_) => {}
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that sets what the lint asks for"
)]
fn http_client(account: &AccountConfig) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .user_agent(concat!("smartassist-etl/", env!("CARGO_PKG_VERSION")))
        // A redirect would receive our auth header.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // The budget must count every request.
        .retry(reqwest::retry::never())
        .connect_timeout(account.response.connect_timeout)
        .read_timeout(account.response.read_timeout)
        .timeout(account.response.request_timeout)
        .build()
        .map_err(ClientError)
}
