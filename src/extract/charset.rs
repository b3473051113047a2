//! By byte order mark, declared charset or as UTF-8; notes where characters are unreadable.

use std::ops::Range;

use encoding_rs::{DecoderResult, Encoding, UTF_8};

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Bounds memory for a wrong charset.
const MOST_PLACES: usize = 10_000;

#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) unreadable: Unreadable,
}

#[derive(Debug, Default)]
pub(super) struct Unreadable {
    places: Vec<usize>,
    count: u64,
}

impl Unreadable {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// At least 1 where places are unknown.
    pub(super) fn within(&self, bytes: &Range<usize>) -> u64 {
        let before = |end| self.places.partition_point(|place| *place < end);
        let known = (before(bytes.end) - before(bytes.start)) as u64;
        let is_beyond = self.count > self.places.len() as u64 && self.places.last() < Some(&bytes.end);
        if is_beyond { known.max(1) } else { known }
    }

    fn note(&mut self, place: usize) {
        self.count += 1;
        if self.places.len() < MOST_PLACES {
            self.places.push(place);
        }
    }
}

fn declared(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, label) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        let label = label.trim().trim_matches(['"', '\'']);
        is_charset.then(|| Encoding::for_label(label.as_bytes()))?
    })
}

pub(super) fn decode(mut body: Vec<u8>, content_type: &str, most: usize) -> Option<Text> {
    let marked = Encoding::for_bom(&body);
    let (encoding, mark) = marked.unwrap_or_else(|| (declared(content_type).unwrap_or(UTF_8), 0));
    body.drain(..mark);
    let text = if encoding == UTF_8 {
        match String::from_utf8(body) {
            Ok(text) => Text {
                text,
                unreadable: Unreadable::default(),
            },
            Err(broken) => transcode(encoding, broken.as_bytes(), most)?,
        }
    } else {
        transcode(encoding, &body, most)?
    };
    without_nul(text, most)
}

fn transcode(encoding: &'static Encoding, mut body: &[u8], most: usize) -> Option<Text> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(body.len().min(most));
    let mut unreadable = Unreadable::default();
    loop {
        let (result, read) = decoder.decode_to_string_without_replacement(body, &mut text, true);
        body = &body[read..];
        if text.len() > most {
            return None;
        }
        match result {
            DecoderResult::InputEmpty => return Some(Text { text, unreadable }),
            DecoderResult::OutputFull => text.reserve(body.len().clamp(64, 64 * 1024)),
            DecoderResult::Malformed(..) => {
                unreadable.note(text.len());
                text.push(REPLACEMENT);
            }
        }
    }
}

/// PostgreSQL stores no U+0000; JSON must escape it.
fn without_nul(text: Text, most: usize) -> Option<Text> {
    if memchr::memchr(0, text.text.as_bytes()).is_none() {
        return (text.text.len() <= most).then_some(text);
    }
    let Text { text, unreadable } = text;
    let mut known = unreadable.places.iter().copied().peekable();
    let mut repaired = Unreadable::default();
    let mut shift = 0;
    for nul in memchr::memchr_iter(0, text.as_bytes()) {
        while let Some(place) = known.next_if(|place| *place < nul) {
            repaired.note(place + shift);
        }
        repaired.note(nul + shift);
        shift += REPLACEMENT.len_utf8() - 1;
    }
    for place in known {
        repaired.note(place + shift);
    }
    repaired.count += unreadable.count - unreadable.places.len() as u64;
    (text.len() + shift <= most).then(|| Text {
        text: text.replace('\0', "\u{fffd}"),
        unreadable: repaired,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json";
    const PLENTY: usize = 1 << 20;

    fn read(body: &[u8], content_type: &str) -> (String, u64) {
        let text = decode(body.to_vec(), content_type, PLENTY).unwrap();
        (text.text, text.unreadable.count())
    }

    #[test]
    fn each_charset_is_read_and_each_byte_order_mark_is_stripped() {
        let wide =
            |to_bytes: fn(u16) -> [u8; 2]| "{\"a\":\"Zoë €\"}".encode_utf16().flat_map(to_bytes).collect();
        let (little, big): (Vec<u8>, Vec<u8>) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
        for (mark, body, content_type) in [
            (&b""[..], "{\"a\":\"Zoë €\"}".as_bytes(), JSON),
            (b"\xef\xbb\xbf", "{\"a\":\"Zoë €\"}".as_bytes(), JSON),
            (
                b"\xef\xbb\xbf",
                "{\"a\":\"Zoë €\"}".as_bytes(),
                "application/json; charset=latin1",
            ),
            (
                b"",
                b"{\"a\":\"Zo\xeb \x80\"}",
                "application/json; charset=ISO-8859-1",
            ),
            (
                b"",
                b"{\"a\":\"Zo\xeb \x80\"}",
                "application/json;boundary=x; Charset=\"Windows-1252\"",
            ),
            (
                b"",
                b"{\"a\":\"Zo\xeb \xa4\"}",
                "application/json; charset=iso-8859-15",
            ),
            (b"\xff\xfe", &little, JSON),
            (b"\xfe\xff", &big, JSON),
            (b"", &little, "application/json; charset=utf-16le"),
            (b"", &big, "application/json; charset=UTF-16BE"),
            (
                b"",
                "{\"a\":\"Zoë €\"}".as_bytes(),
                "application/json; charset=no-such-charset",
            ),
        ] {
            let body = [mark, body].concat();
            assert_eq!(
                read(&body, content_type),
                ("{\"a\":\"Zoë €\"}".to_owned(), 0),
                "{content_type}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_replaced_and_counted_in_its_place() {
        let text = decode(b"ab\xffc\0d\xe2\x82".to_vec(), JSON, PLENTY).unwrap();
        assert_eq!(text.text, "ab\u{fffd}c\u{fffd}d\u{fffd}");
        let within = |bytes: Range<usize>| text.unreadable.within(&bytes);
        assert_eq!(text.unreadable.count(), 3);
        assert_eq!(
            [within(0..2), within(0..5), within(5..9), within(6..13)],
            [0, 1, 1, 2]
        );
    }

    #[test]
    fn ranges_beyond_the_known_places_count_at_least_one() {
        let text = decode(vec![0xff; MOST_PLACES + 5], JSON, PLENTY).unwrap();
        let known = MOST_PLACES * 3;
        assert_eq!(text.unreadable.count(), MOST_PLACES as u64 + 5);
        assert_eq!(text.unreadable.within(&(0..3)), 1);
        assert_eq!(text.unreadable.within(&(known..known + 9)), 1);
    }

    #[test]
    fn what_grows_past_the_limit_as_text_is_not_read() {
        for body in [&b"\xff\xff"[..], b"\0\0", b"12345"] {
            assert!(decode(body.to_vec(), JSON, 4).is_none(), "{body:?}");
        }
        assert!(decode(b"1234".to_vec(), JSON, 4).is_some());
    }
}
