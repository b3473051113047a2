//! The yardstick: `psql \copy`, about as fast as rows get into PostgreSQL.

use std::path::Path;

use anyhow::{Context, Result};

use crate::database::{Database, TABLES};

/// What the copy took.
#[derive(Debug)]
pub(crate) struct Copy {
    /// From `begin` to the end of `commit`.
    pub(crate) seconds: f64,
    pub(crate) wal_bytes: u64,
}

/// Copies all rows of one database to files, and then, measured, from these into another.
pub(crate) async fn measure(from: &mut Database, into: &mut Database, directory: &Path) -> Result<Copy> {
    let out = directory.join("out.sql");
    std::fs::write(&out, statements("to", directory))?;
    from.psql(&out).await?;

    // The clock is the server's, so that the start of psql does not count.
    let timed = format!(
        "select clock_timestamp() as began \\gset\n\
         begin;\n{}commit;\n\
         select extract(epoch from clock_timestamp() - :'began'::timestamptz);\n",
        statements("from", directory)
    );
    let script = directory.join("in.sql");
    std::fs::write(&script, timed)?;
    from.settle().await?;
    into.settle().await?;
    let wal_before = into.wal_position().await?;
    let printed = into.psql(&script).await?;
    let wal_bytes = into.wal_position().await?.saturating_sub(wal_before);
    for table in TABLES {
        std::fs::remove_file(file(directory, table))?;
    }
    Ok(Copy {
        seconds: printed.trim().parse().context("psql did not print the seconds")?,
        wal_bytes,
    })
}

fn statements(direction: &str, directory: &Path) -> String {
    TABLES
        .iter()
        .map(|table| {
            let file = file(directory, table);
            format!("\\copy smartassist.{table} {direction} '{}'\n", file.display())
        })
        .collect()
}

fn file(directory: &Path, table: &str) -> std::path::PathBuf {
    directory.join(format!("{table}.copy"))
}
