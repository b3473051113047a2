//! `erase`: forget a customer, now and in every later fetch.

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::Config;
use crate::load::erase::Erased;
use crate::sync;
use crate::transform::privacy::{IdentifierKind, Wanted};

use super::exit::CommandError;
use super::output::print;
use super::waiting;

/// Whom `erase` forgets.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    customer: Customer,
    /// Only count what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// One JSON object for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Customer {
    /// An id of the customer: userId or channelSpecificUserId
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// An e-mail address of the customer, in any case
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// A phone number of the customer with its country code, in any spelling
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
}

impl Customer {
    fn identifier(&self) -> (IdentifierKind, &str) {
        let given = [
            (IdentifierKind::UserId, &self.user_id),
            (IdentifierKind::Email, &self.email),
            (IdentifierKind::Phone, &self.phone),
        ];
        let given = given
            .into_iter()
            .find_map(|(kind, value)| Some((kind, value.as_deref()?)));
        given.unwrap_or((IdentifierKind::UserId, ""))
    }
}

pub(super) async fn erase(config: &Config, arguments: &Arguments) -> Result<(), CommandError> {
    let Some(key) = &config.privacy.key else {
        return Err(CommandError::Usage(
            "erase needs privacy.key: by a hash that it makes, later fetches recognize whom to leave out; make one \
             with `openssl rand -hex 32`, and keep it"
                .to_owned(),
        ));
    };
    let (kind, value) = arguments.customer.identifier();
    let wanted = Wanted::new(kind, value, key).ok_or_else(|| {
        CommandError::Usage(
            "this identifies nobody: an id must not be empty, an e-mail address needs an @, a phone number at least \
             five digits and nothing but digits, blanks and +-()./"
                .to_owned(),
        )
    })?;
    let stop = CancellationToken::new();
    let (database, waiting) = waiting::open(config, &stop).await?;
    let erase = async || sync::erase(&database.pool, &wanted, key, arguments.dry_run).await;
    let erased = waiting.through(&database, &stop, erase).await;
    database.close().await;
    let erased = erased.map_err(|error| waiting.verdict(error.into()))?;
    info!(
        kind = kind.as_str(),
        sessions = erased.sessions,
        rejected_records = erased.rejected_records,
        dry_run = arguments.dry_run,
        "customer erased"
    );
    print(&told(&erased, arguments))
}

fn told(erased: &Erased, arguments: &Arguments) -> String {
    let tables = [
        ("sessions", erased.sessions),
        ("destinations", erased.destinations),
        ("agent_segments", erased.agent_segments),
        ("consultations", erased.consultations),
        ("tags", erased.tags),
        ("raw_interactions", erased.raw_interactions),
        ("rejected_records", erased.rejected_records),
    ];
    if arguments.json {
        let deleted: serde_json::Map<_, _> = tables
            .map(|(table, rows)| (table.to_owned(), rows.into()))
            .into_iter()
            .collect();
        return format!("{}\n", json!({"dry_run": arguments.dry_run, "deleted": deleted}));
    }
    let mut text = if arguments.dry_run {
        "Nothing is deleted; this would be:\n".to_owned()
    } else {
        "Deleted, and left out of every later fetch:\n".to_owned()
    };
    for (table, rows) in tables {
        text += &format!("  {table:<17} {rows:>9}\n");
    }
    text
}
