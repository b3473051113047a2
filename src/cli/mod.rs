//! The command line: parses and dispatches.

mod accounts;
mod backfill;
mod confirm_missing;
mod describe;
mod doctor;
mod erase;
mod exit;
mod healthcheck;
mod layout;
mod migrate;
mod output;
mod paint;
mod process;
mod progress;
mod range;
mod replay;
mod retry_rejected;
mod run;
mod shutdown;
mod status;
mod sync;
mod verify;
mod waiting;
mod workers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

use anstream::adapter::strip_str;
use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::config::Config;
use crate::postgres::Database;
use crate::telemetry::logging;
use crate::time::clock::{Clock, SystemClock};

use describe::Describe;
use exit::CommandError;

/// Loads every interaction of a Kore.ai SmartAssist account into PostgreSQL, exactly once and
/// nothing lost without a word.
///
/// Start with `sync`, which loads what there is and ends, then leave `run` running. Without a
/// database in the configuration both keep a private PostgreSQL under data_dir.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    /// Configuration file (TOML); every key and its default is explained in config/default.toml
    #[arg(long, global = true, value_name = "FILE", env = "SMARTASSIST_ETL_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    wanted: Wanted,
}

const AFTER_HELP: &str = "\
Configuration: defaults, then FILE, then the environment, e.g.
  SMARTASSIST_ETL__ACCOUNTS__MAIN__BASE_URL=https://smartassist.kore.ai
  SMARTASSIST_ETL__ACCOUNTS__MAIN__ACCOUNT_ID=60625df27092898e35d90000
  SMARTASSIST_ETL__ACCOUNTS__MAIN__STREAM_ID=st-1d7611fa-908a-5f0c-8871-f7ea97a00000
  SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_ID=cs-259844d3-7827-5f33-ae7c-9d790e6d0000
  SMARTASSIST_ETL__ACCOUNTS__MAIN__CLIENT_SECRET_FILE=/run/secrets/client_secret
  DATABASE_URL=postgres://etl:…@db.example.com/warehouse

Exit codes: 0 done; 1 part of the work failed; 2 bad usage or configuration;
3 the API refused us (sign-in, rights); 4 the database is out of reach.";

