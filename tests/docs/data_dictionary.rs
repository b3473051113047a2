//! `docs/data-dictionary.md` is what the database says about itself.

use std::fmt::Write;

use smartassist_etl::transform::{COERCIONS, Coercion};
use sqlx::{AssertSqlSafe, FromRow};

use crate::support::TestDatabase;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/data-dictionary.md");

const INTRODUCTION: &str = "\
# Data dictionary

Every table, view and column, from the comments in the database itself; `make data-dictionary` writes this page anew.
A column without an API field is the loader's own, or derived. Paths begin at the record: `destinations[].queueId`.
How a value of the API is read into its column stands under [coercions](#coercions), with examples.
";

/// The schemas, the data first, and whether their columns are read from records of the API.
const SCHEMAS: [(&str, bool); 3] = [
    ("smartassist", true),
    ("smartassist_bi", true),
    ("smartassist_sync", false),
];

/// A table or view.
#[derive(FromRow)]
struct Relation {
    oid: i64,
    name: String,
    is_view: bool,
    comment: String,
}

#[derive(FromRow)]
struct Column {
    name: String,
    column_type: String,
    comment: String,
}

impl Column {
    /// What the comment says beside the API field, and the API field, if there is one.
    fn meaning_and_field(&self) -> (String, Option<&str>) {
        let own = self
            .comment
            .strip_suffix("Not an API field.")
            .unwrap_or(&self.comment);
        let Some((meaning, rest)) = own
            .split_once("API: ")
            .filter(|(before, _)| !before.ends_with('('))
        else {
            return (own.trim().to_owned(), None);
        };
        // Paths have dots too, but no blank after them.
        let (field, more) = rest.split_once(". ").unwrap_or((rest.trim_end_matches('.'), ""));
        (format!("{meaning}{more}").trim().to_owned(), Some(field))
    }
}

/// The kind of a column that is read from a field of a record.
fn coercion(column: &Column, field: &str) -> Option<&'static Coercion> {
    if field.ends_with(" of the request") {
        return None; // It is what we sent.
    }
    let path = field.split([' ', ',']).next().unwrap();
    let column_type = match column.column_type.as_str() {
        "bigint" => "integer", // a sum of whole numbers
        other => other,
    };
    let kind = Coercion::of_column(column_type, path);
    Some(kind.unwrap_or_else(|| panic!("{} has no kind: {column_type}", column.name)))
}

/// As GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .replace(' ', "-")
        .replace(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'), "")
}

/// Plain text as Markdown within a table, its names in code. `is_name` is told where a word stands.
fn marked(text: &str, is_name: impl Fn(usize, &str) -> bool) -> String {
    let words = text.split(' ').enumerate().map(|(at, word)| {
        let name = word
            .trim_start_matches(['(', '"'])
            .trim_end_matches(['.', ',', ';', ':', ')', '"']);
        let name = name.strip_suffix("'s").unwrap_or(name);
        if !name.is_empty() && is_name(at, name) {
            return word.replacen(name, &format!("`{name}`"), 1).replace('|', "\\|");
        }
        word.replace('|', "\\|").replace('*', "\\*").replace('<', "\\<")
    });
    words.collect::<Vec<String>>().join(" ")
}

/// Prose of a comment: our own names are the words with an underscore.
fn prose(text: &str) -> String {
    marked(text, |_, word| {
        word.contains('_')
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.".contains(c))
    })
}

/// The API part of a comment: a path, sometimes with a few words about it.
fn field_names(text: &str) -> String {
    marked(text, |at, word| {
        let has = |of: fn(char) -> bool| word.contains(of);
        at == 0 || word.contains(['.', '[']) || has(char::is_uppercase) && has(char::is_lowercase)
    })
}

