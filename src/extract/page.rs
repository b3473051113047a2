//! The envelope of a response: a total that may or may not be one, and raw records.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One record as the API sent it. It is parsed later, alone, so that it can only spoil itself.
pub type RawRecord = Box<RawValue>;

/// One page of a window.
#[derive(Debug)]
pub struct Page {
    /// `numResults`, where it is a number: the size of the page or of the whole window, nobody says.
    pub reported: Option<u64>,
    /// The records, in the order of the response.
    pub records: Vec<RawRecord>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "numResults", borrow, default)]
    reported: Option<&'a RawValue>,
    /// The text `null` where it is null, and nothing only where it is absent.
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

/// What tells a record from an error object: the ids that rows are keyed by.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(borrow, default)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    conversation_id: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn is_record(object: &str) -> bool {
    serde_json::from_str::<Identity<'_>>(object)
        .is_ok_and(|identity| identity.session_id.or(identity.conversation_id).is_some())
}

impl Envelope<'_> {
    /// Whether it says that something went wrong. A key that is there for form's sake says
    /// nothing, and neither does one that says that all is well; about any other word it is
    /// better to ask again than to take a failure for an empty window.
    fn complains(&self) -> bool {
        [self.error, self.errors, self.message]
            .into_iter()
            .flatten()
            .map(RawValue::get)
            .any(|text| {
                let word = text.trim_matches('"').to_ascii_lowercase();
                !["false", "null", "ok", "success", "successful"].contains(&word.as_str())
                    && word.contains(|char: char| !" \t\r\n\"[]{}".contains(char))
            })
    }
}

impl Page {
    /// Reads a response body.
    ///
    /// `None` where it is not such an envelope: HTML, an error object, a body cut short. Bytes
    /// that are not UTF-8, and NUL, become U+FFFD. A page that is read wrongly as holding nothing,
    /// or an error read as a record, would count as read and never be asked for again. So `data` as
    /// a lone object is one record only with an id; as null, no record only where the total is 0;
    /// and no record beside an error message is no page.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut text = String::from_utf8_lossy(body);
        if memchr::memchr(0, body).is_some() {
            text = text.replace('\0', "\u{fffd}").into();
        }
        let envelope: Envelope<'_> = serde_json::from_str(&text).ok()?;
        let reported = envelope
            .reported
            .and_then(|raw| raw.get().trim_matches('"').parse().ok());
        let data = envelope.data?.get();
        let records: Vec<RawRecord> = match data.as_bytes().first() {
            Some(b'[') => serde_json::from_str(data).ok()?,
            Some(b'{') if is_record(data) => vec![RawValue::from_string(data.to_owned()).ok()?],
            Some(b'n') if reported == Some(0) => Vec::new(),
            _ => return None,
        };
        let is_page = !records.is_empty() || !envelope.complains();
        is_page.then_some(Self { reported, records })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_total_and_raw_records() {
        let page = Page::parse(br#"{"numResults": 14, "data": [{"a":1}, 7, null]}"#).unwrap();
        assert_eq!(page.reported, Some(14));
        let texts: Vec<&str> = page.records.iter().map(|record| record.get()).collect();
        assert_eq!(texts, [r#"{"a":1}"#, "7", "null"]);
    }

    #[test]
    fn a_record_that_no_parser_would_take_does_not_spoil_its_page() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let body = format!(r#"{{"data": [{{"a":"\ud800"}}, {deep}, {{"b":1e999}}]}}"#);
        assert_eq!(Page::parse(body.as_bytes()).unwrap().records.len(), 3);
    }

    #[test]
    fn bytes_that_are_not_text_become_replacement_characters() {
        let page = Page::parse(b"{\"data\": [{\"a\":\"x\xffy\0z\"}]}").unwrap();
        assert_eq!(page.records[0].get(), "{\"a\":\"x\u{fffd}y\u{fffd}z\"}");
    }

    #[test]
    fn a_lone_object_with_an_id_counts_as_one_record() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for object in [
            r#"{"sessionId":"s-1","message":"hello"}"#.to_owned(),
            r#"{"sessionId":null,"conversationId":7}"#.to_owned(),
            format!(r#"{{"sessionId":"\ud800","a":{deep}}}"#),
        ] {
            let page = Page::parse(format!(r#"{{"data": {object}}}"#).as_bytes()).unwrap();
            let texts: Vec<&str> = page.records.iter().map(|record| record.get()).collect();
            assert_eq!(texts, [object]);
        }
    }

    #[test]
    fn a_lone_object_without_an_id_is_no_page() {
        for object in [
            r#"{"message":"Internal error"}"#,
            r#"{"sessionId":null,"conversationId":null}"#,
            r#"{"error":{"sessionId":"s-1"}}"#,
            "{}",
        ] {
            let body = format!(r#"{{"numResults":1,"data":{object}}}"#);
            assert!(Page::parse(body.as_bytes()).is_none(), "{object}");
        }
    }

    #[test]
    fn null_is_no_record_only_where_the_total_is_none() {
        for total in ["0", "\"0\""] {
            let body = format!(r#"{{"numResults":{total},"data":null}}"#);
            let page = Page::parse(body.as_bytes()).unwrap();
            assert_eq!((page.reported, page.records.len()), (Some(0), 0));
        }
        for body in [
            r#"{"numResults":3,"data":null}"#,
            r#"{"numResults":null,"data":null}"#,
            r#"{"numResults":0}"#,
            r#"{"numResults":0,"data":null,"error":"x"}"#,
        ] {
            assert!(Page::parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn an_error_beside_no_record_is_no_page() {
        for key in ["error", "errors", "message"] {
            for said in [r#""failed""#, r#"{"code":500}"#, r#"["x"]"#, "500", "true"] {
                let body = format!(r#"{{"numResults":0,"data":[],"{key}":{said}}}"#);
                assert!(Page::parse(body.as_bytes()).is_none(), "{body}");
                let body = format!(r#"{{"data":[{{"a":1}}],"{key}":{said}}}"#);
                assert_eq!(Page::parse(body.as_bytes()).unwrap().records.len(), 1, "{body}");
            }
            for nothing in [
                "null",
                r#""""#,
                r#"" ""#,
                "[]",
                "[ ]",
                "{}",
                "false",
                r#""Success""#,
            ] {
                let body = format!(r#"{{"data":[],"{key}":{nothing}}}"#);
                assert!(Page::parse(body.as_bytes()).unwrap().records.is_empty(), "{body}");
            }
        }
    }

    #[test]
    fn what_is_no_envelope_is_not_a_page() {
        for body in [
            "",
            "<html>",
            "{}",
            "[]",
            r#"{"error":"x"}"#,
            r#"{"data": [{"a":1}"#,
            r#"{"data": null}"#,
        ] {
            assert!(Page::parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn a_total_that_is_no_number_is_no_total() {
        assert_eq!(
            Page::parse(br#"{"numResults": "many", "data": []}"#)
                .unwrap()
                .reported,
            None
        );
        assert_eq!(
            Page::parse(br#"{"numResults": "12", "data": []}"#)
                .unwrap()
                .reported,
            Some(12)
        );
    }
}
