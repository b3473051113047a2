//! A directory that a version of before made: with a port, a password, and the superuser as the one who loads.

use std::os::unix::fs::PermissionsExt;

use sqlx::{Connection, PgConnection};

use super::{data_dir, environment};
use crate::support::server::Cluster;
use crate::support::{Program, Setup};

#[tokio::test]
async fn a_directory_of_an_older_version_goes_on_without_its_password() {
    let data = data_dir();
    let directory = data.path().join("postgres");
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
    let cluster = Cluster::make(&directory);
    let older = cluster.start(&[]).await;
    let mut connection = PgConnection::connect_with(&older.options()).await.unwrap();
    let create = sqlx::query("create database smartassist");
    create.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    older.stop().await;
    std::fs::write(directory.join("pgpass"), "127.0.0.1:54321:*:smartassist:old").unwrap();
    std::fs::write(directory.join("port"), "54321").unwrap();

    let setup = Setup::with_interactions(20).await;
    let environment = environment(&setup, data.path());
    for inserted in [20, 0] {
        let sync = Program::run(&["sync"], &environment).await;
        assert_eq!(sync.code(), 0, "{}", sync.log.join("\n"));
        assert_eq!(sync.events("run finished")[0]["inserted"], inserted);
        assert!(!directory.join("pgpass").exists() && !directory.join("port").exists());
    }
}
