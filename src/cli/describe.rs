//! Shell completions and manual pages, without a configuration.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;
use super::exit::CommandError;
use super::output::print;

#[derive(Debug, Subcommand)]
pub(super) enum Describe {
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
    pub(super) fn print(&self) -> Result<(), CommandError> {
        match self {
            Self::Completions { shell } => print(&completions(*shell)),
            Self::Man { dir: None } => print(&manual().map_err(CommandError::other)?),
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
