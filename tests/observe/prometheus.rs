//! A real Prometheus scrapes a running daemon, and the rules that we ship fire in a staged outage.

use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::process::{Child, Command};

use super::Daemon;
use crate::support::daemon::{environment, get};
use crate::support::{Program, Setup, TestDatabase, port, wait};

const RULES: &str = include_str!("../../deploy/prometheus/rules.yml");

/// Minutes become seconds: what a rule waits for passes sixty times as fast.
fn hurried(rules: &str) -> String {
    let mut hurried = String::new();
    let mut letters = rules.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let is_unit = letter == 'm' && before.is_ascii_digit();
        let ends = letters.peek().is_none_or(|next| !next.is_ascii_alphanumeric());
        hurried.push(if is_unit && ends { 's' } else { letter });
        before = letter;
    }
    hurried
}

struct Prometheus {
    _process: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    fn start(daemon: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = port::reserved();
        write(directory.path(), "rules.yml", &hurried(RULES));
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\nscrape_configs:\n  \
             - job_name: smartassist-etl\n    static_configs: [{{targets: ['127.0.0.1:{daemon}']}}]\n"
        );
        write(directory.path(), "prometheus.yml", &config);
        let process = Command::new("prometheus")
            .current_dir(directory.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus is missing: run scripts/setup.sh with SETUP_FOR=test");
        Self {
            _process: process,
            port,
            _directory: directory,
        }
    }

    /// Names of alerts that fire, each with its account.
    async fn firing(&self) -> Vec<String> {
        let Ok(_) = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await else {
            return Vec::new();
        };
        let (_, body) = get(self.port, "/api/v1/alerts").await;
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing
            .map(|alert| {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default();
                format!("{} {}", label("alertname"), label("account"))
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    /// Waits until all of these fire, and says what fires then.
    async fn fires(&self, wanted: &[&str]) -> Vec<String> {
        wait::until(&format!("{wanted:?} to fire"), async || {
            let firing = self.firing().await;
            let all = wanted.iter().all(|alert| firing.iter().any(|it| it == alert));
            if all { Ok(firing) } else { Err(firing) }
        })
        .await
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

#[tokio::test]
async fn the_rules_fire_in_a_staged_outage_for_whom_it_concerns() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let prometheus = Prometheus::start(daemon.port);
    let firing = prometheus
        .fires(&["SmartAssistEtlGapOpen burst", "SmartAssistEtlApiRefuses refused"])
        .await;
    let wrong: Vec<_> = firing.iter().filter(|alert| alert.ends_with(" main")).collect();
    assert!(wrong.is_empty(), "nothing is wrong with main: {wrong:?}");
    daemon.program.signal(Signal::SIGKILL);
    prometheus.fires(&["SmartAssistEtlDown"]).await;
}

#[tokio::test]
async fn a_daemon_that_waits_for_its_database_raises_an_alarm() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    let (mut environment, port) = environment(&setup, &database).await;
    let nobody = format!("postgres://etl@{}/etl", port::closed());
    environment.insert("DATABASE_URL".to_owned(), nobody);
    environment.insert(
        "SMARTASSIST_ETL__DATABASE__CONNECT_TIMEOUT_SECONDS".to_owned(),
        "1".to_owned(),
    );
    let mut daemon = Program::start(&["run"], &environment);
    let waits = daemon.event("waiting for the database").await;
    assert!(waits["error"].as_str().unwrap().contains("refused"), "{waits}");
    let (status, ready) = get(port, "/readyz").await;
    assert_eq!(status, 503);
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["remedy"], waits["remedy"], "{ready}");
    let prometheus = Prometheus::start(port);
    prometheus.fires(&["SmartAssistEtlNotStarted"]).await;
}

#[test]
fn minutes_of_rules_become_seconds_and_words_stay() {
    assert_eq!(
        hurried("increase(x_total[15m]) offset 30m == 1m for 2m: 5 min a 3m4"),
        "increase(x_total[15s]) offset 30s == 1s for 2s: 5 min a 3m4"
    );
}
