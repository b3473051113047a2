//! Whatever comes as an answer: a page, nothing, or an error, but no panic and no more memory than the answer takes.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use reqwest::StatusCode;
use smartassist_etl::extract::{Answer, ApiError, Received, judge};

/// The cap on an answer's text.
const MOST: usize = 64 * 1024;

/// What the first byte of the input stands for.
const STATUSES: [u16; 16] = [
    200, 200, 200, 200, 200, 200, 200, 200, 200, 204, 206, 302, 400, 401, 429, 503,
];
const CONTENT_TYPES: [&str; 16] = [
    "",
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=\"UTF-8\"",
    "application/json; charset=iso-8859-1",
    "application/json; charset=windows-1252",
    "application/json; charset=utf-16",
    "application/json; charset=utf-16be",
    "application/json; charset=shift_jis",
    "application/json; charset=gb18030",
    "application/json; charset=iso-2022-jp",
    "application/json; charset=euc-kr",
    "application/json; charset=replacement",
    "application/json; charset=",
    "; charset=koi8-r; charset=utf-8",
    "text/html; boundary=x; Charset = big5",
];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((&kind, body)) = bytes.split_first() else {
        return Corpus::Reject;
    };
    let status = StatusCode::from_u16(STATUSES[usize::from(kind >> 4)]).expect("a status");
    let received = Received {
        status,
        content_type: CONTENT_TYPES[usize::from(kind & 15)].to_owned(),
        retry_after: None,
        body: body.to_vec(),
    };
    match judge(received, MOST) {
        Ok(Answer::Page(page)) => {
            assert!(page.records.len() <= 500);
            let texts = || page.records.iter().map(|element| element.get());
            assert!(texts().map(str::len).sum::<usize>() <= MOST);
            assert!(texts().all(|text| !text.contains('\0')));
            assert!(status == 200 || status == 204 && page.records.is_empty());
        }
        Ok(Answer::EmptyIfAgreed) => assert_eq!(status, 200),
        Err(ApiError::Unsigned(_) | ApiError::Secret(_) | ApiError::Transport { .. }) => {
            panic!("no answer says so");
        }
        Err(_) => {}
    }
    Corpus::Keep
});
