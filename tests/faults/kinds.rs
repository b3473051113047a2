//! Whatever is wrong with the database shows in a metric, under its kind.

use chrono::TimeDelta;

use super::trial::Trial;
use super::watch;
use crate::support::Setup;

/// Nothing is stored while `fault` holds a SQLSTATE: that is what PostgreSQL says then.
const FAIL: &str = "create table public.fault (code text not null); \
     create function public.fail() returns trigger language plpgsql as $$ \
     declare wanted text := (select code from public.fault); begin \
     if wanted is not null then raise exception 'meant to fail' using errcode = wanted; end if; return null; end $$; \
     create trigger fail after insert on smartassist.sessions for each row execute function public.fail()";

/// A SQLSTATE of each kind.
const FAULTS: [(&str, &str); 14] = [
    ("08006", "unreachable"),
    ("3D000", "no_database"),
    ("28P01", "refused"),
    ("40001", "conflict"),
    ("55P03", "locked"),
    ("25006", "read_only"),
    ("53100", "disk_full"),
    ("53200", "out_of_resources"),
    ("57014", "cancelled"),
    ("25P03", "idle"),
    ("26000", "transaction_pooler"),
    ("42501", "permission_denied"),
    ("23514", "data"),
    ("P0001", "other"),
];

#[tokio::test]
async fn each_fault_of_the_database_is_counted_under_its_kind() {
    let setup = Setup::live().await;
    setup.seed_days(23, 2, 0, 50);
    let mut trial = Trial::with(setup).await;
    trial.shows("run finished").await;
    trial.database.execute(FAIL).await;
    let before = trial.database.counts().await[0];
    // A few that the database refuses would be stored as rejected.
    let arriving = 40;
    let all = before + i64::try_from(FAULTS.len() * arriving).unwrap();
    for (code, kind) in FAULTS {
        let fault = format!("insert into public.fault values ('{code}')");
        trial.database.execute(&fault).await;
        trial.setup.simulator.world().arrive(arriving, TimeDelta::zero());
        let metric = format!(r#"smartassist_etl_database_errors_total{{account="main",kind="{kind}"}}"#);
        trial.counts(&metric).await;
        trial.database.execute("delete from public.fault").await;
    }
    // All of them are stored in the end: none was told as done before it was.
    let stored = "select count(*) from smartassist.sessions";
    trial
        .database
        .until("all to be stored", stored, |stored| stored == all)
        .await;
    watch::check(&trial.database).await;
}
