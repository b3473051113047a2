use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::transform::{Interaction, Rejected, RowGroup};

use super::batch::{Batch, Constants};
use super::refused::Write;
use super::stored::{Change, Stored};
use super::{days, facts, missing};
use crate::ledger::{Counters, LoadError};

#[derive(Debug)]
pub(super) struct InteractionWriter<'a> {
    pub(super) constants: Constants<'a>,
    pub(super) stored: &'a Stored,
    pub(super) keep_raw: bool,
}

pub(super) fn rejected((interaction, error): &(&Interaction, LoadError)) -> Rejected {
    Rejected {
        key: Some(interaction.key),
        ids: vec![interaction.rows.session.ids()],
        identifiers: interaction.identifiers.clone(),
        ..Rejected::new(error.to_string(), interaction.payload.clone())
    }
}

impl Write<Interaction> for InteractionWriter<'_> {
    async fn write(
        &self,
        connection: &mut PgConnection,
        interactions: &[Interaction],
    ) -> Result<Counters, LoadError> {
        let Self {
            constants,
            stored,
            keep_raw,
        } = *self;
        let of = |change: Change| -> Vec<&Interaction> {
            let of_change = interactions
                .iter()
                .filter(|interaction| stored.change_of(interaction) == change);
            of_change.collect()
        };
        let (new, changed) = (of(Change::New), of(Change::Content));
        let back: Vec<Uuid> = of(Change::None)
            .iter()
            .filter(|interaction| stored.is_missing(interaction.key))
            .map(|interaction| interaction.key)
            .collect();

        Batch::of_sessions(&new, constants).copy(connection).await?;
        Batch::of_sessions(&changed, constants)
            .upsert(connection, &["first_seen_at"])
            .await?;
        if keep_raw {
            Batch::of_raw(&new, constants).copy(connection).await?;
            Batch::of_raw(&changed, constants).upsert(connection, &[]).await?;
        } else {
            // Old raw records must not remain if `storage.raw` is off.
            delete(connection, "smartassist.raw_interactions", &changed).await?;
        }
        let is_same = |group: RowGroup, interaction: &Interaction| stored.is_same(group, interaction);
        write_children(connection, &new, &changed, is_same).await?;
        let moves = new.iter().chain(&changed).flat_map(|interaction| {
            let start = interaction.rows.session.session_started_at;
            let before = stored.started_at(interaction.key).map(|before| (before, -1));
            before.into_iter().chain([(start, 1)])
        });
        days::count(connection, constants.account_id, moves).await?;
        missing::clear(connection, constants, &back).await?;
        let counted = new.iter().chain(&changed);
        let counted: Vec<facts::Counted<'_>> = counted.map(|one| (one.key, &one.rows)).collect();
        facts::write(connection, constants.account_id, &counted, &[]).await?;
        facts::rewrite(connection, constants.account_id, &back).await?;
        Ok(Counters {
            inserted: new.len() as u64,
            updated: (changed.len() + back.len()) as u64,
            unchanged: (interactions.len() - new.len() - changed.len() - back.len()) as u64,
            ..Counters::default()
        })
    }
}

/// Of changed interactions, only groups that differ. Parents first: foreign keys.
pub(super) async fn write_children(
    connection: &mut PgConnection,
    new: &[&Interaction],
    changed: &[&Interaction],
    is_same: impl Fn(RowGroup, &Interaction) -> bool,
) -> Result<(), LoadError> {
    let differing = |group| -> Vec<&Interaction> {
        let changed = changed.iter().copied();
        changed
            .filter(|interaction| !is_same(group, interaction))
            .collect()
    };
    let (destinations, tags) = (differing(RowGroup::Destinations), differing(RowGroup::Tags));
    // All rows below destinations go with them.
    delete(connection, "smartassist.destinations", &destinations).await?;
    delete(connection, "smartassist.tags", &tags).await?;
    let (destinations, tags) = ([new, &destinations].concat(), [new, &tags].concat());
    for batch in [
        Batch::of_children(&destinations, |rows| &rows.destinations),
        Batch::of_children(&destinations, |rows| &rows.agent_segments),
        Batch::of_children(&destinations, |rows| &rows.consultations),
        Batch::of_children(&destinations, |rows| &rows.joined_users),
        Batch::of_children(&tags, |rows| &rows.tags),
    ] {
        batch.copy(connection).await?;
    }
    Ok(())
}

async fn delete(
    connection: &mut PgConnection,
    table: &str,
    interactions: &[&Interaction],
) -> Result<(), LoadError> {
    if interactions.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = interactions.iter().map(|interaction| interaction.key).collect();
    sqlx::query(AssertSqlSafe(format!(
        "delete from {table} where interaction_key = any($1)"
    )))
    .bind(keys)
    .execute(connection)
    .await?;
    Ok(())
}
