//! Generates structs, readers and metadata from the table of fields.

use super::cell::Cell;
use super::coerce::FieldKind;
use super::privacy::Privacy;

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
    pub(super) fields: &'static [Field],
    /// Paths of the objects, or lists of them, that are its rows.
    pub(super) places: &'static [&'static str],
    /// The field that a text in place of an object is.
    pub(super) lone: Option<&'static str>,
}

impl Table {
    /// Full paths.
    pub fn paths(&self) -> impl Iterator<Item = (String, Field)> {
        let (fields, places) = (self.fields, self.places);
        places.iter().flat_map(move |place| {
            fields.iter().map(move |field| {
                let dot = if place.is_empty() { "" } else { "." };
                (format!("{place}{dot}{}", field.path), *field)
            })
        })
    }
}

pub trait TableRow {
    const TABLE: Table;

    /// One for each column.
    fn add_cells<'a>(&'a self, row: &mut Vec<Cell<'a>>);
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
        #[doc = $doc:literal]
        $row:ident in $table:literal from [$($place:literal),+] $(or $lone:literal)? {$(
            $name:ident: $type:ident
                $(= $path:literal $(or $also:literal)* [$privacy:ident])?
                $(by hand $kind:ident $hand:literal [$hand_privacy:ident])?;
        )+}
        $(no column {$($alone:literal: $alone_kind:ident [$alone_privacy:ident];)+})?
    )+) => {
        pub const TABLES: &[Table] = &[$(<$row as TableRow>::TABLE),+];
        $(
            #[doc = $doc]
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
