use sqlx::{Connection, PgConnection};

use crate::ledger::{Counters, LoadError};

/// If more are refused, and all, the tables are at fault.
const MOST_OF_NOTHING_BUT_REFUSED: usize = 5;

pub(super) trait Write<T> {
    fn write(
        &self,
        connection: &mut PgConnection,
        records: &[T],
    ) -> impl Future<Output = Result<Counters, LoadError>> + Send;
}

/// Writes all at once, or else one by one; returns what is still refused.
pub(super) async fn write_others<'a, T>(
    connection: &mut PgConnection,
    all: &'a [T],
    writer: &impl Write<T>,
) -> Result<(Counters, Vec<(&'a T, LoadError)>), LoadError> {
    match in_savepoint(connection, all, writer).await {
        Err(LoadError::Refused { .. }) => {}
        written => return Ok((written?, Vec::new())),
    }
    let (mut counters, mut refused) = (Counters::default(), Vec::new());
    for one in all {
        match in_savepoint(connection, std::slice::from_ref(one), writer).await {
            Ok(written) => counters += written,
            Err(error @ LoadError::Refused { .. }) => refused.push((one, error)),
            Err(error) => return Err(error),
        }
    }
    let is_none_written = refused.len() == all.len();
    if is_none_written
        && refused.len() > MOST_OF_NOTHING_BUT_REFUSED
        && let Some((_, error)) = refused.pop()
    {
        return Err(error);
    }
    Ok((counters, refused))
}

/// All or nothing; the transaction continues either way.
async fn in_savepoint<T>(
    connection: &mut PgConnection,
    records: &[T],
    writer: &impl Write<T>,
) -> Result<Counters, LoadError> {
    let mut savepoint = connection.begin().await?;
    match writer.write(&mut savepoint, records).await {
        Ok(written) => {
            savepoint.commit().await?;
            Ok(written)
        }
        Err(error) => {
            // If this fails too, its error tells less.
            let _ = savepoint.rollback().await;
            Err(error)
        }
    }
}
