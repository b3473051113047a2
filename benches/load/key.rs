//! What a new row costs in the index of the key where millions are there: with keys in the order of time, as ours are, and
//! with keys in no order, as a hash alone would be.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::figures::{grouped, mebibytes};
use crate::workbench::Workbench;

/// Rows that are inserted after a checkpoint, a window's worth at a time.
const INSERTED: usize = 20_000;
const WINDOW: usize = 500;

/// A year, in whose seconds the keys begin.
const SECONDS: usize = 365 * 86_400;

/// An index of one order of keys.
struct Index {
    name: &'static str,
    /// The key of row `n`, of so many.
    key: fn(usize) -> String,
}

const ORDERED: Index = Index {
    name: "by time",
    key: |rows| {
        format!(
            "(lpad(to_hex(1735689600 + (n * {SECONDS}::numeric / {rows})::bigint), 8, '0') || right(md5(n::text), 24))::uuid"
        )
    },
};

const UNORDERED: Index = Index {
    name: "in no order",
    key: |_| "md5(n::text)::uuid".to_owned(),
};

pub(crate) async fn measure(workbench: &Workbench, rows: usize) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "\nKeys: {} rows inserted after a checkpoint, {WINDOW} a transaction, into the index of {}",
        grouped(INSERTED),
        grouped(rows)
    )?;
    writeln!(out, "  keys               index    WAL a row   time a row")?;
    for index in [ORDERED, UNORDERED] {
        let (bytes, wal, took) = insert(workbench, &index, rows).await?;
        writeln!(
            out,
            "  {:<12} {:>7.0} MiB {:>10} B {:>12.1?}",
            index.name,
            mebibytes(bytes),
            grouped(wal),
            took
        )?;
    }
    Ok(())
}

/// Bytes of the index before, bytes of WAL and the time of a row.
async fn insert(workbench: &Workbench, index: &Index, rows: usize) -> Result<(u64, usize, Duration)> {
    let mut database = workbench.database("key").await?;
    let key = (index.key)(rows);
    for statement in [
        "create table keys (key uuid not null)".to_owned(),
        format!("insert into keys select {key} from generate_series(1, {rows}) as n"),
        "alter table keys add constraint keys_pkey primary key (key)".to_owned(),
    ] {
        database.execute(&statement).await?;
    }
    let bytes = database.size("keys_pkey").await?;
    database.settle().await?;
    let (began, written) = (Instant::now(), database.wal_position().await?);
    for first in (rows + 1..=rows + INSERTED).step_by(WINDOW) {
        let last = first + WINDOW - 1;
        database
            .execute(&format!(
                "insert into keys select {key} from generate_series({first}, {last}) as n"
            ))
            .await?;
    }
    let took = began.elapsed() / u32::try_from(INSERTED)?;
    let wal = usize::try_from(database.wal_position().await? - written)? / INSERTED;
    workbench.drop(database).await?;
    Ok((bytes, wal, took))
}
