//! Writes many rows of the table of fields in one statement.

use chrono::{DateTime, Utc};
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::ledger::LoadError;
use crate::postgres::DatabaseErrorKind;
use crate::transform::facts::FactRow;
use crate::transform::{Cell, Interaction, Rows, Session, TableRow};

/// Signature, flags, extension length: PostgreSQL manual, COPY, Binary Format.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Sent at once.
const CHUNK_BYTES: usize = 64 << 10;

const KEY: &str = "interaction_key";

#[derive(Debug, Clone, Copy)]
pub(super) struct Constants<'a> {
    pub(super) account_id: &'a str,
    pub(super) written_at: DateTime<Utc>,
    pub(super) time_zone_offset: i32,
}

/// Rows of one table, made as they are sent: PostgreSQL stores some while others are made.
pub(super) struct Batch<'a> {
    table: &'static str,
    columns: Vec<&'static str>,
    rows: Box<dyn Iterator<Item = Row<'a>> + Send + 'a>,
}

type Row<'a> = Vec<Cell<'a>>;

impl<'a> Batch<'a> {
    /// The key comes first, then `own` columns.
    fn new<T>(
        table: &'static str,
        (own, columns): (&[&'static str], &[&'static str]),
        rows: impl Iterator<Item = (Uuid, T)> + Send + 'a,
        fill: impl Fn(T, &mut Row<'a>) + Send + 'a,
    ) -> Self {
        let columns = [&[KEY], own, columns].concat();
        let width = columns.len();
        let rows = rows.map(move |(key, one)| {
            let mut row = Vec::with_capacity(width);
            row.push(Cell::Uuid(key));
            fill(one, &mut row);
            row
        });
        Self {
            table,
            columns,
            rows: Box::new(rows),
        }
    }

    pub(super) fn of_sessions(interactions: &'a [&'a Interaction], constants: Constants<'a>) -> Self {
        let own = [
            "account_id",
            "content_hash",
            "missing_since",
            "first_seen_at",
            "last_changed_at",
        ];
        let (table, columns) = (Session::TABLE.name, (&own[..], Session::TABLE.columns));
        Self::new(table, columns, keyed(interactions), move |interaction, row| {
            row.extend([
                Cell::Text(constants.account_id),
                Cell::Bytea(&interaction.content_hash),
                Cell::Null,
                Cell::Timestamptz(constants.written_at),
                Cell::Timestamptz(constants.written_at),
            ]);
            interaction.rows.session.add_cells(row);
        })
    }

    pub(super) fn of_raw(interactions: &'a [&'a Interaction], constants: Constants<'a>) -> Self {
        let own = ["payload", "fetched_at", "time_zone_offset"];
        let (table, columns) = ("smartassist.raw_interactions", (&own[..], &[][..]));
        Self::new(table, columns, keyed(interactions), move |interaction, row| {
            row.extend([
                Cell::Jsonb(&interaction.payload),
                Cell::Timestamptz(constants.written_at),
                Cell::Integer(constants.time_zone_offset),
            ]);
        })
    }

    pub(super) fn of_children<R: TableRow + Sync + 'a>(
        interactions: &'a [&'a Interaction],
        of: fn(&Rows) -> &[R],
    ) -> Self {
        let rows = interactions.iter().flat_map(move |interaction| {
            let rows = of(&interaction.rows).iter();
            rows.map(|row| (interaction.key, row))
        });
        Self::new(R::TABLE.name, (&[], R::TABLE.columns), rows, R::add_cells)
    }

    pub(super) fn of_facts<R: FactRow + 'a>(
        facts: impl Iterator<Item = (Uuid, &'a R)> + Send + 'a,
        account_id: &'a str,
    ) -> Self {
        let columns = (&["account_id"][..], R::COLUMNS);
        Self::new(R::TABLE, columns, facts, move |fact, row| {
            row.push(Cell::Text(account_id));
            fact.add_cells(row);
        })
    }

    /// Adds new rows.
    pub(super) async fn copy(self, connection: &mut PgConnection) -> Result<(), LoadError> {
        let mut rows = self.rows.peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let columns = self.columns.join(", ");
        let statement = format!("copy {} ({columns}) from stdin (format binary)", self.table);
        let mut expected = 0;
        let copied = async {
            let mut copy = connection.copy_in_raw(&statement).await?;
            let mut bytes = HEADER.to_vec();
            for row in rows {
                encode(&row, &mut bytes);
                expected += 1;
                if bytes.len() >= CHUNK_BYTES {
                    copy.send(bytes.as_slice()).await?;
                    bytes.clear();
                }
            }
            bytes.extend(TRAILER);
            copy.send(bytes).await?;
            copy.finish().await
        };
        let copied = copied.await;
        check(self.table, copied, expected)
    }

    /// Overwrites the rows of the same interactions in place, except the `kept` columns.
    pub(super) async fn upsert(self, connection: &mut PgConnection, kept: &[&str]) -> Result<(), LoadError> {
        let rows: Vec<Row<'_>> = self.rows.collect();
        if rows.is_empty() {
            return Ok(());
        }
        let (values, arguments) = arrays(&self.columns, &rows).map_err(sqlx::Error::Encode)?;
        let updated = self.columns[1..].iter().filter(|name| !kept.contains(name));
        let updated: Vec<String> = updated.map(|name| format!("{name} = excluded.{name}")).collect();
        let statement = format!(
            "insert into {} ({}) select {values} on conflict ({KEY}) do update set {}",
            self.table,
            self.columns.join(", "),
            updated.join(", "),
        );
        // Each set of NULL columns makes another statement.
        let query = sqlx::query_with(AssertSqlSafe(statement), arguments).persistent(false);
        let written = query.execute(connection).await;
        let written = written.map(|written| written.rows_affected());
        check(self.table, written, rows.len() as u64)
    }
}

