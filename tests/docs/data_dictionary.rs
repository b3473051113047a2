//! `docs/data-dictionary.md` is what the database says about itself.

use std::fmt::Write;

use smartassist_etl::transform::{Field, FieldKind, TABLES, Table};
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

/// Of the section on its coercion.
fn heading(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "Text",
        FieldKind::Label => "Label",
        FieldKind::Id => "Id",
        FieldKind::Identity => "Identity",
        FieldKind::Flag => "Yes or no",
        FieldKind::Integer | FieldKind::Number => "Whole number",
        FieldKind::Duration => "Duration",
        FieldKind::Instant => "Instant",
        FieldKind::Texts => "List of texts",
        FieldKind::Labels => "List of labels",
        FieldKind::Json | FieldKind::JsonInUtc => "JSON as sent",
    }
}

/// Its fields in each place, with their paths in a record.
fn paths(table: &Table) -> impl Iterator<Item = (String, Field)> {
    let (fields, places) = (table.fields, table.places);
    let path = |place: &str, field: &str| format!("{place}.{field}").trim_start_matches('.').to_owned();
    places
        .iter()
        .flat_map(move |place| fields.iter().map(move |field| (path(place, field.path), *field)))
}

/// The kind of a column that is read from a field of a record.
fn kind_of(column: &Column, field: &str) -> Option<FieldKind> {
    if field.ends_with(" of the request") {
        return None; // It is what we sent.
    }
    if column.column_type == "jsonb" {
        return Some(FieldKind::Json);
    }
    let path = field.split([' ', ',']).next().unwrap().replace("[]", "");
    let is_it = |full: &str| full == path || full.ends_with(&format!(".{path}"));
    let fields = TABLES.iter().flat_map(paths);
    let mut with_column = fields.filter(|(_, field)| field.column.is_some());
    let found = with_column.find(|(full, _)| is_it(full));
    let (_, found) = found.unwrap_or_else(|| panic!("{}: no field {path}", column.name));
    Some(found.kind)
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
            let kind = field.and_then(|field| kind_of(&column, field));
            let link = kind.map(|kind| link(heading(kind)));
            let _ = write!(text, " {} |", link.unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

fn link(heading: &str) -> String {
    format!("[{}](#{})", heading.to_lowercase(), anchor(heading))
}

/// The sections on coercions stay as they are written, but for the columns of kinds that are not told by their type.
fn coercions_text(written: &str) -> String {
    let (_, sections) = written.split_once("\n## Coercions\n").unwrap();
    let mut text = "\n## Coercions\n".to_owned();
    let mut section = "";
    for line in sections.lines() {
        section = line.strip_prefix("### ").unwrap_or(section);
        if line.starts_with("Only for ") {
            let columns = columns_of(section);
            let _ = writeln!(text, "Only for {columns}.");
        } else {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

fn columns_of(section: &str) -> String {
    let mut columns: Vec<String> = Vec::new();
    for table in TABLES {
        for field in table.fields.iter().filter(|field| heading(field.kind) == section) {
            let column = field
                .column
                .map(|column| format!("`{}.{column}`", &table.name["smartassist.".len()..]));
            columns.extend(column.filter(|column| !columns.contains(column)));
        }
    }
    columns.join(", ")
}

/// The whole page.
async fn page(database: &TestDatabase, written: &str) -> String {
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
    let coercions = coercions_text(written);
    let kinds = coercions
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(link);
    let _ = writeln!(
        contents,
        "- [Coercions](#coercions): {}",
        kinds.collect::<Vec<_>>().join(", ")
    );
    format!("{INTRODUCTION}{contents}{body}{coercions}")
}

#[tokio::test]
async fn the_data_dictionary_is_what_the_database_says() {
    let written = std::fs::read_to_string(PAGE).unwrap();
    let meant = page(&TestDatabase::migrated().await, &written).await;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, meant).unwrap();
        return;
    }
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
