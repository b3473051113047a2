//! Writes many rows per statement, with arrays from one column list.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};
use uuid::Uuid;

use crate::ledger::LoadError;

pub(super) type PgQuery = Query<'static, Postgres, PgArguments>;

const KEY: &str = "interaction_key";

#[derive(Debug)]
pub(super) struct Keyed<'a, Row> {
    pub(super) key: Uuid,
    pub(super) row: &'a Row,
}

pub(super) struct Column<Row: 'static> {
    pub(super) name: &'static str,
    pub(super) sql: SqlType,
    pub(super) bind: fn(PgQuery, &[Keyed<'_, Row>]) -> PgQuery,
}

#[derive(Clone, Copy)]
pub(super) struct SqlType {
    array: &'static str,
    cast: &'static str,
}

pub(super) struct Table<Row: 'static> {
    pub(super) name: &'static str,
    pub(super) constants: &'static [(&'static str, &'static str)],
    pub(super) columns: &'static [Column<Row>],
    pub(super) updates: bool,
    pub(super) kept: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Constants<'a> {
    pub(super) account_id: &'a str,
    pub(super) written_at: chrono::DateTime<chrono::Utc>,
    pub(super) time_zone_offset: i32,
}

impl<Row> Table<Row> {
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        constants: Constants<'_>,
        rows: &[Keyed<'_, Row>],
    ) -> Result<(), LoadError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut query = sqlx::query(AssertSqlSafe(self.statement()))
            .bind(constants.account_id.to_owned())
            .bind(constants.written_at)
            .bind(constants.time_zone_offset)
            .bind(rows.iter().map(|keyed| keyed.key).collect::<Vec<Uuid>>());
        for column in self.columns {
            query = (column.bind)(query, rows);
        }
        let written = query.execute(connection).await?.rows_affected();
        let expected = rows.len() as u64;
        if written != expected {
            return Err(LoadError::RowCount {
                table: self.name,
                written,
                expected,
            });
        }
        Ok(())
    }

    fn statement(&self) -> String {
        let join = |parts: Vec<String>| parts.join(", ");
        let names = |columns: &[Column<Row>]| {
            columns
                .iter()
                .map(|column| column.name.to_owned())
                .collect::<Vec<_>>()
        };
        let constants = |part: fn(&(&'static str, &'static str)) -> &'static str| {
            self.constants
                .iter()
                .map(move |constant| part(constant).to_owned())
        };
        let key = || std::iter::once(KEY.to_owned());
        let arrays = (5..)
            .zip(self.columns)
            .map(|(place, column)| format!("${place}::{}", column.sql.array));
        let arrays = std::iter::once("$4::uuid[]".to_owned()).chain(arrays);
        let elements = self
            .columns
            .iter()
            .map(|column| format!("u.{}{}", column.name, column.sql.cast));
        let elements = std::iter::once(format!("u.{KEY}")).chain(elements);
        format!(
            // Typed here: not every table uses all three.
            "with constant as (select $1::text as account_id, $2::timestamptz as written_at, \
             $3::integer as time_zone_offset) \
             insert into {table} ({targets}) select {values} from constant, unnest({arrays}) as u({names}){conflict}",
            table = self.name,
            targets = join(
                constants(|(name, _)| name)
                    .chain(key())
                    .chain(names(self.columns))
                    .collect()
            ),
            values = join(constants(|(_, sql)| sql).chain(elements).collect()),
            arrays = join(arrays.collect()),
            names = join(key().chain(names(self.columns)).collect()),
            conflict = self.conflict_clause(),
        )
    }

    fn conflict_clause(&self) -> String {
        if !self.updates {
            return String::new();
        }
        let constants = self.constants.iter().map(|(name, _)| *name);
        let updated = constants
            .chain(self.columns.iter().map(|column| column.name))
            .filter(|name| !self.kept.contains(name))
            .map(|name| format!("{name} = excluded.{name}"))
            .collect::<Vec<_>>();
        format!(" on conflict ({KEY}) do update set {}", updated.join(", "))
    }
}

pub(super) mod kind {
    use super::{PgQuery, SqlType};

    pub(crate) mod text {
        use super::{PgQuery, SqlType};
        use crate::transform::{Response, TagScope};

        pub(crate) const SQL: SqlType = SqlType {
            array: "text[]",
            cast: "",
        };

        pub(crate) fn bind<'a, T: AsText + 'a>(
            query: PgQuery,
            values: impl Iterator<Item = &'a T>,
        ) -> PgQuery {
            query.bind(values.map(AsText::as_text).collect::<Vec<Option<&str>>>())
        }

        pub(crate) trait AsText {
            fn as_text(&self) -> Option<&str>;
        }

        impl AsText for String {
            fn as_text(&self) -> Option<&str> {
                Some(self)
            }
        }

        impl AsText for Option<String> {
            fn as_text(&self) -> Option<&str> {
                self.as_deref()
            }
        }

        impl AsText for Response {
            fn as_text(&self) -> Option<&str> {
                Some(self.as_str())
            }
        }

        impl AsText for TagScope {
            fn as_text(&self) -> Option<&str> {
                Some(self.as_str())
            }
        }
    }

    pub(crate) mod flag {
        use super::{PgQuery, SqlType};

