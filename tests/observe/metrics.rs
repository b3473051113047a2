//! What `/metrics` says.

use std::process::Stdio;
use std::time::Duration;

use smartassist_etl::ledger::leases;
use smartassist_etl::telemetry::metrics::NAMES;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Daemon;
use crate::support::daemon::{environment, get, until_answer};
use crate::support::{Program, Setup, TestDatabase, wait};

const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// Where a metric's samples begin.
fn samples<'a>(metrics: &'a str, name: &str) -> Vec<&'a str> {
    let is_of = |line: &&str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['{', ' ']) || rest.starts_with("_bucket{"))
    };
    metrics.lines().filter(is_of).collect()
}

#[tokio::test]
async fn every_metric_is_exported_with_help_and_accepted_by_promtool() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    database
        .execute("insert into smartassist_sync.schema_drift (account_id, path, json_type, first_seen_at, last_seen_at, times_seen) \
                  values ('acct-sim', 'mood', 'string', now(), now(), 1)")
        .await;
    let (status, metrics) = get(daemon.port, "/metrics").await;
    assert_eq!(status, 200);
    for name in NAMES {
        // These are there once it has happened.
        let is_rare = ["database_errors", "deleted", "time_zone", "unreadable"]
            .iter()
            .any(|rare| name.contains(rare));
        assert!(
            is_rare || !samples(&metrics, name).is_empty(),
            "no {name} in:\n{metrics}"
        );
        assert!(
            is_rare || metrics.contains(&format!("# HELP {name} ")),
            "no help for {name}"
        );
    }
    for sample in [
        r#"smartassist_etl_gaps{account="burst"} 1"#,
        r#"smartassist_etl_interactions{account="main"} 65"#,
        r#"smartassist_etl_schema_drift_fields{account="main"} 1"#,
        r#"smartassist_etl_rejected_records_waiting{account="main"} 0"#,
        concat!(
            r#"smartassist_etl_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""} 1"#
        ),
        "smartassist_etl_database_connections_max 5",
        r#"smartassist_etl_stalled_after_seconds{account="main"} 1200"#,
        r#"smartassist_etl_failed_refresh_policies{account="main"} 0"#,
    ] {
        assert!(
            metrics.lines().any(|line| line == sample),
            "no {sample} in:\n{metrics}"
        );
    }
    let drained = r#"smartassist_etl_windows_total{account="main",purpose="new",status="drained"}"#;
    assert!(metrics.contains(drained), "{metrics}");
    check_by_promtool(&metrics).await;
}

async fn check_by_promtool(metrics: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: run scripts/setup.sh with SETUP_FOR=test");
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(metrics.as_bytes()).await.unwrap();
    drop(stdin);
    let ended = promtool.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.trim().is_empty(), "{said}");
}

#[tokio::test]
async fn metrics_without_a_database_show_lag_and_age_of_the_ledger() {
    let database = TestDatabase::migrated().await;
    let daemon = Daemon::start(&database).await;
    let lag = r#"smartassist_etl_lag_seconds{account="refused"} "#;
    let (age, held) = (
        "smartassist_etl_ledger_age_seconds ",
        r#"smartassist_etl_lease_held{account="main"} "#,
    );
    let work = "update smartassist_sync.leases set expires_at = clock_timestamp() + interval '1 hour' \
                where account_id = 'acct-sim'";
    let seen = async |sample: &str| -> f64 {
        let (_, metrics) = get(daemon.port, "/metrics").await;
        let value = metrics.lines().find_map(|line| line.strip_prefix(sample));
        value
            .unwrap_or_else(|| panic!("no {sample}in:\n{metrics}"))
            .parse()
            .unwrap()
    };
    let before = seen(lag).await;
    assert!(seen(age).await < 1.0);
    // Seen while it works.
    wait::until("a daemon that is seen at work", async || {
        database.execute(work).await;
        let held = seen(held).await;
        if held < 1.0 { Err(held) } else { Ok(()) }
    })
    .await;
    database
        .execute("alter table smartassist_sync.accounts rename to away")
        .await;
    wait::until("a ledger of a second ago and a longer lag", async || {
        let now = (seen(lag).await, seen(age).await);
        if now.0 > before && now.1 > 1.0 {
            Ok(())
        } else {
            Err(now)
        }
    })
    .await;
    assert!(seen(held).await < 1.0);
}

#[test]
fn every_metric_is_explained_to_operators() {
    for name in NAMES {
        assert!(
            OPERATIONS.contains(&format!("`{name}")),
            "docs/operations.md does not explain {name}"
        );
    }
}

#[tokio::test]
async fn an_account_that_was_renamed_has_one_name_only() {
    let database = TestDatabase::migrated().await;
    let setup = Setup::live().await;
    setup.sync(&database).await;
    // The ledger has the old name until the next run, which another worker keeps from beginning.
    database
        .execute("update smartassist_sync.accounts set name = 'old'")
        .await;
    let lasts = Duration::from_secs(600);
    let lease = leases::acquire(&database.pool, "acct-sim", "other", lasts).await;
    lease.unwrap().unwrap();
    let (environment, port) = environment(&setup, &database).await;
    let mut daemon = Program::start(&["run"], &environment);
    daemon.event("another worker has the account, standing by").await;
    let metrics = until_answer(
        port,
        "/metrics",
        200,
        "smartassist_etl_watermark_timestamp_seconds{",
    )
    .await;
    let watermark = samples(&metrics, "smartassist_etl_watermark_timestamp_seconds");
    assert_eq!(watermark.len(), 1, "{watermark:?}");
    assert!(!metrics.contains(r#"account="old""#), "{metrics}");
}
