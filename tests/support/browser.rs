//! A real, headless Chromium, driven through WebDriver. The few commands that the tests need are sent by
//! hand: two of them, the browser's logs and its emulation, are Chromium's own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// No page takes longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Chromium reaches nothing but this machine, and asks nobody for updates.
const ARGUMENTS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// A browser with a profile of its own. It ends with the test.
pub(crate) struct Browser {
    http: reqwest::Client,
    session: String,
    _driver: Driver,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver is missing: run scripts/setup.sh with SETUP_FOR=test");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let driver = Driver(driver);
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver ended");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let http = http_client();
        let session = call(&http, &format!("http://127.0.0.1:{port}/session"), &wanted).await;
        let id = session["sessionId"].as_str().unwrap();
        Self {
            http,
            session: format!("http://127.0.0.1:{port}/session/{id}"),
            _driver: driver,
            _profile: profile,
        }
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        call(&self.http, &format!("{}/{command}", self.session), &body).await
    }

    /// Shows a page.
    pub(crate) async fn goto(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// What a function body returns.
    pub(crate) async fn script(&self, body: &str) -> Value {
        self.post("execute/sync", json!({ "script": body, "args": [] }))
            .await
    }

    /// The width of the window, and whether it is dark.
    pub(crate) async fn look(&self, width: u32, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.chromium("Emulation.setDeviceMetricsOverride", size).await;
        self.chromium("Emulation.setEmulatedMedia", media).await;
    }

    /// Switches scripts off or on, from the next page on.
    pub(crate) async fn scripts(&self, are_on: bool) {
        self.chromium(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": !are_on }),
        )
        .await;
    }

    async fn chromium(&self, command: &str, parameters: Value) -> Value {
        self.post(
            "goog/cdp/execute",
            json!({ "cmd": command, "params": parameters }),
        )
        .await
    }

    /// Types a key, by its name as WebDriver has it.
    pub(crate) async fn press(&self, key: char) {
        let strokes = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": [
            { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key },
        ] }] });
        self.post("actions", strokes).await;
    }

    /// What the console said since this was asked last.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that were asked since this was asked last.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": "performance" })).await;
        let messages = entries
            .as_array()
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .map(|entry| {
                let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
                message["message"].clone()
            });
        messages
            .filter(|message| message["method"] == "Network.requestWillBeSent")
            .map(|message| message["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A picture of the whole page, where `PICTURES` names a directory for it.
    pub(crate) async fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("PICTURES") else {
            return;
        };
        let picture = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.chromium("Page.captureScreenshot", picture).await;
        let bytes = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            taken["data"].as_str().unwrap(),
        );
        std::fs::write(Path::new(&directory).join(format!("{name}.png")), bytes.unwrap()).unwrap();
    }
}

/// chromedriver, with the Chromium that it has started: both end with a test, however that ends.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(group) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it talks to chromedriver, not to the API"
)]
fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .build()
        .unwrap()
}

async fn call(http: &reqwest::Client, url: &str, body: &Value) -> Value {
    let answer = http.post(url).body(body.to_string()).send().await.unwrap();
    let mut answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let value = answer["value"].take();
    assert!(value["error"].is_null(), "{url}: {value:#}");
    value
}
