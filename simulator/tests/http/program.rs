//! The program: its port file, its control surface, its end.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::client::{Client, range, simulator};

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
        .spawn()
        .unwrap()
}

async fn address(port_file: &Path) -> String {
    for _ in 0..200 {
        if let Ok(text) = std::fs::read_to_string(port_file) {
            return text.trim().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no port file");
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_end() {
    let port_file: PathBuf = std::env::temp_dir().join(format!("simulator-port-{}", std::process::id()));
    let mut child = program(&port_file);
    let base = format!("http://{}", address(&port_file).await);
    std::fs::remove_file(&port_file).unwrap();
    let client = Client::new(&simulator(0).await);
    let text = |path: &str| client.http.get(format!("{base}{path}")).send();
    assert_eq!(text("/healthz").await.unwrap().text().await.unwrap(), "ok");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let stats: Value = text("/_simulator/stats").await.unwrap().json().await.unwrap();
    assert!(stats["interactions"].as_u64().unwrap() > 500, "{stats}");
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
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
