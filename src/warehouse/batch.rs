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

/// Sent at once: PostgreSQL stores rows while others are encoded.
const CHUNK_BYTES: usize = 64 << 10;

const KEY: &str = "interaction_key";

#[derive(Debug, Clone, Copy)]
pub(super) struct Constants<'a> {
    pub(super) account_id: &'a str,
    pub(super) written_at: DateTime<Utc>,
    pub(super) time_zone_offset: i32,
}

/// The first column is the interaction key.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    table: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell<'a>>>,
}

impl<'a> Batch<'a> {
    fn new(table: &'static str, columns: &[&'static str]) -> Self {
        Self {
            table,
            columns: [&[KEY], columns].concat(),
            rows: Vec::new(),
        }
    }

    fn push(&mut self, key: Uuid, cells: impl IntoIterator<Item = Cell<'a>>) {
        self.rows
            .push([Cell::Uuid(key)].into_iter().chain(cells).collect());
    }

    pub(super) fn of_sessions(interactions: &[&'a Interaction], constants: Constants<'a>) -> Self {
        let own = [
            "account_id",
            "content_hash",
            "missing_since",
            "first_seen_at",
            "last_changed_at",
        ];
        let columns = [Session::TABLE.columns, &own].concat();
        let mut batch = Self::new(Session::TABLE.name, &columns);
        for interaction in interactions {
            let mut row = interaction.rows.session.cells();
            row.extend([
                Cell::Text(constants.account_id),
                Cell::Bytea(&interaction.content_hash),
                Cell::Null,
            ]);
            row.extend(vec![Cell::Timestamptz(constants.written_at); 2]);
            batch.push(interaction.key, row);
        }
        batch
    }

    pub(super) fn of_raw(interactions: &[&'a Interaction], constants: Constants<'_>) -> Self {
        let columns = ["payload", "fetched_at", "time_zone_offset"];
        let mut batch = Self::new("smartassist.raw_interactions", &columns);
        for interaction in interactions {
            let fetched_at = Cell::Timestamptz(constants.written_at);
            let offset = Cell::Integer(constants.time_zone_offset);
            batch.push(
                interaction.key,
                [Cell::Jsonb(&interaction.payload), fetched_at, offset],
            );
        }
        batch
    }

    pub(super) fn of_children<R: TableRow + 'a>(
        interactions: &[&'a Interaction],
        of: fn(&Rows) -> &[R],
    ) -> Self {
        let mut batch = Self::new(R::TABLE.name, R::TABLE.columns);
        for interaction in interactions {
            for row in of(&interaction.rows) {
                batch.push(interaction.key, row.cells());
            }
        }
        batch
    }

    pub(super) fn of_facts<R: FactRow + 'a>(
        facts: impl Iterator<Item = (Uuid, &'a R)>,
        account_id: &'a str,
    ) -> Self {
        let mut batch = Self::new(R::TABLE, &[&["account_id"], R::COLUMNS].concat());
        for (key, fact) in facts {
            batch.push(key, [Cell::Text(account_id)].into_iter().chain(fact.cells()));
        }
        batch
    }

    pub(super) async fn copy(&self, connection: &mut PgConnection) -> Result<(), LoadError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let columns = self.columns.join(", ");
        let statement = format!("copy {} ({columns}) from stdin (format binary)", self.table);
        let copied = async {
            let mut copy = connection.copy_in_raw(&statement).await?;
            let mut bytes = HEADER.to_vec();
            for cells in &self.rows {
                encode(cells, &mut bytes);
                if bytes.len() >= CHUNK_BYTES {
                    copy.send(bytes.as_slice()).await?;
                    bytes.clear();
                }
            }
            bytes.extend(TRAILER);
            copy.send(bytes).await?;
            copy.finish().await
        };
        self.check(copied.await)
    }

    /// Overwrites the rows of the same interactions in place, except the `kept` columns.
    pub(super) async fn upsert(&self, connection: &mut PgConnection, kept: &[&str]) -> Result<(), LoadError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (values, arguments) = self.arrays().map_err(sqlx::Error::Encode)?;
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
        self.check(written.map(|written| written.rows_affected()))
    }

    /// One array per column, except columns that are NULL in all rows.
    fn arrays(&self) -> Result<(String, PgArguments), BoxDynError> {
        let mut arguments = PgArguments::default();
        let (mut arrays, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (place, name) in self.columns.iter().enumerate() {
            let cells = || self.rows.iter().map(|row| &row[place]);
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

    fn check(&self, written: Result<u64, sqlx::Error>) -> Result<(), LoadError> {
        let (table, expected) = (self.table, self.rows.len() as u64);
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
}

/// As binary COPY.
fn encode(cells: &[Cell<'_>], bytes: &mut Vec<u8>) {
    bytes.extend(i16::try_from(cells.len()).unwrap_or(i16::MAX).to_be_bytes());
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
