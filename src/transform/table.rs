//! Generates structs, readers and metadata from the table of fields.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::coerce::FieldKind;
use super::fields::{Response, TagScope};
use super::privacy::Privacy;
use crate::json;

#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// From its row.
    pub path: &'static str,
    pub column: Option<&'static str>,
    pub kind: FieldKind,
    pub(super) privacy: Privacy,
}

#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// With its schema.
    pub name: &'static str,
    /// Without the interaction key.
    pub columns: &'static [&'static str],
    pub fields: &'static [Field],
    /// Paths of the objects, or lists of them, that are its rows.
    pub places: &'static [&'static str],
    /// The field that a text in place of an object is.
    pub(super) lone: Option<&'static str>,
}

pub trait TableRow {
    const TABLE: Table;

    /// One for each column.
    fn add_cells<'a>(&'a self, row: &mut Vec<Cell<'a>>);
}

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
        match self {
            Self::Null => buffer.extend_from_slice(&(-1_i32).to_be_bytes()),
            Self::Boolean(flag) => sized(buffer, &[u8::from(*flag)]),
            Self::Integer(number) => sized(buffer, &number.to_be_bytes()),
            Self::Bigint(number) => sized(buffer, &number.to_be_bytes()),
            Self::Date(day) => sized(buffer, &(day.to_epoch_days() - EPOCH_DAY).to_be_bytes()),
            Self::Timestamp(at) => sized(buffer, &(at.and_utc().timestamp_micros() - EPOCH).to_be_bytes()),
            Self::Timestamptz(instant) => sized(buffer, &(instant.timestamp_micros() - EPOCH).to_be_bytes()),
            Self::Text(text) => sized(buffer, text.as_bytes()),
            Self::Integers(numbers) => {
                array(
                    buffer,
                    INTEGER_OID,
                    numbers.iter().map(|number| Cell::Integer(*number)),
                );
            }
            Self::Texts(texts) => {
                let texts = texts.iter().map(|text| text.map_or(Cell::Null, Cell::Text));
                array(buffer, TEXT_OID, texts);
            }
            // Version 1 of the form is text.
            Self::Jsonb(text) => {
                buffer.extend_from_slice(&length(1 + text.len()));
                buffer.push(1);
                buffer.extend_from_slice(text.as_bytes());
            }
            Self::Uuid(uuid) => sized(buffer, uuid.as_bytes()),
            Self::Bytea(bytes) => sized(buffer, bytes),
        }
    }
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).unwrap_or(i32::MAX).to_be_bytes()
}

fn sized(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend_from_slice(&length(bytes.len()));
    buffer.extend_from_slice(bytes);
}

/// Dimensions, whether there are nulls, type; then length and first index of the one dimension.
fn array<'a>(buffer: &mut Vec<u8>, oid: i32, cells: impl ExactSizeIterator<Item = Cell<'a>> + Clone) {
    let start = buffer.len();
    let dimensions = i32::from(cells.len() > 0);
    let has_nulls = i32::from(cells.clone().any(|cell| cell == Cell::Null));
    // The length in bytes is known at the end.
    for number in [0, dimensions, has_nulls, oid] {
        buffer.extend_from_slice(&number.to_be_bytes());
    }
    if dimensions == 1 {
        buffer.extend_from_slice(&length(cells.len()));
        buffer.extend_from_slice(&1_i32.to_be_bytes());
    }
    cells.for_each(|cell| cell.encode(buffer));
    let bytes = length(buffer.len() - start - 4);
    buffer[start..start + 4].copy_from_slice(&bytes);
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

/// JSON kept as text: whole windows are held in memory, and a tree takes several times as much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct JsonText(Box<str>);

impl JsonText {
    /// In PostgreSQL's form.
    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn value(&self) -> Value {
        json::parse(&self.0).unwrap_or_default()
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<JsonText> for Value {
    fn from(text: JsonText) -> Self {
        text.value()
    }
}

macro_rules! rust_type {
    (Text) => { Option<String> };
    (Label) => { Option<String> };
    (Id) => { Option<String> };
    (Flag) => { Option<bool> };
    (Integer) => { Option<i32> };
    (Instant) => { Option<chrono::DateTime<chrono::Utc>> };
    (Texts) => { Vec<Option<String>> };
    (Labels) => { Vec<Option<String>> };
    (Json) => { Option<crate::transform::JsonText> };
    (JsonInUtc) => { Option<crate::transform::JsonText> };
    (Start) => { chrono::DateTime<chrono::Utc> };
    (Warnings) => { Vec<String> };
    (Integers) => { Vec<i32> };
    ($own:ident) => { $own };
}
pub(super) use rust_type;

macro_rules! fields {
    ($(
        table $row:ident in $table:literal from [$($place:literal),+] $(or $lone:literal)? {$(
            $name:ident: $type:ident
                $(= $path:literal $(or $also:literal)* [$privacy:ident])?
                $(by hand $kind:ident $hand:literal [$hand_privacy:ident])?;
        )+}
        $(no column {$($alone:literal: $alone_kind:ident [$alone_privacy:ident];)+})?
    )+) => {
        pub const TABLES: &[Table] = &[$(<$row as TableRow>::TABLE),+];
        $(
            #[doc = concat!("One row of `", $table, "`.")]
            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
            #[serde(default)]
            pub struct $row {
                $(pub $name: rust_type!($type),)+
            }

            impl $row {
                /// Reads what the table of fields alone says.
                pub(super) fn read(reader: &mut Reader<'_>) -> Self {
                    let mut row = Self::default();
                    $($(
                        row.$name = reader.read($path, FieldKind::$type);
                        $(reader.read_also(&mut row.$name, $also, FieldKind::$type);)*
                    )?)+
                    row
                }
            }

            impl TableRow for $row {
                const TABLE: Table = Table {
                    name: concat!("smartassist.", $table),
                    columns: &[$(stringify!($name)),+],
                    fields: &[
                        $($(
                            fields!(@field Some(stringify!($name)), $path, $type, $privacy),
                            $(fields!(@field Some(stringify!($name)), $also, $type, $privacy),)*
                        )?
                        $(fields!(@field Some(stringify!($name)), $hand, $kind, $hand_privacy),)?)+
                        $($(fields!(@field None, $alone, $alone_kind, $alone_privacy),)+)?
                    ],
                    places: &[$($place),+],
                    lone: fields!(@lone $($lone)?),
                };

                fn add_cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
                    row.extend([$(self.$name.cell()),+]);
                }
            }
        )+
    };
    (@field $column:expr, $path:literal, $kind:ident, $privacy:ident) => {
        Field { path: $path, column: $column, kind: FieldKind::$kind, privacy: Privacy::$privacy }
    };
    (@lone) => { None };
    (@lone $lone:literal) => { Some($lone) };
}
pub(super) use fields;
