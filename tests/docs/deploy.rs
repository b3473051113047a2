//! What is under `deploy/`, and the compose file: names that exist, texts that are there, limits that hold.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use smartassist_etl::config::{Config, ConfigError};
use smartassist_etl::telemetry::metrics::NAMES;

const OPERATIONS: &str = include_str!("../../docs/operations.md");
const RULES: &str = include_str!("../../deploy/prometheus/rules.yml");
const DASHBOARD: &str = include_str!("../../deploy/grafana/dashboards/smartassist-etl.json");
const COMPOSE: &str = include_str!("../../docker-compose.yml");
const CONFIG_MAP: &str = include_str!("../../deploy/kubernetes/configmap.yaml");
const PACKAGE_CONFIG: &str = include_str!("../../deploy/debian/config.toml");
const UNIT: &str = include_str!("../../deploy/debian/smartassist-etl.service");
const SECRET: &str = include_str!("../../deploy/kubernetes/secret.example.yaml");

/// The metrics' names in a text; those of a histogram's parts as the histogram.
fn metrics_in(text: &str) -> Vec<&str> {
    let starts = text.match_indices("smartassist_etl_").map(|(at, _)| at);
    let names = starts.map(|at| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        &rest[..end.unwrap_or(rest.len())]
    });
    names
        .map(|name| {
            ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| name.strip_suffix(part))
                .unwrap_or(name)
        })
        .collect()
}

fn read_texts(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_texts(&path, texts);
        } else {
            texts.push((
                path.display().to_string(),
                std::fs::read_to_string(&path).unwrap(),
            ));
        }
    }
}

#[test]
fn every_metric_that_is_asked_for_is_one_that_is_exported() {
    let mut texts = Vec::new();
    read_texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"), &mut texts);
    let mut names = 0;
    for (path, text) in &texts {
        for name in metrics_in(text) {
            names += 1;
            assert!(NAMES.contains(&name), "{path}: no metric {name}");
        }
    }
    assert!(names > 100, "{names}");
}

#[test]
fn the_dashboard_is_json_and_shows_every_metric() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids: Vec<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "two panels have the same id");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = &panel["title"];
        assert!(
            panel["description"].as_str().is_some_and(|text| !text.is_empty()),
            "{title}"
        );
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title}");
    }
    let shown = metrics_in(DASHBOARD);
    for name in NAMES {
        assert!(shown.contains(name), "no panel shows {name}");
    }
}

/// The alerts of the rules, as their text.
fn alerts() -> Vec<(&'static str, &'static str)> {
    RULES
        .split("      - alert: ")
        .skip(1)
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

/// A value of an alert, its lines as one.
fn annotation(alert: &str, key: &str) -> Option<String> {
    let (_, rest) = alert.split_once(&format!("          {key}: "))?;
    let lines = rest
        .lines()
        .enumerate()
        .take_while(|(at, line)| *at == 0 || line.starts_with("            "));
    let words: Vec<&str> = lines.map(|(_, line)| line.trim()).collect();
    Some(words.join(" ").trim_start_matches(">-").trim().to_owned()).filter(|text| !text.is_empty())
}

#[test]
fn every_alert_has_texts_a_severity_and_an_existing_runbook() {
    let alerts = alerts();
    assert!(alerts.len() >= 14, "{}", alerts.len());
    let has_runbooks = OPERATIONS.contains("### Runbook: ");
    for (name, alert) in alerts {
        assert!(name.starts_with("SmartAssistEtl"), "{name}");
        let severity = ["critical", "warning", "info"]
            .iter()
            .any(|severity| alert.contains(&format!("labels: {{severity: {severity}}}")));
        assert!(severity, "{name} has no severity");
        for key in ["summary", "description"] {
            assert!(annotation(alert, key).is_some(), "{name} has no {key}");
        }
        let runbook = annotation(alert, "runbook").unwrap_or_else(|| panic!("{name} has no runbook"));
        let headings: Vec<&str> = runbook
            .split('"')
            .filter(|text| text.starts_with("Runbook: "))
            .collect();
        assert!(!headings.is_empty(), "{name} names no heading: {runbook}");
        assert!(runbook.contains("docs/operations.md"), "{name}");
        for heading in headings.iter().filter(|_| has_runbooks) {
            let exists = OPERATIONS.lines().any(|line| line == format!("### {heading}"));
            assert!(exists, "{name}: docs/operations.md has no {heading:?}");
        }
    }
}

/// The entries of a block of the compose file that begins at the left edge.
fn compose_entries(block: &str) -> HashMap<&'static str, String> {
    let (_, rest) = COMPOSE.split_once(&format!("\n{block}\n")).unwrap();
    let lines = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let mut entries: HashMap<&str, String> = HashMap::new();
    let mut name = "";
    for line in lines {
        if line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  #") {
            name = line.trim().split(':').next().unwrap();
        }
        *entries.entry(name).or_default() += &format!("{line}\n");
    }
    entries
}

