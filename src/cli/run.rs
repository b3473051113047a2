use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_cron_scheduler::JobScheduler;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::ledger::problems::Problem;
use crate::postgres::{self, Database, OpenError, Pool};
use crate::schedule;
use crate::sync::{self, AccountContext};
use crate::telemetry::{chain, metrics};
use crate::time::{Clock, SystemClock};
use crate::warehouse::reporting;
use crate::web::{self, DaemonState, Watched};

use super::accounts::contexts;
use super::process::{CommandError, Shutdown};

const DATABASE_RETRY_PAUSE: Duration = Duration::from_secs(5);

pub(super) async fn run(config: &Config) -> Result<(), CommandError> {
    config.require_accounts()?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        accounts = config.accounts.len(),
        "starting"
    );
    let shutdown = Shutdown::on_signals(config.sync.shutdown).map_err(CommandError::other)?;
    let state = Arc::new(DaemonState::default());
    let recorder = metrics::install().map_err(CommandError::other)?;
    let listener = TcpListener::bind(config.http.bind).await.map_err(|error| {
        CommandError::other(format!(
            "cannot listen on http.bind ({}): {error}; set http.bind to an address of this machine that is free, or end \
             the program that listens there (another `run` of ours?)",
            config.http.bind
        ))
    })?;
    info!(address = %config.http.bind, "serving the status page, /healthz, /readyz and /metrics");
    let server = tokio::spawn(web::serve(
        listener,
        config.http.clone(),
        Arc::clone(&state),
        recorder,
    ));
    let ended = match open(config, &state, &shutdown).await {
        Ok(Some(database)) => {
            let ended = work(config, &database, &state, &shutdown).await;
            database.close().await;
            ended
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    server.abort();
    info!("stopped");
    ended
}

/// `None` if told to stop.
async fn open(
    config: &Config,
    state: &DaemonState,
    shutdown: &Shutdown,
) -> Result<Option<Database>, CommandError> {
    loop {
        let opened = tokio::select! {
            opened = open_once(config) => opened,
            () = shutdown.soft.cancelled() => return Ok(None),
        };
        match opened {
            Ok(database) => return Ok(Some(database)),
            Err(CommandError::Open(error)) if error.is_passing() => {
                error!(error = %chain(&error), remedy = error.remedy(), "waiting for the database");
                state.wait_for(Problem::from(&error));
            }
            Err(CommandError::Migration(error)) if error.is_passing() => {
                error!(error = %chain(&error), remedy = error.remedy(), "waiting for the database, it cannot be migrated now");
                let text = chain(&error).to_string();
                state.wait_for(Problem::failed("database_not_migrated", text, error.remedy()));
            }
            Err(CommandError::Load(error)) if error.is_passing() => {
                error!(error = %chain(&error), remedy = error.remedy(), "waiting for the database, settings of reports cannot be stored now");
                state.wait_for(Problem::from(&error));
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(DATABASE_RETRY_PAUSE) => {}
            () = shutdown.soft.cancelled() => return Ok(None),
        }
    }
}

async fn open_once(config: &Config) -> Result<Database, CommandError> {
    let database = Database::open_own(config).await?;
    database.announce();
    match prepare(config, &database.pool).await {
        Ok(()) => Ok(database),
        Err(error) => {
            database.close().await;
            Err(error)
        }
    }
}

async fn prepare(config: &Config, pool: &Pool) -> Result<(), CommandError> {
    postgres::migrate(pool).await?;
    Ok(reporting::apply_all(pool, &config.accounts, true).await?)
}

async fn work(
    config: &Config,
    database: &Database,
    state: &DaemonState,
    shutdown: &Shutdown,
) -> Result<(), CommandError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let accounts = contexts(config, &database.pool)?;
    let (mut runners, mut scheduler) = start(config, &accounts, &shutdown.soft).await?;
    state.set(Watched::new(
        database.pool.clone(),
        accounts,
        Arc::clone(&config.sync),
        clock,
    ));
    let ended = tokio::select! {
        ended = all_ended(&mut runners, shutdown) => ended,
        () = shutdown.hard.cancelled() => {
            warn!("what was not finished is rolled back");
            Ok(())
        }
        // At shutdown systemd stops the server too; otherwise it is an error.
        ended = database.server_ended() => if shutdown.soft.is_cancelled() {
            warn!(error = %chain(&ended), "what was not finished is rolled back");
            Ok(())
        } else {
            Err(OpenError::from(ended).into())
        }
    };
    runners.shutdown().await;
    if let Err(error) = scheduler.shutdown().await {
        warn!(error = %chain(&error), "the scheduler did not stop in order");
    }
    ended
}

/// Two runners for each account: one reads, one cleans up. The scheduler wakes them.
async fn start(
    config: &Config,
    accounts: &[AccountContext],
    stop: &CancellationToken,
) -> Result<(JoinSet<()>, JobScheduler), CommandError> {
    let mut runners = JoinSet::new();
    let mut sleepers = Vec::new();
    for account in accounts {
        let [reader, cleaner] = [Arc::<Notify>::default(), Arc::default()];
        sleepers.extend([Arc::clone(&reader), Arc::clone(&cleaner)]);
        runners.spawn(sync::serve(account.clone(), reader, stop.clone()));
        runners.spawn(schedule::clean_up(account.clone(), cleaner, stop.clone()));
    }
    let patterns = [config.sync.poll.clone(), config.storage.clean_up.clone()];
    let policies = config.sync.policies().into_iter();
    let patterns = patterns.into_iter().chain(policies.map(|policy| policy.every));
    let scheduler = schedule::wake(patterns, &sleepers).await;
    Ok((runners, scheduler.map_err(CommandError::other)?))
}

/// Without a runner an account stays unread, so the process ends.
async fn all_ended(runners: &mut JoinSet<()>, shutdown: &Shutdown) -> Result<(), CommandError> {
    while let Some(ended) = runners.join_next().await {
        if ended.is_err() {
            // A panic message may hold personal data.
            return Err(CommandError::other(
                "an account's runner panicked; the log says where",
            ));
        }
        if !shutdown.soft.is_cancelled() {
            return Err(CommandError::other("an account's runner ended by itself"));
        }
    }
    Ok(())
}
