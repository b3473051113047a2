//! How long the status page takes: fifty accounts, three years of coverage each.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use smartassist_etl::config::Config;
use smartassist_etl::extract::ApiClient;
use smartassist_etl::postgres::{Pool, migrate};
use smartassist_etl::sync::AccountContext;
use smartassist_etl::telemetry::metrics;
use smartassist_etl::time::{Clock, SystemClock};
use smartassist_etl::web::{self, DaemonState, Watched};
use tokio::net::TcpListener;

use crate::figures::{grouped, verdict};
use crate::http::get;
use crate::workbench::Workbench;

const ACCOUNTS: usize = 50;

/// What a page may take of the server's time.
const GOAL: Duration = Duration::from_millis(100);

/// Each page so often; the first ones fill caches.
const TIMES: usize = 40;
const FIRST: usize = 5;

pub(crate) async fn measure(workbench: &Workbench) -> Result<()> {
    let mut database = workbench.database("page").await?;
    let config = config(&database.url())?;
    let pool = Pool::new(database.options(), &config.database.session);
    migrate(&pool).await?;
    let fill = include_str!("page.sql")
        .split(";\n")
        .filter(|statement| !statement.trim().is_empty());
    for statement in fill {
        database.execute(statement).await?;
    }
    database.settle().await?;
    let address = serve(&config, pool).await?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "\nStatus page: {ACCOUNTS} accounts, 3 years of coverage each, {} days, {TIMES} times each",
        grouped(ACCOUNTS * 1_095)
    )?;
    writeln!(
        out,
        "  path                       median      slowest      bytes   goal {GOAL:?}"
    )?;
    for path in ["/", "/accounts/account01", "/metrics", "/api/status"] {
        let mut took = Vec::new();
        let mut bytes = 0;
        for _ in 0..TIMES {
            if path == "/metrics" {
                // They are good for a second.
                tokio::time::sleep(Duration::from_millis(1_100)).await;
            }
            let began = Instant::now();
            bytes = get(address, path).await?;
            took.push(began.elapsed());
        }
        let mut took = took.split_off(FIRST);
        took.sort_unstable();
        let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
        // The JSON is for programs, and holds every day of every account.
        let is_met = (path != "/api/status").then(|| median <= GOAL);
        writeln!(
            out,
            "  {path:<38} {median:>9.1?} {slowest:>10.1?} {:>10}   {}",
            grouped(bytes),
            is_met.map_or("no goal", |is_met| verdict(Some(is_met)))
        )?;
    }
    workbench.drop(database).await
}

fn config(url: &str) -> Result<Config> {
    let mut environment: HashMap<String, String> = [("DATABASE_URL".to_owned(), url.to_owned())].into();
    for number in 1..=ACCOUNTS {
        for (key, value) in [
            ("BASE_URL", "http://127.0.0.1:1".to_owned()),
            ("ACCOUNT_ID", format!("acct-{number:02}")),
            ("STREAM_ID", "st-bench".to_owned()),
            ("TOKEN", "a-token-that-nobody-takes".to_owned()),
        ] {
            let name = format!("SMARTASSIST_ETL__ACCOUNTS__ACCOUNT{number:02}__{key}");
            environment.insert(name, value);
        }
    }
    Ok(Config::from_layers(None, environment)?)
}

/// The very server of the daemon, with a worker for each account that nobody sets to work.
async fn serve(config: &Config, pool: Pool) -> Result<SocketAddr> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut workers = Vec::new();
    for account in &config.accounts {
        let api = ApiClient::new(account.clone(), Arc::clone(&clock))?;
        let (pool, clock) = (pool.clone(), Arc::clone(&clock));
        workers.push(AccountContext::new(api, pool, config, clock, "bench".to_owned()));
    }
    let state = Arc::new(DaemonState::default());
    state.set(Watched::new(pool, workers, Arc::clone(&config.sync), clock));
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let recorder = metrics::install()?;
    tokio::spawn(web::serve(listener, config.http.clone(), state, recorder));
    Ok(address)
}
