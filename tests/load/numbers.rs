//! Numbers have the form that jsonb prints, so a record that is read from it has the hash that it was stored with.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use smartassist_etl::transform::privacy::Policy;
use smartassist_etl::transform::{Origin, RecordText, transform};

use crate::support::TestDatabase;

/// As a transform makes them, in one of the columns of JSON.
fn stored(numbers: &[String]) -> Vec<Value> {
    let record = format!(
        r#"{{"sessionId":"s-1","sessionStartTime":"2026-01-10T10:00:00","skills":[{}]}}"#,
        numbers.join(",")
    );
    let origin = Origin {
        account_id: "acct-sim",
        time_zone_offset: 0,
    };
    let interaction = transform(&RecordText::of(record), origin, &Policy::default()).unwrap();
    match interaction.rows.session.skills.unwrap().value() {
        Value::Array(stored) => stored,
        _ => panic!("a list"),
    }
}

#[tokio::test]
async fn numbers_have_the_form_that_jsonb_prints() {
    let edges = [
        "0", "-0", "-0.00", "0e5", "0.00e1", "-0e-7", "1.0e1", "1.50e1", "0.05e1", "9.99E+2", "100e-2",
        "1e-07", "10E0",
    ];
    let mut numbers: Vec<String> = edges.map(str::to_owned).into();
    let number = "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?";
    let mut runner = TestRunner::deterministic();
    let number = proptest::string::string_regex(number).unwrap();
    numbers.extend((0..2_000).map(|_| number.new_tree(&mut runner).unwrap().current()));
    let database = TestDatabase::migrated().await;
    let printed: Vec<String> = sqlx::query_scalar(
        "select given.number::jsonb::text from unnest($1::text[]) with ordinality as given (number, place) order by place",
    )
    .bind(&numbers)
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let mut of_text = 0;
    for ((sent, printed), stored) in numbers.iter().zip(printed).zip(stored(&numbers)) {
        match stored {
            Value::Number(number) => assert_eq!(number.to_string(), printed, "{sent}"),
            text => {
                assert!(text.is_string() && printed.len() > 64, "{sent}");
                of_text += 1;
            }
        }
    }
    assert!((100..1_000).contains(&of_text), "{of_text}");
}