async fn relations(database: &TestDatabase, schema: &str) -> Vec<Relation> {
    let sql = format!(
        "select oid::bigint, relname::text as name, relkind <> 'r' as is_view, obj_description(oid, 'pg_class') as comment \
         from pg_class where relnamespace = '{schema}'::regnamespace and relkind in ('r', 'p', 'v', 'm') order by oid"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(&database.pool)
        .await
        .unwrap()
}

async fn columns(database: &TestDatabase, relation: &Relation) -> Vec<Column> {
    sqlx::query_as(
        "select attname::text as name, col_description(attrelid, attnum) as comment, \
         replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz') as column_type \
         from pg_attribute where attrelid::bigint = $1 and attnum > 0 and not attisdropped order by attnum",
    )
    .bind(relation.oid)
    .fetch_all(&database.pool)
    .await
    .unwrap()
}

/// The heading, comment and columns of a table or view.
async fn relation_text(database: &TestDatabase, schema: &str, is_data: bool, relation: &Relation) -> String {
    let kind = if relation.is_view { "View. " } else { "" };
    let comment = prose(&relation.comment);
    let mut text = format!("\n### {schema}.{}\n\n{kind}{comment}\n\n", relation.name);
    let columns = columns(database, relation).await;
    let has_fields = columns
        .iter()
        .any(|column| column.meaning_and_field().1.is_some());
    let mut titles = vec!["column", "type", "meaning"];
    titles.extend(has_fields.then_some("API field"));
    titles.extend((has_fields && is_data).then_some("coercion"));
    let _ = writeln!(text, "| {} |", titles.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(titles.len()));
    for column in columns {
        let (meaning, field) = column.meaning_and_field();
        let _ = write!(
            text,
            "| `{}` | {} | {} |",
            column.name,
            column.column_type,
            prose(&meaning)
        );
        if has_fields {
            let _ = write!(text, " {} |", field.map(field_names).unwrap_or_default());
        }
        if has_fields && is_data {
            let kind = field.and_then(|field| coercion(&column, field));
            let link = kind.map(|kind| format!("[{}](#{})", kind.name.to_lowercase(), anchor(kind.name)));
            let _ = write!(text, " {} |", link.unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

/// The table of coercions, a section for each kind.
fn coercions_text() -> String {
    let mut text =
        "\n## Coercions\n\nNull, an empty text and an empty list say nothing: the column is NULL, without a \
                    warning. A value that cannot be read is NULL too; the\nfield and the reason are in \
                    `sessions.warnings`, the value in `extra` of its row. Results are written as JSON.\n"
            .to_owned();
    for kind in COERCIONS {
        let _ = writeln!(text, "\n### {}\n\nType: {}.", kind.name, kind.column_type);
        if !kind.only_for.is_empty() {
            let _ = writeln!(text, "Only for `{}`.", kind.only_for.join("`, `"));
        }
        let _ = writeln!(text, "\n- **Read:** {}", kind.read);
        let _ = writeln!(text, "- **NULL with a warning:** {}", kind.warned);
        text += "\n| sent | becomes |\n| --- | --- |\n";
        for (sent, becomes) in kind.examples {
            let becomes = match becomes.split_once(", warning: ") {
                Some((value, why)) => format!("`{value}`, warning: {why}"),
                None => format!("`{becomes}`"),
            };
            let _ = writeln!(text, "| `{sent}` | {becomes} |");
        }
    }
    text
}

/// The whole page.
async fn page(database: &TestDatabase) -> String {
    let (mut contents, mut body) = ("\n## Contents\n\n".to_owned(), String::new());
    for (schema, is_data) in SCHEMAS {
        let heading = format!("Schema {schema}");
        let comment = database
            .text(&format!(
                "select obj_description('{schema}'::regnamespace, 'pg_namespace')"
            ))
            .await;
        let _ = write!(body, "\n## {heading}\n\n{}\n", prose(&comment));
        let mut links = Vec::new();
        for relation in relations(database, schema).await {
            let target = anchor(&format!("{schema}.{}", relation.name));
            links.push(format!("[{}](#{target})", relation.name));
            body += &relation_text(database, schema, is_data, &relation).await;
        }
        let _ = writeln!(
            contents,
            "- [{heading}](#{}): {}",
            anchor(&heading),
            links.join(", ")
        );
    }
    let kinds = COERCIONS
        .iter()
        .map(|kind| format!("[{}](#{})", kind.name.to_lowercase(), anchor(kind.name)));
    let _ = writeln!(
        contents,
        "- [Coercions](#coercions): {}",
        kinds.collect::<Vec<_>>().join(", ")
    );
    format!("{INTRODUCTION}{contents}{body}{}", coercions_text())
}

#[tokio::test]
async fn the_data_dictionary_is_what_the_database_says() {
    let meant = page(&TestDatabase::migrated().await).await;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, meant).unwrap();
        return;
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    let differs = written
        .lines()
        .zip(meant.lines())
        .find(|(written, meant)| written != meant);
    assert!(
        written == meant,
        "docs/data-dictionary.md is not what the database says; write it anew with: make data-dictionary\n\
         first difference (written, meant): {differs:#?}"
    );
}

#[test]
fn every_link_of_the_data_dictionary_leads_to_one_heading() {
    let written = std::fs::read_to_string(PAGE).unwrap();
    let anchors: Vec<String> = written
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim_start()))
        .collect();
    let links: Vec<&str> = written
        .split("](#")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap())
        .collect();
    assert!(links.len() > 50);
    for link in links {
        let headings = anchors.iter().filter(|anchor| *anchor == link).count();
        assert_eq!(headings, 1, "#{link}");
    }
}
