use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::config::AccountConfig;

use super::ClientError;

const ACCOUNT_ID: HeaderName = HeaderName::from_static("accountid");
const STREAM_ID: HeaderName = HeaderName::from_static("iid");

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that sets what the lint asks for"
)]
pub(super) fn client(account: &AccountConfig) -> Result<reqwest::Client, ClientError> {
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
            HeaderValue::from_str(&account.filters.stream_id).map_err(unsendable)?,
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
        // A redirect would receive our auth header.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // The budget must count every request.
        .retry(reqwest::retry::never())
        .connect_timeout(account.response.connect_timeout)
        .read_timeout(account.response.read_timeout)
        .timeout(account.response.request_timeout)
        .build()
        .map_err(ClientError::Http)
}