#[test]
fn every_service_of_the_compose_file_is_confined() {
    let hardened = compose_entries("x-hardened: &hardened");
    let services = compose_entries("services:");
    assert!(services.len() >= 6, "{:?}", services.keys());
    for (name, service) in &services {
        let inherits = service.contains("    <<: *hardened\n");
        for (key, value) in [
            ("read_only", "true"),
            ("cap_drop", "[ALL]"),
            ("security_opt", "[\"no-new-privileges:true\"]"),
            ("mem_limit", ""),
            ("cpus", ""),
            ("pids_limit", ""),
        ] {
            let wanted = format!("  {key}: {value}");
            let has = inherits && hardened.get(key).is_some_and(|line| line.contains(&wanted));
            assert!(
                has || service.contains(&format!("  {wanted}")),
                "{name} has no {key}"
            );
        }
        assert!(!service.contains("privileged:"), "{name}");
        for port in service
            .lines()
            .filter(|line| line.contains("ports:") && !line.contains('#'))
        {
            assert!(
                port.contains("\"127.0.0.1:"),
                "{name} is open to other machines: {port}"
            );
        }
    }
    assert!(!services["postgres"].contains("\n    ports:"));
}

#[test]
fn no_secret_of_the_compose_file_is_a_variable() {
    for line in COMPOSE.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let key = line.trim().split(':').next().unwrap();
        let is_secret = ["PASSWORD", "SECRET", "TOKEN"]
            .iter()
            .any(|word| key.contains(word));
        let is_the_simulators = key == "SMARTASSIST_ETL__ACCOUNTS__DEMO__CLIENT_SECRET";
        assert!(
            !is_secret || key.ends_with("_FILE") || is_the_simulators,
            "{line}"
        );
    }
    let declared = compose_entries("secrets:");
    for service in compose_entries("services:").values() {
        for file in service
            .match_indices("/run/secrets/")
            .map(|(at, found)| &service[at + found.len()..])
        {
            let name = file
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
                .unwrap();
            assert!(declared.contains_key(name), "no secret {name}");
            assert!(
                service
                    .lines()
                    .any(|line| line.contains("    secrets: [") && line.contains(name)),
                "{name} is not given"
            );
        }
    }
}

#[test]
fn only_the_loader_is_on_the_network_of_the_database() {
    let services = compose_entries("services:");
    let networks = |name: &str| {
        let line = services[name]
            .lines()
            .find(|line| line.starts_with("    networks: "));
        line.unwrap_or_else(|| panic!("{name} is on the network of all"))
            .to_owned()
    };
    for name in services.keys() {
        let reaches = networks(name).contains("database");
        assert_eq!(reaches, ["postgres", "etl", "etl-demo"].contains(name), "{name}");
        // As a login that reads the views for BI tools alone.
        let reports = networks(name).contains("reports");
        assert_eq!(
            reports,
            ["postgres", "grafana", "superset"].contains(name),
            "{name}"
        );
    }
}

/// The configuration in the `ConfigMap` with these secrets, as the daemon would read it.
fn read_as_in_kubernetes(secrets: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (_, toml) = CONFIG_MAP.split_once("config.toml: |\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in secrets {
        std::fs::write(folder.path().join(name), value).unwrap();
    }
    let mounted = "/run/secrets/smartassist-etl";
    assert!(toml.contains(mounted));
    let lines: Vec<&str> = toml
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .collect();
    let file = folder.path().join("config.toml");
    let text = lines.join("\n");
    std::fs::write(&file, text.replace(mounted, &folder.path().display().to_string())).unwrap();
    Config::from_layers(Some(&file), HashMap::new())
}