#[derive(Debug, Subcommand)]
enum Wanted {
    #[command(flatten)]
    Work(Command),
    #[command(flatten)]
    Description(Describe),
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: migrate, catch up, then poll on schedule until SIGTERM or SIGINT
    ///
    /// Serves the status page, /healthz, /readyz and /metrics at http.bind. A first SIGTERM lets the window in
    /// hand finish (sync.shutdown_seconds), a second one ends at once; either way the tables
    /// stay consistent. SIGUSR1 turns debug lines on and off. Another configuration takes a restart.
    Run,
    /// One pass to now for every account, refreshes that are due included, then exit
    ///
    /// Migrates first. Reads what is not loaded yet, and again what sync.refresh says is due since it
    /// was read last: run every quarter of an hour, as by cron, it does what the daemon does. A second
    /// pass right after it reads nothing twice. Beside a running daemon it asks the daemon, and waits
    /// until that is done.
    Sync,
    /// Fetch a past range, also one from before start_from
    ///
    /// Migrates first. What is loaded already is not asked for again, unless with --refetch. Beside a
    /// running daemon it asks the daemon and watches; without one it does the work itself. Stopped by
    /// SIGTERM, its request stays, and the daemon or the same command goes on with what is left;
    /// Ctrl-C takes it back. A range that reaches into the future is cut.
    Backfill(backfill::Arguments),
    /// Compare what is stored with what the API has, day by day
    ///
    /// Where the API gives totals, a day costs one request: its total against our count. A day that
    /// differs, and every day where it gives none, is read whole and compared by identity. Prints
    /// the days that differ; exit code 1 if there are any. Changes nothing that is stored without
    /// --repair, but reads what is new meanwhile. Works beside a running daemon, as backfill does.
    Verify(verify::Arguments),
    /// How each account stands: complete up to when, what is wrong, what to do, what is done now
    Status {
        /// One JSON object for programs
        #[arg(long)]
        json: bool,
    },
    /// Check configuration, database, API and time stamps, and say what to mend
    ///
    /// Writes nothing. Asks each account's API some 6 times, up to twice that where it fails, which
    /// counts against its request budget like all else; a daemon that runs meanwhile does not know of
    /// these requests.
    /// Exit code 1 if a check failed, 3 if it is the API that refused us, 4 if the database is out
    /// of reach; warnings are no failure.
    Doctor {
        /// One JSON object for programs
        #[arg(long)]
        json: bool,
    },
    /// Rebuild all rows from the raw records with today's rules, without one request
    ///
    /// Migrates first. After an upgrade, or a change of privacy.*: what differs is written, the rest is not
    /// touched. Works beside a running daemon, whose newer versions win. One that was stopped is gone on
    /// with. Exit code 1 if a record could not be rebuilt: its rows stay as they are.
    Replay(replay::Arguments),
    /// Try the records that were set aside again, as after an upgrade
    ///
    /// Migrates first. Those that can be read now become rows, unless their interaction is stored already.
    /// Those that still cannot stay where they are, by reason; that is exit code 0 too.
    RetryRejected(retry_rejected::Arguments),
    /// Forget a customer: delete what one identifier finds, and leave it out of every later fetch
    ///
    /// Run `erase` once for each identifier: erasing by phone does not find records that only hold the
    /// e-mail address. Give it by standard input, where other users of the machine and the shell's
    /// history do not see it: `echo "+49 30 1234567" | smartassist-etl erase --phone -`.
    ///
    /// Deletes, of all accounts and in one transaction, the interactions and rejected records whose
    /// customer has this identifier, and the other interactions of the same session or conversation. A
    /// phone number is found however it is written (URI, extension, blanks and dashes of every kind,
    /// international prefix), if it has its country code; an e-mail address in any case, with a display
    /// name, in a list; an id in its own case.
    ///
    /// Records that may be about somebody else are not deleted, but counted and listed ("N more mention
    /// it"): where the number has no country code, or the identifier stands in notes, tags or other
    /// fields that do not say whose the record is.
    ///
    /// Migrates first. Needs privacy.key: what is kept are keyed hashes.
    Erase(erase::Arguments),
    /// Mark as missing what the API no longer returns in bulk, since it is really gone
    ///
    /// Migrates first. Where many interactions are no longer returned at once, they are kept as they are
    /// until somebody has looked: `status` says how many. This command marks them (missing_since), and views
    /// leave them out from then on. Each is taken back by itself should it be returned again. Works beside a
    /// running daemon. Makes no request.
    ConfirmMissing(confirm_missing::Arguments),
    /// Apply the database's migrations only
    Migrate,
    /// Exit 0 if the daemon on this machine is alive (for the container's HEALTHCHECK)
    Healthcheck,
}

/// Runs the command and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.wanted {
        Wanted::Work(command) => execute(command, cli.config.as_deref()),
        Wanted::Description(describe) => describe.print(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let word = format!("smartassist-etl: {}", error.message());
            logging::last_word(output::printable(&strip_str(&word).to_string()));
            error.code()
        }
    }
}

/// At most 4: a container's task limit must hold for daemon and command.
fn threads() -> usize {
    const MOST: usize = 4;
    available_parallelism().map_or(MOST, |processors| processors.get().min(MOST))
}

fn runtime() -> Result<Runtime, CommandError> {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(threads()).enable_all();
    builder.build().map_err(CommandError::other)
}

fn execute(command: &Command, file: Option<&Path>) -> Result<(), CommandError> {
    process::close();
    if matches!(command, Command::Healthcheck) {
        return runtime()?.block_on(healthcheck::healthcheck(file));
    }
    let config = Config::load(file)?;
    config.require_started(SystemClock.now())?;
    if Database::is_private(&config) {
        process::drop_postgresql_variables()?;
    }
    let runtime = runtime()?;
    let logging = logging::start(&config.log);
    let screen = &logging.screen;
    runtime.block_on(async {
        match command {
            Command::Run => run::run(&config, logging.level.clone()).await,
            Command::Sync => sync::sync(&config, screen).await,
            Command::Backfill(arguments) => backfill::backfill(&config, arguments, screen).await,
            Command::Verify(arguments) => verify::verify(&config, arguments, screen).await,
            Command::Doctor { json } => doctor::doctor(&config, *json).await,
            Command::Status { json } => status::status(&config, *json).await,
            Command::Replay(arguments) => replay::replay(&config, arguments, screen).await,
            Command::RetryRejected(arguments) => retry_rejected::retry_rejected(&config, arguments).await,
            Command::ConfirmMissing(arguments) => confirm_missing::confirm_missing(&config, arguments).await,
            Command::Erase(arguments) => erase::erase(&config, arguments).await,
            Command::Migrate => migrate::migrate(&config).await,
            Command::Healthcheck => healthcheck::healthcheck(file).await,
        }
    })
}
