//! What the compose file has PostgreSQL set up.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::support::server::Cluster;
use crate::support::{Program, database};

#[tokio::test]
async fn the_role_that_compose_makes_owns_its_databases_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let server = Cluster::of_superuser(directory.path(), "postgres")
        .start(&[])
        .await;
    let superuser = server.options();
    let password = directory.path().join("database_password");
    std::fs::write(&password, "it's a \\ password\n").unwrap();
    let reports_password = directory.path().join("reports_password");
    std::fs::write(&reports_password, "of reports").unwrap();
    let url = database::url(&superuser);
    let made = Command::new("sh")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/postgres/init.sh"))
        .env("PASSWORD_FILE", &password)
        .env("REPORTS_PASSWORD_FILE", &reports_password)
        .env("PGHOST", superuser.get_host())
        .env("PGPORT", superuser.get_port().to_string())
        .env("PGPASSWORD", url.split(['@', ':']).nth(2).unwrap())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");

    let refused = PgConnection::connect_with(&superuser).await;
    assert!(refused.is_err(), "the superuser still has a password");
    let role = superuser
        .clone()
        .username("smartassist")
        .password("it's a \\ password");
    for name in ["smartassist", "demo"] {
        let options = role.clone().database(name);
        let mut environment = std::collections::HashMap::new();
        environment.insert("DATABASE_URL".to_owned(), database::url(&options));
        let migrated = Program::run(&["migrate"], &environment).await;
        assert_eq!(migrated.code(), 0, "{}", migrated.log.join("\n"));
        let rights = "select concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb, \
                      has_table_privilege('smartassist_reader', 'smartassist.sessions', 'select')) \
                      from pg_roles where rolname = current_user";
        assert_eq!(answer(&options, rights).await, "f f f t", "{name}");

        let reports = superuser
            .clone()
            .username("smartassist_reports")
            .password("of reports");
        let rights = "select concat_ws(' ', has_table_privilege('smartassist_bi.interactions', 'select'), \
                      has_schema_privilege('smartassist', 'usage'), current_setting('jit'), \
                      current_setting('default_transaction_read_only'))";
        assert_eq!(
            answer(&reports.database(name), rights).await,
            "t f off on",
            "{name}"
        );
    }
    let outside = PgConnection::connect_with(&role.database("postgres")).await;
    assert!(outside.is_err(), "it may connect to another database");
    server.stop().await;
}

async fn answer(options: &PgConnectOptions, sql: &'static str) -> String {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    let answer = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    answer
}
