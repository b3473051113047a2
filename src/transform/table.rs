//! Generates structs, readers and metadata from the table of fields. sqlx encodes rows, for COPY and hashes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::Postgres;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::types::Type;

use super::coerce::FieldKind;
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
    pub fields: &'static [Field],
    /// Paths of the objects, or lists of them, that are its rows.
    pub places: &'static [&'static str],
    /// The field that a text in place of an object is.
    pub(super) lone: Option<&'static str>,
}

pub trait TableRow {
    const NAME: &'static str;
    /// Without the key and the account.
    const COLUMNS: &'static [&'static str];

    fn encode(&self, buffer: &mut PgArgumentBuffer);
}

const NULL: i32 = -1;

/// A length that PostgreSQL refuses, and with it the record.
const NOT_ENCODED: i32 = -2;

/// Appends length and bytes: PostgreSQL manual, COPY, Binary Format.
pub fn put<'q>(value: impl Encode<'q, Postgres>, buffer: &mut PgArgumentBuffer) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    let length = match value.encode(buffer) {
        Ok(IsNull::No) => i32::try_from(buffer.len() - start - 4).unwrap_or(NOT_ENCODED),
        Ok(IsNull::Yes) => NULL,
        Err(_) => NOT_ENCODED,
    };
    if length < 0 {
        buffer.truncate(start + 4);
    }
    buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// JSON kept as text: whole windows are held in memory, and a tree takes several times as much. Stored text is
/// read as text, since `serde_json` gives keys in a `Value` a meaning ([`json`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Box<RawValue>", into = "Value")]
pub struct JsonText(Box<str>);

impl JsonText {
    pub fn value(&self) -> Value {
        json::parse(&self.0).unwrap_or_default()
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<Box<RawValue>> for JsonText {
    fn from(text: Box<RawValue>) -> Self {
        Self(text.into())
    }
}

impl From<JsonText> for Value {
    fn from(text: JsonText) -> Self {
        text.value()
    }
}

impl Type<Postgres> for JsonText {
    fn type_info() -> PgTypeInfo {
        <Value as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for JsonText {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Jsonb(&self.0).encode(buffer)
    }
}

#[derive(Debug)]
pub struct Jsonb<'a>(pub &'a str);

impl Encode<'_, Postgres> for Jsonb<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // Version 1 of the form is text.
        buffer.push(1);
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
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
        pub const TABLES: &[Table] = &[$($row::TABLE),+];
        $(
            #[doc = concat!("One row of `", $table, "`.")]
            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
            #[serde(default)]
            pub struct $row {
                $(pub $name: rust_type!($type),)+
            }

            impl $row {
                pub(super) const TABLE: Table = Table {
                    name: Self::NAME,
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
                const NAME: &'static str = concat!("smartassist.", $table);
                const COLUMNS: &'static [&'static str] = &[$(stringify!($name)),+];

                fn encode(&self, buffer: &mut PgArgumentBuffer) {
                    $(put(&self.$name, buffer);)+
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
