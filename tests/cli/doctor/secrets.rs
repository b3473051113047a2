//! Secrets as editors and shells leave them.

use super::{Diagnosis, busy};
use crate::support::{Program, TestDatabase};

const KEY: &str = "SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_SECRET";

#[tokio::test]
async fn a_secret_with_something_around_it_signs_in_and_is_told() {
    let database = TestDatabase::migrated().await;
    let setup = busy().await;
    let environment = setup.environment_on(&database).await;
    assert!(!Diagnosis::of(&environment).await.has("secrets"));

    let mut in_variable = environment.clone();
    in_variable.insert(KEY.to_owned(), format!(" {}\r\n", environment[KEY]));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("\u{feff}{}\n", environment[KEY])).unwrap();
    let mut in_file = environment.clone();
    in_file.remove(KEY);
    in_file.insert(format!("{KEY}_FILE"), file.path().display().to_string());
    for (environment, key) in [(in_variable, "client_secret"), (in_file, "client_secret_file")] {
        let diagnosis = Diagnosis::of(&environment).await;
        diagnosis.assert("secrets", "ok", &format!("accounts.main.{key}"));
        diagnosis.assert("sign-in", "ok", "");
        assert_eq!(diagnosis.code, 0);
    }
}

#[tokio::test]
async fn a_daemon_with_a_placeholder_for_a_secret_does_not_start() {
    let database = TestDatabase::empty().await;
    let setup = busy().await;
    let mut environment = setup.environment_on(&database).await;
    let token = "REPLACE-ME-WITH-AT-LEAST-16-CHARACTERS";
    environment.insert("SMARTASSIST_ETL__HTTP__TOKEN".to_owned(), token.to_owned());
    let ended = Program::run(&["run"], &environment).await;
    assert_eq!(ended.code(), 2);
    let word = ended.last_word();
    assert!(word.contains("http.token: is a placeholder"), "{word}");
}
