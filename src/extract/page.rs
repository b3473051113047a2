//! The envelope of a response: a total that may or may not be one, and raw records.

use serde::Deserialize;
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
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Page {
    /// Reads a response body.
    ///
    /// `None` where it is not such an envelope: HTML, an error object, a body cut short. Bytes
    /// that are not UTF-8, and NUL, become U+FFFD. `data` as a lone object counts as one record.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut text = String::from_utf8_lossy(body);
        if memchr::memchr(0, body).is_some() {
            text = text.replace('\0', "\u{fffd}").into();
        }
        let envelope: Envelope<'_> = serde_json::from_str(&text).ok()?;
        let data = envelope.data?.get();
        let records = match data.as_bytes().first() {
            Some(b'[') => serde_json::from_str(data).ok()?,
            Some(b'{') => vec![RawValue::from_string(data.to_owned()).ok()?],
            _ => return None,
        };
        let reported = envelope
            .reported
            .and_then(|raw| raw.get().trim_matches('"').parse().ok());
        Some(Self { reported, records })
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
    fn a_lone_object_counts_as_one_record() {
        assert_eq!(Page::parse(br#"{"data": {"a":1}}"#).unwrap().records.len(), 1);
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
