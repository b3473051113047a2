//! What reports cost where there are many interactions: the questions of `docs/questions.md`, filters, and one customer.

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use smartassist_etl::config::Config;
use smartassist_etl::postgres::{Pool, migrate};
use smartassist_etl::warehouse::{facts, reporting};

use crate::database::Database;
use crate::figures::{grouped, mebibytes, verdict};
use crate::workbench::Workbench;

const QUESTIONS: &str = include_str!("../../docs/questions.md");

/// The day after the data ends.
const TODAY: &str = "date '2026-11-01'";

/// What a question may take of a processor, over 30 days and over 12 months.
const GOALS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

const OTHERS: [(&str, &str, Duration); 3] = [
    (
        "values of a filter, queues",
        "select queue_label from smartassist_bi.queues",
        Duration::from_millis(20),
    ),
    (
        "values of a filter, agents",
        "select agent_label from smartassist_bi.agents",
        Duration::from_millis(20),
    ),
    (
        "one customer's history",
        "select * from smartassist_bi.contacts where contact_key = (select contact_key from smartassist_bi.contacts limit 1)",
        Duration::from_millis(5),
    ),
];

/// Runs of each, of which the best counts: others on the machine only ever make it slower.
const TIMES: usize = 3;

pub(crate) async fn measure(workbench: &Workbench, interactions: usize) -> Result<()> {
    let mut database = workbench.database("bi").await?;
    fill(&mut database, interactions).await?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "\nReports: CPU of a question, {} interactions of a year, JIT off, one process; facts {:.0} MiB",
        grouped(interactions),
        facts_size(&mut database).await?
    )?;
    for setting in [
        "set jit = off",
        "set max_parallel_workers_per_gather = 0",
        "set role smartassist_bi_reader",
    ] {
        database.execute(setting).await?;
    }
    writeln!(
        out,
        "  question                        30 days            12 months"
    )?;
    for (number, sql) in questions() {
        write!(out, "  {number:<26}")?;
        for (period, goal) in ["30", "365"].iter().zip(GOALS) {
            if *period == "30" && sql.contains("interval '12 months'") {
                write!(out, "{:<20}", "")?;
                continue;
            }
            let sql = sql
                .replace("current_date - 30", &format!("{TODAY} - {period}"))
                .replace("current_date", TODAY);
            let took = best(&mut database, &sql).await?;
            write!(out, " {took:>10.1?} {:<8}", verdict(Some(took <= goal)))?;
        }
        writeln!(out)?;
    }
    database.execute("reset role").await?;
    for (name, sql, goal) in OTHERS {
        let took = best(&mut database, sql).await?;
        writeln!(out, "  {name:<26} {took:>10.1?} {}", verdict(Some(took <= goal)))?;
    }
    workbench.drop(database).await
}

/// By their number.
fn questions() -> impl Iterator<Item = (&'static str, &'static str)> {
    QUESTIONS.split("## ").skip(1).filter_map(|block| {
        let sql = block.split("```sql\n").nth(1)?.split("\n```").next()?;
        Some((block.get(..3)?, sql))
    })
}

/// Rows made in SQL, and the facts that the product makes of them.
async fn fill(database: &mut Database, interactions: usize) -> Result<()> {
    let pool = Pool::new(
        database.options(),
        &Config::from_layers(None, HashMap::new())?.database.session,
    );
    migrate(&pool).await?;
    let rows = include_str!("bi.sql").replace(":rows", &interactions.to_string());
    for statement in rows.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        database.execute(statement).await?;
    }
    database
        .execute("insert into smartassist.reporting (account_id, shown_tags) values ('acct', '{topic}')")
        .await?;
    reporting::rebuild(&pool, "acct").await?;
    let began = Instant::now();
    let mut made = 0;
    loop {
        let some = facts::rebuild_some(&pool, "acct").await?;
        if some == 0 {
            break;
        }
        made += some;
    }
    ensure!(
        made == interactions as u64,
        "facts of {made} interactions in place of {interactions}"
    );
    writeln!(
        std::io::stdout(),
        "\nFacts of {} interactions made anew in {:.0?}",
        grouped(interactions),
        began.elapsed()
    )?;
    pool.close().await;
    database.settle().await
}

async fn facts_size(database: &mut Database) -> Result<f64> {
    let mut bytes = 0;
    for table in ["queue_visits", "agent_offers", "interactions"] {
        bytes += database.size(&format!("smartassist.fact_{table}")).await?;
    }
    Ok(mebibytes(bytes))
}

/// Of the backend that answers (schedstat of proc(5)).
async fn best(database: &mut Database, sql: &str) -> Result<Duration> {
    let pid = database.backend().await?;
    let spent = || -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
        let nanoseconds = stat.split(' ').next().context("an empty schedstat")?.parse()?;
        Ok(Duration::from_nanos(nanoseconds))
    };
    let mut all = Vec::new();
    for _ in 0..TIMES {
        let before = spent()?;
        database.execute(sql).await?;
        all.push(spent()?.saturating_sub(before));
    }
    all.into_iter().min().context("nothing was measured")
}
