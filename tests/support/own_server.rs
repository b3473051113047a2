//! A PostgreSQL of a test's own, which can be killed and started again.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::server::{Cluster, TestServer};
use super::{TestDatabase, database, port};

pub(crate) struct OwnServer {
    _directory: tempfile::TempDir,
    cluster: Cluster,
    port: u16,
    settings: &'static [(&'static str, &'static str)],
    running: Option<TestServer>,
}

impl OwnServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(settings: &'static [(&'static str, &'static str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // PostgreSQL must be able to enter it where root runs the tests.
        let entered_by_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), entered_by_all).unwrap();
        let mut server = Self {
            cluster: Cluster::make(directory.path()),
            _directory: directory,
            port: port::reserved(),
            settings,
            running: None,
        };
        server.begin().await;
        server
    }

    pub(crate) async fn begin(&mut self) {
        self.running = Some(self.cluster.start_at(self.port, self.settings).await);
    }

    /// Ends it at once, as a crash does: nobody is told, and the next start has to recover.
    pub(crate) async fn crash(&mut self) {
        let pid = std::fs::read_to_string(self.cluster.directory.join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGQUIT).unwrap();
        self.running.take().unwrap().stop().await;
    }

    pub(crate) fn database(&self) -> TestDatabase {
        TestDatabase::of(self.running().options(), "postgres")
    }

    pub(crate) fn url(&self) -> String {
        database::url(&self.running().options())
    }

    /// What the server has logged since it began.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.cluster.log()).unwrap()
    }

    fn running(&self) -> &TestServer {
        self.running.as_ref().expect("it does not run")
    }
}
