use std::io::{self, IsTerminal, Read};

use clap::Args;
use serde_json::{Value, json};
use tracing::info;

use crate::config::Config;
use crate::sync::{self, Erasure};
use crate::transform::privacy::{IdentifierKind, Wanted};
use crate::warehouse::erase::RecordKey;

use super::output::print_report;
use super::process::CommandError;
use super::shell::with_database;

/// Reads standard input, because other users can see arguments.
const STANDARD_INPUT: &str = "-";

const LONGEST_INPUT_BYTES: u64 = 64 << 10;

const MAX_LISTED: usize = 100;

#[derive(Debug, Args)]
pub(super) struct EraseArguments {
    #[command(flatten)]
    customer: Customer,
    /// Only count what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Also list the interactions that mention the customer anywhere else: reads everything that is stored
    #[arg(long)]
    mentions: bool,
    /// One JSON object for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Customer {
    /// A phone number of the customer with its country code; `-` reads it from standard input
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    /// An e-mail address of the customer; `-` reads it from standard input
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// An id of the customer, userId or channelSpecificUserId, in its own case; `-` reads it from standard input
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
}

impl Customer {
    fn identifier(&self) -> (IdentifierKind, &str) {
        let given = [
            (IdentifierKind::Phone, &self.phone),
            (IdentifierKind::Email, &self.email),
            (IdentifierKind::UserId, &self.user_id),
        ];
        let mut given = given.into_iter();
        let given = given.find_map(|(kind, value)| Some((kind, value.as_deref()?)));
        given.unwrap_or((IdentifierKind::UserId, ""))
    }
}

pub(super) async fn erase(config: &Config, arguments: &EraseArguments) -> Result<(), CommandError> {
    let Some(key) = &config.privacy.key else {
        return Err(CommandError::Usage(
            "erase needs privacy.key: later fetches recognize the customer by a hash made with it; make one with \
             `openssl rand -hex 32`, and keep it"
                .to_owned(),
        ));
    };
    let dry_run = arguments.dry_run;
    let (kind, value) = arguments.customer.identifier();
    let stdin = io::stdin();
    let value = read_value(value, stdin.lock(), stdin.is_terminal())?;
    let wanted = Wanted::new(kind, &value, key).map_err(|why| CommandError::Usage(why.to_owned()))?;
    let erasure = with_database(config, async |shell| {
        let pool = &shell.database.pool;
        let erase = async || Ok(sync::erase(pool, &wanted, key, dry_run).await?);
        let mut erasure = shell.retry(erase).await?;
        if arguments.mentions {
            let find = async || Ok(sync::find_mentions(pool, &wanted, &mut erasure).await?);
            shell.retry(find).await?;
        }
        Ok(erasure)
    })
    .await?;
    info!(
        kind = kind.as_str(),
        sessions = erasure.deleted.sessions,
        rejected_records = erasure.deleted.rejected_records,
        mentions = erasure.mentions(),
        dry_run,
        "{}",
        if dry_run {
            "customer would be erased"
        } else {
            "customer erased"
        }
    );
    print_report(arguments.json, &to_json(&erasure, arguments), || {
        to_text(&erasure, arguments)
    })
}

fn read_value(value: &str, mut input: impl io::BufRead, is_typed: bool) -> Result<String, CommandError> {
    if value != STANDARD_INPUT {
        return Ok(value.to_owned());
    }
    let mut line = String::new();
    input
        .read_line(&mut line)
        .map_err(|error| CommandError::Usage(format!("cannot read standard input: {}", error.kind())))?;
    let line = line.trim_start_matches('\u{feff}').trim();
    if !is_typed {
        let mut rest = Vec::new();
        // If reading fails, what was read tells enough.
        let _ = input.take(LONGEST_INPUT_BYTES).read_to_end(&mut rest);
        if !rest.trim_ascii().is_empty() {
            return Err(CommandError::Usage(
                "standard input has several lines: erase one identifier at a time".to_owned(),
            ));
        }
    }
    if line.is_empty() {
        return Err(CommandError::Usage(
            "standard input is empty: its line is the identifier".to_owned(),
        ));
    }
    Ok(line.to_owned())
}

fn to_text(erasure: &Erasure, arguments: &EraseArguments) -> String {
    let mut text = if arguments.dry_run {
        "Nothing is deleted; this would be:\n".to_owned()
    } else {
        "Deleted, and left out of every later fetch:\n".to_owned()
    };
    let deleted = &erasure.deleted;
    text += &format!("  sessions {:>18}\n", deleted.sessions);
    text += &format!("  rejected_records {:>10}\n", deleted.rejected_records);
    let (kind, _) = arguments.customer.identifier();
    if erasure.deleted.sessions == 0 {
        text += "No interaction has this identifier.";
        text += match kind {
            IdentifierKind::Phone => " A number is found with its country code, as in +49 30 1234567.\n",
            _ => "\n",
        };
    }
    if erasure.mentions() > 0 {
        text += &mentions(erasure);
    }
    if !arguments.mentions {
        text +=
            "Not searched: interactions that mention it elsewhere, as in a note. `--mentions` lists them.\n";
    }
    text
}

fn mentions(erasure: &Erasure) -> String {
    let mut text = format!(
        "{} more mention it and are not deleted, because they may be about somebody else: it is in another field, within\n\
         other text or without its country code, or they only share a session that is somebody else's, too.\n\
         Look at each:\n",
        erasure.mentions()
    );
    let interactions = erasure.mentioned_in.iter().map(|found| ("interaction", found));
    let rejected = erasure.mentioned_in_rejected.iter();
    let all = interactions.chain(rejected.map(|found| ("rejected record", found)));
    for (what, found) in all.take(MAX_LISTED) {
        text += &format!("  {what} {} of account {}\n", found.id, found.account_id);
    }
    if erasure.mentions() > MAX_LISTED {
        text += &format!(
            "  and {} others, which --json lists\n",
            erasure.mentions() - MAX_LISTED
        );
    }
    text
}

fn to_json(erasure: &Erasure, arguments: &EraseArguments) -> Value {
    fn keys<'a>(found: impl IntoIterator<Item = &'a RecordKey>, name: &str) -> Vec<Value> {
        let key = |found: &RecordKey| json!({"account_id": found.account_id, name: found.id});
        found.into_iter().map(key).collect()
    }
    json!({
        "dry_run": arguments.dry_run,
        "deleted": erasure.deleted,
        "mentions_searched": arguments.mentions,
        "mentions": erasure.mentions(),
        "mentioned_in": keys(&erasure.mentioned_in, "interaction_key"),
        "mentioned_in_rejected_records": keys(&erasure.mentioned_in_rejected, "id"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_reads_the_one_line_of_standard_input() {
        let read = |value: &str, input: &str, is_typed| read_value(value, input.as_bytes(), is_typed);
        for line in ["\u{feff} +49 30 1 \r\n", "+49 30 1", "+49 30 1\n\n "] {
            assert_eq!(read("-", line, false).unwrap(), "+49 30 1", "{line:?}");
        }
        assert_eq!(read("-", "+49 30 1\nnot typed yet", true).unwrap(), "+49 30 1");
        assert_eq!(read("+49", "other", false).unwrap(), "+49");
        for refused in ["", "\n", "  \nsecond", "+49 30 1\n+49 30 2\n"] {
            assert!(read("-", refused, false).is_err(), "{refused:?}");
        }
        let no_text = &b"+49 30 1\nM\xfcller\n"[..];
        assert!(read_value("-", no_text, false).is_err());
    }
}
