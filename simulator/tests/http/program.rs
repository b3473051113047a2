//! The program: its port file, its control surface, its end.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::client::{Client, range, simulator, until};

fn program(port_file: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_smartassist-simulator"))
        .args([
            "--bind",
            "127.0.0.1:0",
            "--interactions",
            "500",
            "--days",
            "3",
            "--arrivals-per-minute",
            "600",
        ])
        .arg("--port-file")
        .arg(port_file)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let port_file = directory.path().join("port");
    let mut child = program(&port_file);
    until("the port file", async || port_file.exists()).await;
    let address = std::fs::read_to_string(&port_file).unwrap();
    let base = format!("http://{}", address.trim());
    let client = Client::new(&simulator(0).await);
    let text = |path: &str| client.http.get(format!("{base}{path}")).send();
    assert_eq!(text("/healthz").await.unwrap().text().await.unwrap(), "ok");
    until("sessions that arrive", async || {
        let stats: Value = text("/_simulator/stats").await.unwrap().json().await.unwrap();
        stats["interactions"].as_u64().unwrap() > 500
    })
    .await;
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().unwrap().to_string()])
        .status();
    assert!(killed.await.unwrap().success());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn the_control_surface_adds_and_changes_sessions() {
    let simulator = simulator(200).await;
    let client = Client::new(&simulator);
    let control = |path: &str, body: Value| {
        let request = client
            .http
            .post(format!("{}/_simulator/{path}", simulator.base_url()))
            .json(&body);
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let added = control("interactions", json!({ "count": 3, "ago_seconds": 300 })).await;
    let ids: Vec<_> = added["session_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    let now = simulator.world().now();
    let recent = client
        .all_ids(&range(now - chrono::TimeDelta::seconds(310), now))
        .await;
    assert!(ids.len() == 3 && ids.iter().all(|id| recent.contains(*id)));
    let mutated = control("mutate", json!({ "fraction": 0.5, "seed": 1 })).await;
    assert!(
        (60..140).contains(&mutated["changed"].as_u64().unwrap()),
        "{mutated}"
    );
}