#[test]
fn the_kubernetes_configuration_is_valid() {
    let config = read_as_in_kubernetes(&[
        ("database_url", "postgres://etl@db.example.com/warehouse"),
        ("database_password", "hunter2"),
        ("http_token", "a-token-of-24-characters"),
        ("main_client_secret", "a-secret"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.accounts.len(), 1);
    assert!(config.http.token.is_some());
}

#[test]
fn the_example_of_the_secret_is_neither_applied_nor_accepted() {
    assert!(SECRET.lines().all(|line| line.starts_with('#')));
    let (_, secrets) = SECRET.split_once("# stringData:\n").unwrap();
    let secrets: Vec<(&str, &str)> = secrets
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ']).split_once(": ").unwrap())
        .collect();
    let Err(ConfigError::Invalid(problems)) = read_as_in_kubernetes(&secrets) else {
        panic!("the placeholders are taken for secrets");
    };
    for key in ["database.password", "http.token", "accounts.main.client_secret"] {
        let is_refused = |problem: &String| problem.starts_with(key) && problem.contains("placeholder");
        assert!(problems.iter().any(is_refused), "{key}: {problems:?}");
    }
}

/// The configuration of the Debian package with its examples in force, as the daemon would read it.
fn read_as_packaged(secrets: &[(&str, &str)]) -> Config {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in secrets {
        std::fs::write(folder.path().join(format!("etl_{name}")), value).unwrap();
    }
    let lines = PACKAGE_CONFIG.lines().map(|line| {
        let example = line.strip_prefix("# ").filter(|line| {
            let key = line.split(" = ").next().unwrap();
            line.starts_with('[') || (key != *line && !key.contains(' '))
        });
        example.unwrap_or(line)
    });
    let text = lines.collect::<Vec<&str>>().join("\n");
    let credentials = "/run/credentials/smartassist-etl.service";
    let file = folder.path().join("config.toml");
    std::fs::write(
        &file,
        text.replace(credentials, &folder.path().display().to_string()),
    )
    .unwrap();
    Config::from_layers(Some(&file), HashMap::new()).unwrap()
}

#[test]
fn the_configuration_of_the_package_is_valid() {
    let config = read_as_packaged(&[
        ("database_password", "hunter2"),
        ("http_token", "a-token-of-24-characters"),
        ("privacy_key", "a-key-of-more-than-thirty-two-characters"),
        ("main_client_secret", "a-secret"),
    ]);
    assert_eq!(config.accounts.len(), 1);
    assert!(
        config.http.token.is_some() && config.database.password.is_some() && config.privacy.key.is_some()
    );
    assert_eq!(config.data_dir, Path::new("/var/lib/smartassist-etl"));
    let (_, timeout) = UNIT.split_once("\nTimeoutStopSec=").unwrap();
    let timeout: u64 = timeout.split_once("s\n").unwrap().0.parse().unwrap();
    // The private PostgreSQL may take ten more seconds.
    assert!(timeout > config.sync.shutdown.as_secs() + 10, "{timeout}");
}

#[test]
fn the_secrets_script_makes_all_secrets_and_overwrites_none() {
    let directory = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir(directory.path().join("scripts")).unwrap();
    for file in ["scripts/secrets.sh", ".env.example"] {
        std::fs::copy(root.join(file), directory.path().join(file)).unwrap();
    }
    let read = |file: &str| std::fs::read_to_string(directory.path().join(file)).unwrap();
    let make = || {
        let script = directory.path().join("scripts/secrets.sh");
        let made = std::process::Command::new("bash").arg(script).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        (read(".env"), read("secrets/database_password"))
    };
    let (env, password) = make();
    assert_eq!(env, read(".env.example"));
    assert_eq!(password.trim().len(), 48);
    std::fs::write(directory.path().join(".env"), "filled in").unwrap();
    assert_eq!(make(), ("filled in".to_owned(), password));
}
