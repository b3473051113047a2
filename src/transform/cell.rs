use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use uuid::Uuid;

use super::JsonText;
use super::fields::{Response, TagScope};

/// Microseconds of 2000-01-01, PostgreSQL's epoch.
const EPOCH: i64 = 946_684_800_000_000;

const EPOCH_DAY: i32 = 10_957;

/// As in `pg_type`.
const INTEGER_OID: i32 = 23;
const TEXT_OID: i32 = 25;

#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i32),
    Integers(&'a [i32]),
    Bigint(i64),
    Date(NaiveDate),
    Timestamp(NaiveDateTime),
    Timestamptz(DateTime<Utc>),
    Text(&'a str),
    Texts(Vec<Option<&'a str>>),
    Jsonb(&'a str),
    Uuid(Uuid),
    Bytea(&'a [u8]),
}

impl Cell<'_> {
    /// Appends length and bytes: PostgreSQL manual, COPY, Binary Format.
    pub fn encode(&self, buffer: &mut Vec<u8>) {
        let mut add = |parts: &[&[u8]]| {
            buffer.extend(length(parts.iter().map(|part| part.len()).sum()));
            parts.iter().for_each(|part| buffer.extend(*part));
        };
        match self {
            Self::Null => buffer.extend((-1_i32).to_be_bytes()),
            Self::Boolean(flag) => add(&[&[u8::from(*flag)]]),
            Self::Integer(number) => add(&[&number.to_be_bytes()]),
            Self::Bigint(number) => add(&[&number.to_be_bytes()]),
            Self::Date(day) => add(&[&(day.to_epoch_days() - EPOCH_DAY).to_be_bytes()]),
            Self::Timestamp(at) => add(&[&(at.and_utc().timestamp_micros() - EPOCH).to_be_bytes()]),
            Self::Timestamptz(instant) => add(&[&(instant.timestamp_micros() - EPOCH).to_be_bytes()]),
            Self::Text(text) => add(&[text.as_bytes()]),
            Self::Integers(numbers) => add(&[&array(
                INTEGER_OID,
                numbers.iter().map(|number| Cell::Integer(*number)),
            )]),
            Self::Texts(texts) => add(&[&array(
                TEXT_OID,
                texts.iter().map(|text| text.map_or(Cell::Null, Cell::Text)),
            )]),
            // Version 1 of the form is text.
            Self::Jsonb(text) => add(&[&[1], text.as_bytes()]),
            Self::Uuid(uuid) => add(&[uuid.as_bytes()]),
            Self::Bytea(bytes) => add(&[bytes]),
        }
    }
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).unwrap_or(i32::MAX).to_be_bytes()
}

/// Dimensions, whether there are nulls, type; then length and first index of the one dimension.
fn array<'a>(oid: i32, cells: impl ExactSizeIterator<Item = Cell<'a>> + Clone) -> Vec<u8> {
    let dimensions = i32::from(cells.len() > 0);
    let has_nulls = i32::from(cells.clone().any(|cell| cell == Cell::Null));
    let mut array = [dimensions, has_nulls, oid].map(i32::to_be_bytes).concat();
    if dimensions == 1 {
        array.extend(length(cells.len()));
        array.extend(1_i32.to_be_bytes());
    }
    cells.for_each(|cell| cell.encode(&mut array));
    array
}

pub(super) trait ToCell {
    fn cell(&self) -> Cell<'_>;
}

impl<T: ToCell> ToCell for Option<T> {
    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, T::cell)
    }
}

macro_rules! cells {
    ($($rust:ty: $value:ident => $cell:expr;)+) => {$(
        impl ToCell for $rust {
            fn cell(&self) -> Cell<'_> {
                let $value = self;
                $cell
            }
        }
    )+};
}

cells! {
    bool: flag => Cell::Boolean(*flag);
    i32: number => Cell::Integer(*number);
    i64: number => Cell::Bigint(*number);
    NaiveDate: day => Cell::Date(*day);
    NaiveDateTime: at => Cell::Timestamp(*at);
    Uuid: uuid => Cell::Uuid(*uuid);
    &str: text => Cell::Text(text);
    &Vec<Option<String>>: texts => (*texts).cell();
    DateTime<Utc>: instant => Cell::Timestamptz(*instant);
    String: text => Cell::Text(text);
    Vec<i32>: numbers => Cell::Integers(numbers);
    Vec<Option<String>>: texts => Cell::Texts(texts.iter().map(Option::as_deref).collect());
    Vec<String>: texts => Cell::Texts(texts.iter().map(|text| Some(text.as_str())).collect());
    JsonText: json => Cell::Jsonb(json.text());
    Response: response => Cell::Text(response.as_str());
    TagScope: scope => Cell::Text(scope.as_str());
}
