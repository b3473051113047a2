//! The command line.

mod accounts;
mod erase;
mod output;
mod process;
mod reprocess;
mod run;
mod shell;
mod state;
mod sync;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

use anstream::adapter::strip_str;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;
use tokio::runtime::Builder;

use crate::config::Config;
use crate::postgres::Database;
use crate::telemetry::{chain, logging};
use crate::time::{Clock, SystemClock};

use process::CommandError;
use shell::with_database;

/// Loads every interaction of a Kore.ai SmartAssist account into PostgreSQL, exactly once and with no
/// silent loss.
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
    command: Command,
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
3 the API rejected us (sign-in, rights); 4 the database is out of reach.";

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Configured(ConfiguredCommand),
    /// Exit 0 if the daemon on this machine is alive (for the container's HEALTHCHECK)
    Healthcheck,
    #[command(flatten)]
    Describe(Describe),
}

/// Starts with the whole configuration, and logs.
#[derive(Debug, Subcommand)]
enum ConfiguredCommand {
    /// The daemon: migrate, catch up, then poll on schedule until SIGTERM or SIGINT
    ///
    /// Serves the status page, /healthz, /readyz and /metrics at http.bind. A first SIGTERM lets the window
    /// that is being written finish (sync.shutdown_seconds), a second one ends at once; either way the tables
    /// stay consistent. SIGUSR1 turns debug lines on and off. Another configuration takes a restart.
    Run,
    /// One pass to now for every account, refreshes that are due included, then exit
    ///
    /// Migrates first. Reads what is not loaded yet, and again what sync.refresh says is due: run every
    /// quarter of an hour, as by cron, it does what the daemon does. A second pass right after it reads
    /// nothing twice. Beside a running daemon it asks the daemon, and waits until that is done.
    Sync,
    /// Fetch a past range, also one from before start_from
    ///
    /// Migrates first. Does not read again what is loaded already, except with --refetch. Beside a
    /// running daemon it asks the daemon and watches; without one it does the work itself. Stopped by
    /// SIGTERM, its request stays open, and the daemon or the same command continues with what is left;
    /// Ctrl-C cancels it. A range that reaches into the future is cut.
    Backfill(sync::BackfillArguments),
    /// Compare what is stored with what the API has, day by day
    ///
    /// Where the API gives totals, a day costs one request: its total against our count. A day that
    /// differs, and every day without a total, is read whole and compared by identity. Prints
    /// the days that differ; exit code 1 if there are any. Changes nothing that is stored without
    /// --repair, but reads the head meanwhile, and what was asked for before. Rows that somebody changed
    /// by hand look as they were. Works beside a running daemon.
    Verify(verify::VerifyArguments),
    /// State of each account: complete up to when, what is wrong, what to do, what is running
    Status {
        /// One JSON object for programs
        #[arg(long)]
        json: bool,
    },
    /// Check configuration, database, API and time stamps, and say what to fix
    ///
    /// Writes nothing. Makes about 5 requests to each account's API, up to twice that where they fail. They
    /// count against its request budget, and a running daemon does not know of them.
    /// Exit code 1 if a check failed, 3 if the API rejected us, 4 if the database is out of reach;
    /// warnings are no failure.
    Doctor {
        /// One JSON object for programs
        #[arg(long)]
        json: bool,
    },
    /// Rebuild all rows from the raw records with today's rules, without any request
    ///
    /// Migrates first. After an upgrade, or a change of privacy.*: writes what differs, leaves the rest
    /// alone. Works beside a running daemon, whose newer versions win. Continues one that was stopped.
    /// Exit code 1 if a record could not be rebuilt: its rows stay as they are.
    Replay(reprocess::ReprocessArguments),
    /// Make the facts that reports are counted from anew, without any request
    ///
    /// Migrates first. Not needed in ordinary life: facts are written with the rows, and made anew by the daemon
    /// after a change of reporting.time_zone. For rows that were changed by hand.
    RebuildFacts(reprocess::ReprocessArguments),
    /// Try the rejected records again, as after an upgrade
    ///
    /// Migrates first. Those that can be read now become rows, unless their interaction is stored already.
    /// The others stay rejected, and are listed by reason; that is exit code 0 too.
    RetryRejected(reprocess::ReprocessArguments),
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
    /// it"): with --mentions all where the number has no country code, or the identifier stands in notes,
    /// tags or other fields that do not say whose the record is.
    ///
    /// Migrates first. Needs privacy.key: only keyed hashes are kept.
    Erase(erase::EraseArguments),
    /// Mark interactions as missing that the API no longer returns in bulk
    ///
    /// Migrates first. When the API stops returning many interactions at once, they are not marked until
    /// somebody has looked: `status` says how many. This command marks them (missing_since), and views
    /// leave them out from then on. The mark is removed if the API returns the interaction again. Works beside
    /// a running daemon. Makes no request.
    ConfirmMissing(reprocess::ConfirmMissingArguments),
    /// Apply the database's migrations only
    Migrate,
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let file = cli.config.as_deref();
    let done = match &cli.command {
        Command::Configured(command) => execute(command, file),
        Command::Healthcheck => check_health(file),
        Command::Describe(describe) => describe.print(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let remedy = error.remedy().map(|remedy| format!("; {remedy}"));
            let message = format!("smartassist-etl: {}{}", chain(&error), remedy.unwrap_or_default());
            logging::print_final_error(output::printable(&strip_str(&message).to_string()));
            error.code()
        }
    }
}

