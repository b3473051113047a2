//! The questions of `docs/questions.md`.

use sqlx::{AssertSqlSafe, Connection};

use crate::support::TestDatabase;

use super::{NAMES, differing, made};

const QUESTIONS: &str = include_str!("../../docs/questions.md");
const METRICS: &str = include_str!("../../docs/metrics.md");
const ANSWERS: &str = include_str!("answers.sql");

/// A day after each change of the clocks, and one long after.
const TODAYS: [&str; 3] = ["2025-03-20", "2025-04-12", "2025-11-09"];

/// By their number.
fn questions() -> Vec<(&'static str, &'static str)> {
    let blocks = QUESTIONS.split("## ").skip(1);
    let question = |block: &'static str| {
        let sql = block.split("```sql\n").nth(1)?.split("\n```").next()?;
        Some((&block[..3], sql))
    };
    blocks.filter_map(question).collect()
}

fn answer_to(number: &str) -> &'static str {
    let begin = format!("-- {number}\n");
    let (_, answer) = ANSWERS.split_once(&begin).unwrap();
    answer.split("\n\n-- Q").next().unwrap()
}

/// An error is an answer, too, which never is the right one.
async fn rows(connection: &mut sqlx::PgConnection, sql: &str, today: &str) -> Vec<String> {
    let sql = sql.replace("current_date", &format!("date '{today}'"));
    // By position: the names of columns are the questions' own.
    let rows = format!("select row(q.*)::text from ({sql}) as q");
    let answer = sqlx::query_scalar(AssertSqlSafe(rows))
        .fetch_all(connection)
        .await;
    answer.unwrap_or_else(|error| vec![format!("{error}: {sql}")])
}

async fn connect(database: &TestDatabase) -> sqlx::PgConnection {
    let options = database.pool.options();
    let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
    let settings = "set time zone 'UTC'; set jit = off";
    sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
    connection
}

#[test]
fn there_are_twenty_questions_of_eight_lines_at_most() {
    let questions = questions();
    assert_eq!(questions.len(), 20);
    for (number, sql) in questions {
        assert!(sql.lines().count() <= 8, "{number}");
    }
}

#[tokio::test]
async fn every_question_has_the_right_answer_in_every_zone() {
    for time_zone in [
        "Asia/Kolkata",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
    ] {
        let database = made(time_zone).await;
        assert_eq!(differing(&database).await, "", "{time_zone}");
        database.execute(NAMES).await;
        let (mut reader, mut owner) = (connect(&database).await, connect(&database).await);
        let mut wrong = Vec::new();
        let become_reader = "set role smartassist_bi_reader";
        sqlx::raw_sql(become_reader).execute(&mut reader).await.unwrap();
        for today in TODAYS {
            for (number, sql) in questions() {
                let asked = rows(&mut reader, sql, today).await;
                let meant = rows(&mut owner, answer_to(number), today).await;
                assert!(!asked.is_empty(), "{number}");
                if asked != meant {
                    let differing = asked.iter().zip(&meant).find(|(asked, meant)| asked != meant);
                    let (asked, meant) = (asked.len(), meant.len());
                    wrong.push(format!(
                        "{number} of {today} in {time_zone}: {asked} rows in place of {meant}, {differing:?}"
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[tokio::test]
async fn every_query_of_the_metrics_runs_for_the_bi_reader() {
    let database = made("Europe/Berlin").await;
    let mut reader = connect(&database).await;
    let become_reader = "set role smartassist_bi_reader";
    sqlx::raw_sql(become_reader).execute(&mut reader).await.unwrap();
    let blocks: Vec<&str> = METRICS
        .split("```sql\n")
        .skip(1)
        .filter_map(|block| block.split("\n```").next())
        .collect();
    assert!(blocks.len() > 20, "{}", blocks.len());
    let mut with_rows = 0;
    for sql in &blocks {
        let sql = sql.replace("current_date", "date '2025-12-20'");
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.clone()))
            .fetch_all(&mut reader)
            .await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {sql}"));
        with_rows += usize::from(!rows.is_empty());
    }
    assert!(with_rows + 3 >= blocks.len(), "{with_rows} of {}", blocks.len());
}
