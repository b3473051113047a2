//! What operators see: the page, its JSON, the metrics and the terminal.

mod access;
mod browser;
mod calendar;
mod counts;
mod crowd;
mod metrics;
mod page;
mod problems;
mod prometheus;
mod runbook;
mod terminal;
mod tokens;

use std::collections::HashMap;

use chrono::TimeDelta;
use smartassist_simulator::{Channel, Fault, FaultKind, Seed};

use crate::support::daemon::environment;
use crate::support::{Program, Setup, TestDatabase, days_ago, midnight};

/// A daemon of three accounts: one that is well, one with a gap, one that is refused.
struct Daemon {
    program: Program,
    port: u16,
    environment: HashMap<String, String>,
    _accounts: [Setup; 3],
}

impl Daemon {
    async fn start(database: &TestDatabase) -> Self {
        let mut well = Setup::live().await;
        well.set("requests_per_minute", "6000");
        well.simulator.world().arrive(40, TimeDelta::hours(3));
        well.simulator.world().arrive(25, TimeDelta::hours(30));
        let mut with_gap = Setup::of("acct-gap").await;
        with_gap.go_live();
        // Over the end of a month, whatever the day.
        with_gap.set("start_from", &days_ago(40));
        burst(&with_gap);
        let mut refused = Setup::of("acct-refused").await;
        refused.go_live();
        refused
            .simulator
            .world()
            .inject(Fault::always(FaultKind::status(401)));
        let (mut environment, port) = environment(&well, database).await;
        environment.extend(with_gap.environment_as("BURST"));
        environment.extend(refused.environment_as("REFUSED"));
        let mut program = Program::start(&["run"], &environment);
        let mut awaited = vec!["main", "burst", "refused"];
        while !awaited.is_empty() {
            let finished = program.event("run finished").await;
            awaited.retain(|account| finished["spans"][0]["account"] != *account);
        }
        Self {
            program,
            port,
            environment,
            _accounts: [well, with_gap, refused],
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// 1,200 interactions of one second that no filter tells apart, at noon of yesterday: long settled, and with a
/// day before it that is wanted, at whatever hour this runs.
fn burst(setup: &Setup) {
    let at = midnight() - TimeDelta::hours(12);
    let mut world = setup.simulator.world();
    for mut it in Seed::new(12, at, at + TimeDelta::seconds(1), 1_200).interactions() {
        (it.conversation, it.channel) = (None, Channel::Voice);
        it.start = at;
        world.insert(it);
    }
}
