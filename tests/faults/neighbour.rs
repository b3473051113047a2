//! A neighbour in the database who may create things in schema `public`, as everybody may on PostgreSQL 14:
//! nothing that they put there ever runs with our rights.

use std::collections::HashMap;

use smartassist_etl::postgres::{Pool, migrate};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::postgres::session;
use crate::support::{Program, Setup, TestDatabase, database, days_ago};

/// Functions and an operator that fit better than PostgreSQL's own, do what those do, and tell who has called
/// them, to whom they give all that the caller has.
const TRAPS: [(&str, &str, &str); 6] = [
    ("upper(tstzrange)", "timestamptz", "pg_catalog.upper($1)"),
    ("lower(tstzrange)", "timestamptz", "pg_catalog.lower($1)"),
    ("lower(tstzmultirange)", "timestamptz", "pg_catalog.lower($1)"),
    ("unnest(text[])", "setof text", "pg_catalog.unnest($1)"),
    (
        "unnest(tstzmultirange)",
        "setof tstzrange",
        "pg_catalog.unnest($1)",
    ),
    (
        "jsonb_is(jsonb, jsonb)",
        "text",
        "$1 operator(pg_catalog.->>) ($2 operator(pg_catalog.#>>) '{}')",
    ),
];

/// A database that an ordinary role owns, and a neighbour in it.
struct Neighbourhood {
    database: TestDatabase,
    owner: String,
    neighbour: String,
}

impl Neighbourhood {
    async fn start() -> Self {
        let database = TestDatabase::untouched().await;
        let (owner, neighbour) = (
            format!("owner_{}", database.name),
            format!("neighbour_{}", database.name),
        );
        database
            .execute(&format!(
                "create role {owner} login password 'x'; create role {neighbour} login password 'x'; \
                 alter database {name} owner to {owner}; \
                 grant create, usage on schema public to public",
                name = database.name
            ))
            .await;
        let this = Self {
            database,
            owner,
            neighbour,
        };
        this.plant().await;
        this
    }

    fn options(&self, role: &str) -> PgConnectOptions {
        (*self.database.pool.options())
            .clone()
            .username(role)
            .password("x")
    }

    async fn plant(&self) {
        let mut connection = PgConnection::connect_with(&self.options(&self.neighbour))
            .await
            .unwrap();
        let mut sql =
            "create table public.called (what text, who text); grant insert on public.called to public; "
                .to_owned();
        for (name, returns, result) in TRAPS {
            let grants = format!(
                "grant usage on schema smartassist to {0}; grant select on all tables in schema smartassist to {0}",
                self.neighbour
            );
            let statement = if returns.starts_with("setof") {
                "return query select"
            } else {
                "return"
            };
            sql += &format!(
                "create function public.{name} returns {returns} language plpgsql as $$ begin \
                 insert into public.called values ('{name}', current_user); \
                 if current_user <> '{neighbour}' and exists (select from pg_catalog.pg_namespace where nspname operator(pg_catalog.=) 'smartassist') \
                 then execute '{grants}'; end if; {statement} {result}; end $$; ",
                neighbour = self.neighbour
            );
        }
        sql += "create operator public.->> (leftarg = jsonb, rightarg = jsonb, function = public.jsonb_is)";
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
    }

    /// What ran with whose rights, and what the neighbour has got by it.
    async fn is_unharmed(&self, after: &str) {
        let called =
            "select coalesce(string_agg(distinct what || ' as ' || who, ', '), '') from public.called";
        assert_eq!(self.database.text(called).await, "", "after {after}");
        let got = format!(
            "select count(*) from pg_namespace where nspname like 'smartassist%' \
             and has_schema_privilege('{}', oid, 'usage')",
            self.neighbour
        );
        assert_eq!(self.database.number(&got).await, 0, "after {after}");
    }

    async fn environment(&self, setup: &Setup) -> HashMap<String, String> {
        let mut environment = setup.environment();
        let url = database::url(&self.options(&self.owner));
        environment.insert("DATABASE_URL".to_owned(), url);
        environment.insert("SMARTASSIST_ETL__PRIVACY__KEY".to_owned(), "k".repeat(32));
        environment
    }
}

#[tokio::test]
async fn nothing_that_a_neighbour_put_into_public_ever_runs() {
    let neighbourhood = Neighbourhood::start().await;
    let mut setup = Setup::live().await;
    setup.set("start_from", &days_ago(2));
    setup.seed_days(4, 2, 0, 200);
    let environment = neighbourhood.environment(&setup).await;
    let (from, to) = (days_ago(2), days_ago(0));
    let commands: [&[&str]; 10] = [
        &["sync"],
        &["migrate"],
        &["sync"],
        &["status"],
        &["verify", "--from", &from, "--to", &to],
        &["backfill", "--refetch", "--from", &from, "--to", &to],
        &["replay"],
        &["retry-rejected"],
        &["erase", "--email", "nobody@example.com"],
        &["doctor"],
    ];
    for command in commands {
        let ended = Program::run(command, &environment).await;
        assert_eq!(
            ended.code(),
            0,
            "{command:?}\n{}\n{}",
            ended.stdout,
            ended.log.join("\n")
        );
        neighbourhood.is_unharmed(command[0]).await;
    }
    assert_eq!(neighbourhood.database.counts().await[0], 200);
}

#[tokio::test]
async fn doctor_says_what_stands_in_public_before_postgresqls_own() {
    let neighbourhood = Neighbourhood::start().await;
    let setup = Setup::live().await;
    let environment = neighbourhood.environment(&setup).await;
    let ended = Program::run(&["doctor"], &environment).await;
    let text = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "public.jsonb_is",
        "public.->>(jsonb,jsonb)",
        "public.lower(tstzrange)",
        "revoke create on schema public from public",
    ] {
        assert_eq!(text.contains(said), said != "public.jsonb_is", "{said}: {text}");
    }
    assert_eq!(ended.code(), 0, "a warning is no failure");
    let traps = "drop operator public.->> (jsonb, jsonb); drop function public.lower(tstzrange), public.lower(tstzmultirange), \
                 public.upper(tstzrange), public.unnest(text[]), public.unnest(tstzmultirange)";
    neighbourhood.database.execute(traps).await;
    let ended = Program::run(&["doctor"], &environment).await;
    let said = "everybody may create objects in schema public";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let close = "revoke create on schema public from public";
    neighbourhood.database.execute(close).await;
    let ended = Program::run(&["doctor"], &environment).await;
    assert!(
        ended.stdout.contains("ok       database names"),
        "{}",
        ended.stdout
    );
}

/// What of ours is bound to things that are neither PostgreSQL's nor ours.
const BOUND: &str = "select coalesce(string_agg(distinct pg_describe_object(d.classid, d.objid, d.objsubid) || ' on ' \
    || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), ', '), '') \
    from pg_depend d left join pg_proc p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid \
    left join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid \
    where coalesce(p.pronamespace, o.oprnamespace) = 'public'::regnamespace \
    and d.classid <> 'pg_operator'::regclass";

#[tokio::test]
async fn views_and_checks_are_bound_to_postgresqls_own() {
    let neighbourhood = Neighbourhood::start().await;
    let pool = Pool::new(neighbourhood.options(&neighbourhood.owner), &session());
    migrate(&pool).await.unwrap();
    assert_eq!(neighbourhood.database.text(BOUND).await, "");
}
