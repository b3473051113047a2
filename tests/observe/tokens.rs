//! Wrong tokens, tokens that are none, and names that are not this machine's.

use crate::support::daemon::{ask, environment, get};
use crate::support::{Program, Setup, TestDatabase};

const TOKEN: &str = "a-token-of-24-characters";

/// A daemon with these settings beside the usual ones; what it works with stays as long as it.
struct Daemon {
    program: Program,
    port: u16,
    _setup: Setup,
    _database: TestDatabase,
}

impl Daemon {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let database = TestDatabase::migrated().await;
        let setup = Setup::live().await;
        let (mut environment, port) = environment(&setup, &database).await;
        for (key, value) in settings {
            environment.insert(format!("SMARTASSIST_ETL__HTTP__{key}"), (*value).to_owned());
        }
        let mut program = Program::start(&["run"], &environment);
        program.event("run finished").await;
        Self {
            program,
            port,
            _setup: setup,
            _database: database,
        }
    }

    async fn status(&self, path: &str, head: &str) -> u16 {
        ask(self.port, &format!("GET {path}"), head).await.0
    }
}

fn bearer(token: &str) -> String {
    format!("Host: localhost\r\nAuthorization: Bearer {token}")
}

#[tokio::test]
async fn wrong_tokens_are_counted_and_told_once_a_minute() {
    let mut daemon = Daemon::start(&[("TOKEN", TOKEN)]).await;
    for _ in 0..30 {
        assert_eq!(daemon.status("/", &bearer("wrong-token-of-24-chars!")).await, 401);
    }
    // Who has not tried is not one who was wrong.
    assert_eq!(daemon.status("/", "Host: localhost").await, 401);
    assert_eq!(daemon.status("/", &bearer(TOKEN)).await, 200);
    let told = daemon
        .program
        .event("a wrong token was given for the status page")
        .await;
    assert_eq!(
        (&told["peer"], &told["attempts"]),
        (&"127.0.0.1".into(), &1.into())
    );
    let (_, metrics) = get(daemon.port, "/metrics").await;
    assert!(
        metrics.contains("\nsmartassist_etl_http_wrong_tokens_total 30\n"),
        "{metrics}"
    );
    let lines = daemon.program.all_lines();
    let told = lines
        .iter()
        .filter(|line| line.contains("a wrong token was given"));
    assert_eq!(told.count(), 1);
    assert!(!lines.join("\n").contains("24-chars"), "a token is in the log");
}

#[tokio::test]
async fn a_token_file_that_holds_no_token_lets_nobody_in() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), TOKEN).unwrap();
    let path = file.path().display().to_string();
    let mut daemon = Daemon::start(&[("TOKEN_FILE", &path)]).await;
    for content in [
        "x",
        "",
        "\u{feff} \n",
        "fifteen-letters",
        "REPLACE-ME-WITH-AT-LEAST-16-CHARACTERS",
    ] {
        std::fs::write(file.path(), content).unwrap();
        let given = bearer(content.trim_matches(['\u{feff}', ' ', '\n']));
        assert_eq!(daemon.status("/", &given).await, 503, "{content:?}");
    }
    daemon
        .program
        .event("status page disabled: cannot read http.token")
        .await;
    std::fs::write(file.path(), TOKEN).unwrap();
    assert_eq!(daemon.status("/", &bearer(TOKEN)).await, 200);
}

#[tokio::test]
async fn a_token_may_have_any_letters() {
    const LETTERS: &str = "ein-schlüssel-für-die-seite";
    let daemon = Daemon::start(&[("TOKEN", LETTERS)]).await;
    assert_eq!(daemon.status("/", &bearer(LETTERS)).await, 200);
    assert_eq!(
        daemon.status("/", &bearer("ein-schlussel-fur-die-seite")).await,
        401
    );
}

#[tokio::test]
async fn on_loopback_nobody_reads_the_metrics_by_a_name_of_his_own() {
    let daemon = Daemon::start(&[("TOKEN", TOKEN)]).await;
    for path in ["/metrics", "/readyz", "/healthz"] {
        for host in ["evil.example", "localhost.evil.example:8080", "10.0.0.7", ""] {
            let head = format!("Host: {host}");
            assert_eq!(daemon.status(path, &head).await, 403, "{path} {host}");
        }
        for host in ["127.0.0.1:9", "localhost", "[::1]:8080"] {
            let head = format!("Host: {host}");
            assert_eq!(daemon.status(path, &head).await, 200, "{path} {host}");
        }
        assert_eq!(daemon.status(path, "X-None: x").await, 200, "{path}");
    }
}

#[tokio::test]
async fn protected_metrics_are_for_whoever_may_see_the_page() {
    let daemon = Daemon::start(&[("TOKEN", TOKEN), ("PROTECT_METRICS", "true")]).await;
    assert_eq!(daemon.status("/metrics", "Host: localhost").await, 401);
    assert_eq!(daemon.status("/metrics", &bearer(TOKEN)).await, 200);
    assert_eq!(daemon.status("/readyz", "Host: localhost").await, 200);
    let daemon = Daemon::start(&[("PROTECT_METRICS", "true")]).await;
    assert_eq!(daemon.status("/metrics", "Host: localhost").await, 200);
    assert_eq!(daemon.status("/metrics", "Host: etl.example.com").await, 403);
}