/// A container's task limit must hold for daemon and command.
const MAX_THREADS: usize = 4;

fn block_on(work: impl Future<Output = Result<(), CommandError>>) -> Result<(), CommandError> {
    let processors = available_parallelism().map_or(MAX_THREADS, usize::from);
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(processors.min(MAX_THREADS)).enable_all();
    let runtime = builder.build().map_err(CommandError::other)?;
    let done = runtime.block_on(work);
    // Dropping it would wait for a DNS look-up that hangs.
    runtime.shutdown_background();
    done
}

fn check_health(file: Option<&Path>) -> Result<(), CommandError> {
    process::hide_secrets();
    block_on(state::healthcheck(file))
}

fn execute(command: &ConfiguredCommand, file: Option<&Path>) -> Result<(), CommandError> {
    use ConfiguredCommand as Of;
    process::hide_secrets();
    let config = Config::load(file)?;
    config.require_started(SystemClock.now())?;
    if Database::is_private(&config) {
        process::drop_postgresql_variables()?;
    }
    let logging = logging::start(&config.log);
    let screen = &logging.screen;
    block_on(async {
        // Else it would end them.
        let _toggling = logging.level.toggle_on_signal().map_err(CommandError::other)?;
        match command {
            Of::Run => run::run(&config).await,
            Of::Sync => sync::sync(&config, screen).await,
            Of::Backfill(arguments) => sync::backfill(&config, arguments, screen).await,
            Of::Verify(arguments) => verify::verify(&config, arguments, screen).await,
            Of::Doctor { json } => state::doctor(&config, *json).await,
            Of::Status { json } => state::status(&config, *json).await,
            Of::Replay(arguments) => reprocess::replay(&config, arguments, screen).await,
            Of::RebuildFacts(arguments) => reprocess::rebuild_facts(&config, arguments).await,
            Of::RetryRejected(arguments) => reprocess::retry_rejected(&config, arguments).await,
            Of::ConfirmMissing(arguments) => reprocess::confirm_missing(&config, arguments).await,
            Of::Erase(arguments) => erase::erase(&config, arguments).await,
            Of::Migrate => with_database(&config, async |_| Ok(())).await,
        }
    })
}

/// Without a configuration.
#[derive(Debug, Subcommand)]
enum Describe {
    /// Completions for a shell, to standard output
    ///
    /// For bash: smartassist-etl completions bash > /etc/bash_completion.d/smartassist-etl
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The manual page, to standard output, or a page for every command
    ///
    /// To look at it: smartassist-etl man | man -l -
    Man {
        /// Write the pages of all commands into this directory, which is made if it is not there
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

impl Describe {
    fn print(&self) -> Result<(), CommandError> {
        match self {
            Self::Completions { shell } => output::print(&completions(*shell)),
            Self::Man { dir: None } => output::print(&manual().map_err(CommandError::other)?),
            Self::Man { dir: Some(dir) } => write_manuals(dir)
                .map_err(|error| CommandError::other(format!("cannot write to {}: {error}", dir.display()))),
        }
    }
}

fn completions(shell: Shell) -> String {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn pages() -> clap::Command {
    Cli::command().disable_help_subcommand(true)
}

fn manual() -> std::io::Result<String> {
    let mut page = Vec::new();
    Man::new(pages()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write_manuals(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(pages(), dir)
}