        pub(crate) const SQL: SqlType = SqlType {
            array: "boolean[]",
            cast: "",
        };

        pub(crate) fn bind<'a, T>(query: PgQuery, values: impl Iterator<Item = &'a T>) -> PgQuery
        where
            T: Copy + Into<Option<bool>> + 'a,
        {
            query.bind(values.map(|value| (*value).into()).collect::<Vec<Option<bool>>>())
        }
    }

    pub(crate) mod integer {
        use super::{PgQuery, SqlType};

        pub(crate) const SQL: SqlType = SqlType {
            array: "integer[]",
            cast: "",
        };

        pub(crate) fn bind<'a, T>(query: PgQuery, values: impl Iterator<Item = &'a T>) -> PgQuery
        where
            T: Copy + Into<Option<i32>> + 'a,
        {
            query.bind(values.map(|value| (*value).into()).collect::<Vec<Option<i32>>>())
        }
    }

    pub(crate) mod instant {
        use chrono::{DateTime, Utc};

        use super::{PgQuery, SqlType};

        pub(crate) const SQL: SqlType = SqlType {
            array: "timestamptz[]",
            cast: "",
        };

        pub(crate) fn bind<'a, T>(query: PgQuery, values: impl Iterator<Item = &'a T>) -> PgQuery
        where
            T: Copy + Into<Option<DateTime<Utc>>> + 'a,
        {
            query.bind(
                values
                    .map(|value| (*value).into())
                    .collect::<Vec<Option<DateTime<Utc>>>>(),
            )
        }
    }

    /// Array literals: `unnest` flattens arrays of arrays.
    pub(crate) mod texts {
        use super::text::AsText;
        use super::{PgQuery, SqlType};

        pub(crate) const SQL: SqlType = SqlType {
            array: "text[]",
            cast: "::text[]",
        };

        pub(crate) fn bind<'a, T>(query: PgQuery, values: impl Iterator<Item = &'a Vec<T>>) -> PgQuery
        where
            T: AsText + 'a,
        {
            query.bind(values.map(|list| literal(list)).collect::<Vec<String>>())
        }

        /// PostgreSQL manual, section 8.15.6.
        pub(crate) fn literal<T: AsText>(list: &[T]) -> String {
            let elements: Vec<String> = list
                .iter()
                .map(|element| element.as_text().map_or_else(|| "NULL".to_owned(), quoted))
                .collect();
            format!("{{{}}}", elements.join(","))
        }

        fn quoted(text: &str) -> String {
            let mut quoted = String::with_capacity(text.len() + 2);
            quoted.push('"');
            for character in text.chars() {
                if matches!(character, '"' | '\\') {
                    quoted.push('\\');
                }
                quoted.push(character);
            }
            quoted.push('"');
            quoted
        }
    }

    pub(crate) mod json {
        use serde_json::Value;

        use super::{PgQuery, SqlType};

        pub(crate) const SQL: SqlType = SqlType {
            array: "text[]",
            cast: "::jsonb",
        };

        pub(crate) fn bind<'a>(query: PgQuery, values: impl Iterator<Item = &'a Option<Value>>) -> PgQuery {
            query.bind(
                values
                    .map(|value| value.as_ref().map(Value::to_string))
                    .collect::<Vec<Option<String>>>(),
            )
        }
    }

    pub(crate) mod json_text {
        use super::{PgQuery, SqlType};

        pub(crate) const SQL: SqlType = super::json::SQL;

        pub(crate) fn bind<'a>(query: PgQuery, values: impl Iterator<Item = &'a String>) -> PgQuery {
            query.bind(values.map(String::as_str).collect::<Vec<_>>())
        }
    }

    pub(crate) mod hash {
        use super::{PgQuery, SqlType};

        pub(crate) const SQL: SqlType = SqlType {
            array: "bytea[]",
            cast: "",
        };

        pub(crate) fn bind<'a>(query: PgQuery, values: impl Iterator<Item = &'a [u8; 32]>) -> PgQuery {
            query.bind(values.map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
        }
    }
}

macro_rules! columns {
    ($row:ty, $each:ident; $($part:expr => { $($kind:ident: $($field:ident)+;)+ })+) => {
        &[$($($($crate::warehouse::columns::Column {
            name: stringify!($field),
            sql: $crate::warehouse::columns::kind::$kind::SQL,
            bind: |query, rows: &[$crate::warehouse::columns::Keyed<'_, $row>]| {
                $crate::warehouse::columns::kind::$kind::bind(query, rows.iter().map(|keyed| {
                    let $each = keyed.row;
                    &$part.$field
                }))
            },
        },)+)+)+]
    };
}
pub(super) use columns;

#[cfg(test)]
mod tests {
    use super::kind::texts::literal;

    #[test]
    fn an_array_literal_quotes_every_element() {
        let list = [
            Some("a"),
            None,
            Some("NULL"),
            Some("x,y}"),
            Some(r#"say "hi" \o/"#),
        ];
        let list = list.map(|text| text.map(str::to_owned));
        assert_eq!(literal(&list), r#"{"a",NULL,"NULL","x,y}","say \"hi\" \\o/"}"#);
        assert_eq!(literal::<String>(&[]), "{}");
    }
}