/// One array per column, except columns that are NULL in all rows.
fn arrays(columns: &[&'static str], rows: &[Row<'_>]) -> Result<(String, PgArguments), BoxDynError> {
    let mut arguments = PgArguments::default();
    let (mut arrays, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (place, name) in columns.iter().enumerate() {
        let cells = || rows.iter().map(|row| &row[place]);
        macro_rules! add {
            ($kind:pat => $value:expr; $array:literal as $sql:literal) => {{
                let array = cells().map(|cell| match cell {
                    $kind => Some($value),
                    _ => None,
                });
                arguments.add(Vec::from_iter(array))?;
                ($array, $sql)
            }};
        }
        let (array, sql) = match cells().find(|cell| **cell != Cell::Null).unwrap_or(&Cell::Null) {
            Cell::Null => {
                values.push("null".to_owned());
                continue;
            }
            Cell::Boolean(_) => add!(Cell::Boolean(flag) => *flag; "boolean" as "boolean"),
            Cell::Bigint(_) => add!(Cell::Bigint(number) => *number; "bigint" as "bigint"),
            Cell::Date(_) => add!(Cell::Date(day) => *day; "date" as "date"),
            Cell::Timestamp(_) => add!(Cell::Timestamp(at) => *at; "timestamp" as "timestamp"),
            Cell::Integers(_) => {
                add!(Cell::Integers(numbers) => integers(numbers); "text" as "integer[]")
            }
            Cell::Integer(_) => add!(Cell::Integer(number) => *number; "integer" as "integer"),
            Cell::Timestamptz(_) => add!(Cell::Timestamptz(at) => *at; "timestamptz" as "timestamptz"),
            Cell::Text(_) => add!(Cell::Text(text) => *text; "text" as "text"),
            Cell::Texts(_) => add!(Cell::Texts(texts) => literal(texts); "text" as "text[]"),
            Cell::Jsonb(_) => add!(Cell::Jsonb(text) => *text; "text" as "jsonb"),
            Cell::Uuid(_) => add!(Cell::Uuid(uuid) => *uuid; "uuid" as "uuid"),
            Cell::Bytea(_) => add!(Cell::Bytea(bytes) => *bytes; "bytea" as "bytea"),
        };
        arrays.push(format!("${}::{array}[]", arrays.len() + 1));
        names.push(*name);
        values.push(format!("u.{name}::{sql}"));
    }
    let (arrays, names) = (arrays.join(", "), names.join(", "));
    Ok((
        format!("{} from unnest({arrays}) as u ({names})", values.join(", ")),
        arguments,
    ))
}

fn check(table: &'static str, written: Result<u64, sqlx::Error>, expected: u64) -> Result<(), LoadError> {
    match written {
        Ok(written) if written == expected => Ok(()),
        Ok(written) => Err(LoadError::RowCount {
            table,
            written,
            expected,
        }),
        Err(error) if DatabaseErrorKind::of(&error) == DatabaseErrorKind::Data => {
            Err(LoadError::Refused { table, error })
        }
        Err(error) => Err(error.into()),
    }
}

fn keyed<'a>(
    interactions: &'a [&'a Interaction],
) -> impl Iterator<Item = (Uuid, &'a Interaction)> + Send + 'a {
    interactions
        .iter()
        .map(|interaction| (interaction.key, *interaction))
}

/// As binary COPY.
fn encode(cells: &[Cell<'_>], bytes: &mut Vec<u8>) {
    let columns = i16::try_from(cells.len()).unwrap_or(i16::MAX);
    bytes.extend_from_slice(&columns.to_be_bytes());
    cells.iter().for_each(|cell| cell.encode(bytes));
}

fn integers(numbers: &[i32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

/// As text, since `unnest` flattens arrays of arrays: PostgreSQL manual, section 8.15.6.
fn literal(texts: &[Option<&str>]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#));
    let elements = texts
        .iter()
        .map(|text| text.map_or_else(|| "NULL".to_owned(), quoted));
    format!("{{{}}}", elements.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn an_array_literal_quotes_every_element() {
        let list = [
            Some("a"),
            None,
            Some("NULL"),
            Some("x,y}"),
            Some(r#"say "hi" \o/"#),
        ];
        assert_eq!(literal(&list), r#"{"a",NULL,"NULL","x,y}","say \"hi\" \\o/"}"#);
        assert_eq!(literal(&[]), "{}");
    }
}
