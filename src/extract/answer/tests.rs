use super::*;

const JSON: &str = "application/json";

fn judged(status: u16, content_type: &str, body: &[u8]) -> Result<Answer, ApiError> {
    let received = Received {
        status: StatusCode::from_u16(status).unwrap(),
        content_type: content_type.to_owned(),
        retry_after: None,
        body: body.to_vec(),
    };
    judge(received, 1 << 20)
}

fn in_a_word(status: u16, content_type: &str, body: &[u8]) -> String {
    match judged(status, content_type, body) {
        Ok(Answer::Page(page)) => {
            let reported = page
                .reported
                .map_or("-".to_owned(), |reported| reported.to_string());
            format!("{reported}/{}", page.records.len())
        }
        Ok(Answer::EmptyIfAgreed) => "empty if agreed".to_owned(),
        Err(error) => error.kind().to_owned(),
    }
}

const BODIES: &[(&str, &str)] = &[
    (
        r#"{"numResults":14,"data":[{"sessionId":"a"},{"conversationId":"b"}]}"#,
        "14/2",
    ),
    (r#"{"numResults":"12","data":[{"sessionId":7}]}"#, "12/1"),
    (
        r#"{"numResults":"many","data":[{"sessionid":"a","message":"x"}]}"#,
        "-/1",
    ),
    (r#"{"data":[{"SESSIONID":""}]}"#, "-/1"),
    (
        r#"{"data":[{"sessionId":"undefined","conversationId":null}]}"#,
        "-/1",
    ),
    (
        r#"{"data":[{"sessionId":"a"}],"message":"beside a record"}"#,
        "-/1",
    ),
    (r#"{"data":[{"sessionId":"a"}],"error":{"code":500}}"#, "-/1"),
    (r#"{"data":{"sessionId":"a lone record"}}"#, "-/1"),
    (r#"{"data":[{"sessionId":"a","sessionId":"twice"}]}"#, "-/1"),
    (r#"{"data":[{"session\u0049d":"a"}]}"#, "-/1"),
    (r#"{"data":[{"sessionId":"\ud800"}]}"#, "-/1"),
    (r#"{"data":[{"sessionId":"a","n":1e999}]}"#, "-/1"),
    (r#"{"numResults":0,"data":[]}"#, "0/0"),
    (r#"{"numResults":3,"data":[]}"#, "3/0"),
    (r#"{"data":[]}"#, "-/0"),
    (r#"{"numResults":0,"data":null}"#, "0/0"),
    (r#"{"numResults":"0","data":null}"#, "0/0"),
    (
        r#"{"data":[],"error":null,"errors":[],"message":"Success"}"#,
        "-/0",
    ),
    (r#"{"data":[],"error":{},"errors":false,"message":" "}"#, "-/0"),
    (
        r#"{"data":[{"sessionId":"a"},{"errors":[{"msg":"x","code":500}]}]}"#,
        "-/2",
    ),
    (
        r#"{"data":[null,7,"text",[],[{"sessionId":"in a list"}],{},{"sessionId":"a"}]}"#,
        "-/7",
    ),
    (
        r#"{"data":[{"sessionId":"a"},{"sessionId":null},{"sessionId":{"of":1},"conversationId":[1]}]}"#,
        "-/3",
    ),
    (
        r#"{"data":[{"sessionId":"a"},{"sessionId":true},{"error":{"sessionId":"b"}}]}"#,
        "-/3",
    ),
    (r#"{"numResults":0}"#, "empty if agreed"),
    (r#"{"numResults":"0"}"#, "empty if agreed"),
    (
        r#"{"numResults":0,"message":"No records found"}"#,
        "empty if agreed",
    ),
    (
        r#"{"numResults":0,"data":[],"message":"No records found"}"#,
        "empty if agreed",
    ),
    (r#"{"data":[],"message":"No records found"}"#, "empty if agreed"),
    (
        r#"{"numResults":0,"data":null,"message":"nothing"}"#,
        "empty if agreed",
    ),
    (r#"{"numResults":0,"data":{}}"#, "empty if agreed"),
    (r#"{"numResults":0,"data":""}"#, "empty if agreed"),
    (
        r#"{"data":[],"success":false,"errorMessage":"no index"}"#,
        "empty if agreed",
    ),
    (r#"{"numResults":0,"data":[],"success":false}"#, "empty if agreed"),
    (
        r#"{"numResults":0,"data":[],"success":"false"}"#,
        "empty if agreed",
    ),
    (r#"{"status":"error","data":[]}"#, "empty if agreed"),
    (r#"{"STATUS":"Failed","data":[]}"#, "empty if agreed"),
    (r#"{"data":[],"statusCode":500}"#, "empty if agreed"),
    (
        r#"{"data":[],"meta":{"page":0,"reason":"index not ready"}}"#,
        "empty if agreed",
    ),
    (r#"{"data":[],"warnings":["shard 3 failed"]}"#, "empty if agreed"),
    (r#"{"data":[],"total":300}"#, "empty if agreed"),
    (r#"{"data":[],"hasMore":true}"#, "empty if agreed"),
    (
        r#"{"numResults":0,"data":null,"status":"error"}"#,
        "empty if agreed",
    ),
    (
        r#"{"numResults":0,"data":[],"Message":"No records found"}"#,
        "empty if agreed",
    ),
    (
        r#"{"numResults":0,"data":[],"hasMore":false,"pageNumber":0,"limit":100,"took":12}"#,
        "0/0",
    ),
    (
        r#"{"NumResults":0,"Data":[],"success":true,"status":"Success","statusCode":200,"code":0}"#,
        "0/0",
    ),
    (
        r#"{"data":[],"requestId":"4f-2","timestamp":"2026-01-15T12:00:00Z","errorMessage":"","failed":false,"errorCode":0}"#,
        "-/0",
    ),
    (
        r#"{"data":[],"meta":{"page":1,"total":0,"next":null},"warnings":[]}"#,
        "-/0",
    ),
    (r#"{"Error":"x","data":[]}"#, "message"),
    (r#"{"numResults":0,"data":[],"ERRORS":[{"code":500}]}"#, "message"),
    (
        r#"{"message":"Offset is beyond the total number of records"}"#,
        "message",
    ),
    (r#"{"error":"x"}"#, "message"),
    (r#"{"errors":[{"msg":"x","code":4002}]}"#, "message"),
    (r#"{"numResults":0,"data":[],"error":"failed"}"#, "message"),
    (r#"{"numResults":0,"data":[],"errors":[{"code":500}]}"#, "message"),
    (r#"{"numResults":0,"data":null,"error":true}"#, "message"),
    (r#"{"numResults":0,"error":500}"#, "message"),
    (r#"{"numResults":3,"message":"not now"}"#, "message"),
    (
        r#"{"numResults":1,"data":[{"errors":[{"msg":"Internal server error","code":500}]}]}"#,
        "message",
    ),
    (r#"{"numResults":2,"data":[null,"text"]}"#, "message"),
    (r#"{"data":[{"sessionId":null}]}"#, "message"),
    (
        r#"{"numResults":1,"data":{"message":"Internal error"}}"#,
        "message",
    ),
    (r#"{"data":{"error":{"sessionId":"a"}}}"#, "message"),
    (
        r#"{"numResults":0,"data":[],"message":"Data older than 90 days is not kept"}"#,
        "message",
    ),
    (
        r#"{"numResults":0,"message":"outside of the retention period"}"#,
        "message",
    ),
    ("", "undecodable"),
    ("<html>", "undecodable"),
    ("{}", "undecodable"),
    ("[]", "undecodable"),
    ("null", "undecodable"),
    (r#"{"data":null}"#, "undecodable"),
    (r#"{"numResults":null,"data":null}"#, "undecodable"),
    (r#"{"numResults":3,"data":null}"#, "undecodable"),
    (r#"{"numResults":3}"#, "undecodable"),
    (r#"{"numResults":1,"data":{}}"#, "undecodable"),
    (r#"{"numResults":1,"data":"text"}"#, "undecodable"),
    (r#"{"data":[{"sessionId":"a"}"#, "undecodable"),
    (r#"{"data":[{"sessionId":"a"}]} and more"#, "undecodable"),
    (
        r#"{"numResults":0,"data":[],"message":"Rate limit for this API has been reached"}"#,
        "rate_limited",
    ),
    (
        r#"{"data":{"message":"You've exceeded the per-minute rate limit"}}"#,
        "rate_limited",
    ),
    (r#"{"data":[{"sessionId":"a","said":"the rate limit"}]}"#, "-/1"),
];

#[test]
fn every_body_of_status_200_is_what_it_is() {
    for (body, want) in BODIES {
        assert_eq!(in_a_word(200, JSON, body.as_bytes()), *want, "{body}");
        let marked = [b"\xef\xbb\xbf", body.as_bytes()].concat();
        assert_eq!(
            in_a_word(200, JSON, &marked),
            *want,
            "with a byte order mark: {body}"
        );
    }
}

#[test]
fn every_other_status_is_what_it_is() {
    let limited = br#"{"errors":[{"msg":"Rate limit for this API has been reached"}]}"#;
    let page = br#"{"data":[{"sessionId":"a"}]}"#;
    for (status, body, want) in [
        (204, &b""[..], "-/0"),
        (204, b"rubbish", "-/0"),
        (201, page, "unaccepted"),
        (206, page, "unaccepted"),
        (302, b"", "redirected"),
        (400, b"{}", "unaccepted"),
        (404, b"no records", "unaccepted"),
        (401, b"", "refused"),
        (403, page, "refused"),
        (408, b"", "server_fault"),
        (429, b"", "rate_limited"),
        (500, b"<html>", "server_fault"),
        (503, limited, "rate_limited"),
        (400, limited, "rate_limited"),
        (403, limited, "rate_limited"),
    ] {
        assert_eq!(in_a_word(status, JSON, body), want, "{status}");
    }
}

#[test]
fn a_page_is_read_in_the_charset_that_it_declares() {
    let latin = b"{\"data\":[{\"sessionId\":\"s\",\"name\":\"Zo\xeb\"}]}";
    assert_eq!(
        in_a_word(200, "application/json; charset=iso-8859-1", latin),
        "-/1"
    );
    let Ok(Answer::Page(page)) = judged(200, JSON, latin) else {
        panic!("no page");
    };
    assert_eq!(
        page.records[0].get(),
        "{\"sessionId\":\"s\",\"name\":\"Zo\u{fffd}\"}"
    );
    let wide: Vec<u8> = String::from_utf8_lossy(latin)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(in_a_word(200, "application/json; charset=utf-16", &wide), "-/1");
    assert_eq!(in_a_word(200, JSON, &[b"\xff\xfe", &wide[..]].concat()), "-/1");
}

#[test]
fn a_page_of_more_than_500_elements_is_refused() {
    let of = |element: &str, count: usize| format!("{{\"data\":[{}]}}", vec![element; count].join(","));
    let record = r#"{"sessionId":"a"}"#;
    for (body, want) in [
        (of(record, 200), "-/200"),
        (of(record, 500), "-/500"),
        (of(record, 501), "undecodable"),
        (of("0", 400_000), "undecodable"),
    ] {
        assert_eq!(in_a_word(200, JSON, body.as_bytes()), want);
    }
}

#[test]
fn what_no_parser_would_take_does_not_spoil_its_page() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let body =
        format!(r#"{{"data":[{{"sessionId":"a","deep":{deep}}},{deep},{{"sessionId":"b","x":"\ud800"}}]}}"#);
    assert_eq!(in_a_word(200, JSON, body.as_bytes()), "-/3");
    let alone = format!(r#"{{"data":{{"deep":{deep},"sessionId":"a"}}}}"#);
    assert_eq!(in_a_word(200, JSON, alone.as_bytes()), "-/1");
}

#[test]
fn an_answer_that_is_too_large_as_text_is_said_to_be() {
    let received = Received {
        status: StatusCode::OK,
        content_type: String::new(),
        retry_after: None,
        body: vec![0xff; 10],
    };
    assert!(matches!(
        judge(received, 20),
        Err(ApiError::TooLarge { limit: 20 })
    ));
}
