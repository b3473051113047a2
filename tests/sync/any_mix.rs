//! Whatever is asked for, in whatever order, and whatever goes wrong between: what was wanted is read
//! since it was wanted, or it is told that it was not. `PROPTEST_CASES` tries more mixes than the gate does,
//! `PROPTEST_RNG_SEED` others.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::json;
use smartassist_etl::ledger::Purpose;
use smartassist_etl::ledger::requests::NewRequest;
use smartassist_etl::ledger::runs::Outcome;
use smartassist_etl::sync;
use smartassist_etl::time::Window;
use smartassist_simulator::{Fault, FaultKind, Seed, When};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, instant, real_now};

use super::past::{Past, window};

#[derive(Debug, Clone)]
enum Step {
    /// So many interactions come, so many hours back from now on.
    Arrive(usize, i64),
    /// About this fraction of the interactions gets a new version.
    Change(f64),
    Pass(TimeDelta),
    /// The account's clock is fast by so much, as far as the API's goes.
    Clock(TimeDelta),
    /// Others of the same meaning, so that coverage begins anew.
    Filters,
    Read(Wanted, Mishap),
}

#[derive(Debug, Clone)]
enum Wanted {
    Poll,
    Sync,
    Refresh(TimeDelta),
    /// From so long before the first of January, so long, again.
    Backfill(TimeDelta, TimeDelta, bool),
}

/// What happens while it is read.
#[derive(Debug, Clone)]
enum Mishap {
    None,
    /// The worker is told to stop at this request.
    Stop(u64),
    /// The worker is gone at this request, and its lease has ended.
    Death(u64),
    /// This fraction of requests is answered with an error of the server.
    Errors(f64),
    /// While the first answers are on their way, half of the interactions get a new version, and somebody
    /// wants to have them.
    Asked,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wanted = prop_oneof![
        2 => Just(Wanted::Poll),
        1 => Just(Wanted::Sync),
        3 => (1_i64..240).prop_map(|hours| Wanted::Refresh(TimeDelta::hours(hours))),
        3 => (-240_i64..120, 1_i64..200, any::<bool>()).prop_map(|(from, hours, again)| {
            Wanted::Backfill(TimeDelta::hours(from), TimeDelta::hours(hours), again)
        }),
    ];
    let mishap = prop_oneof![
        3 => Just(Mishap::None),
        2 => (1_u64..8).prop_map(Mishap::Stop),
        2 => (1_u64..8).prop_map(Mishap::Death),
        1 => (0.2..0.9).prop_map(Mishap::Errors),
        2 => Just(Mishap::Asked),
    ];
    let step = prop_oneof![
        2 => (1_usize..60, 1_i64..200).prop_map(|(count, hours)| Step::Arrive(count, hours)),
        2 => (0.01..0.5).prop_map(Step::Change),
        2 => (1_i64..600).prop_map(|minutes| Step::Pass(TimeDelta::minutes(minutes))),
        1 => (-10_i64..11).prop_map(|minutes| Step::Clock(TimeDelta::minutes(minutes))),
        1 => Just(Step::Filters),
        8 => (wanted, mishap).prop_map(|(wanted, mishap)| Step::Read(wanted, mishap)),
    ];
    prop::collection::vec(step, 1..12)
}

/// An account, and which version of each interaction the API has since when, by the database's clock.
struct Mix {
    past: Past,
    versions: HashMap<String, (u64, DateTime<Utc>)>,
    newest: u64,
    looked_at: HashSet<i64>,
    has_other_filters: bool,
}

impl Mix {
    async fn begin() -> Self {
        let setup = Setup::start().await;
        let (from, to) = (instant("2025-12-15T00:00:00Z"), instant("2026-01-15T11:00:00Z"));
        setup.simulator.world().seed(&Seed::new(7, from, to, 400));
        Self {
            past: Past::of_setup(setup).await,
            versions: HashMap::new(),
            newest: 0,
            looked_at: HashSet::new(),
            has_other_filters: false,
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Arrive(count, hours) => {
                let mut world = self.past.setup.simulator.world();
                let now = world.now();
                self.newest += 1;
                let seed = Seed::new(100 + self.newest, now - TimeDelta::hours(*hours), now, *count);
                world.seed(&seed);
            }
            Step::Change(fraction) => self.change(*fraction),
            Step::Pass(span) => self.past.pass(*span).await,
            Step::Clock(fast) => {
                let now = self.past.setup.simulator.world().now();
                self.past.setup.clock.set(now + *fast);
            }
            Step::Filters => {
                self.has_other_filters = !self.has_other_filters;
                let note = format!(r#"{{"note": {}}}"#, self.has_other_filters);
                self.past.setup.set("extra_body", &note);
                self.past.worker = self.past.setup.worker(&self.past.database.pool);
            }
            Step::Read(wanted, mishap) => self.read(wanted, mishap).await,
        }
    }

    fn change(&mut self, fraction: f64) {
        self.newest += 1;
        let mut world = self.past.setup.simulator.world();
        let ids: Vec<String> = world.interactions().map(|it| it.session_id.clone()).collect();
        let every = (1.0 / fraction).round();
        for (nth, id) in ids.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            if (nth as f64 % every) < 1.0 {
                world.add_tag(id, "version", json!(self.newest));
                self.versions.insert(id.clone(), (self.newest, real_now()));
            }
        }
    }

    async fn read(&mut self, wanted: &Wanted, mishap: &Mishap) {
        let first = instant("2026-01-01T00:00:00Z");
        let job = match wanted {
            Wanted::Poll => Job::Poll,
            Wanted::Sync => Job::Sync,
            Wanted::Refresh(lookback) => self.past.refresh(*lookback),
            Wanted::Backfill(from, span, refetch) => Job::Backfill {
                range: Window::new(first + *from, first + *from + *span),
                refetch: *refetch,
            },
        };
        match mishap {
            Mishap::None => _ = self.past.run(&job).await,
            Mishap::Stop(nth) => _ = self.past.run_until_request(&job, *nth).await,
            Mishap::Death(nth) => {
                let death = CancellationToken::new();
                let (world, dies) = (&self.past.setup.simulator, death.clone());
                world.world().before_request(*nth, move |_| dies.cancel());
                // Dropped with all that it does.
                death.run_until_cancelled(self.past.run(&job)).await;
                let ended = "update smartassist_sync.leases set expires_at = clock_timestamp()";
                self.past.database.execute(ended).await;
            }
            Mishap::Errors(probability) => {
                self.past.setup.simulator.world().inject(Fault {
                    when: When::Chance {
                        probability: *probability,
                        seed: self.newest,
                    },
                    kind: FaultKind::status(500),
                });
                self.past.run(&job).await;
            }
            Mishap::Asked => self.ask_meanwhile(&job).await,
        }
        self.past.setup.simulator.world().clear_faults();
        self.look().await;
    }

    async fn ask_meanwhile(&mut self, job: &Job) {
        let (worker, other) = (self.past.worker.clone(), self.past.other_worker());
        let (ended, stop) = (CancellationToken::new(), CancellationToken::new());
        let hold = self.past.setup.hold_answers();
        let running = async {
            worker.run(job, &stop).await;
            ended.cancel();
        };
        let asking = async {
            ended
                .run_until_cancelled(self.past.setup.until_in_flight(1))
                .await;
            self.change(0.5);
            let ranges = [window("2026-01-02T00:00:00Z", "2026-01-14T00:00:00Z")];
            let wish = NewRequest {
                due_for: Some(TimeDelta::zero()),
                ..NewRequest::of(Purpose::Backfill, &ranges)
            };
            sync::ask(&other, &wish).await.unwrap();
            self.past.setup.hold_no_more();
            hold.cancel();
        };
        tokio::join!(running, asking);
    }

    /// What is told as done was drained since it was wanted, and holds what the API had by then.
    async fn look(&mut self) {
        let undrained = "select count(*) from smartassist_sync.requests as request \
             join smartassist_sync.accounts as account using (account_id) \
             where request.state = 'done' and request.filters_digest = sha256(convert_to(account.filters::text, 'UTF8')) \
             and not (request.range * account.coverage <@ coalesce((select range_agg(range) from smartassist_sync.windows \
             where status = 'drained' and began_at >= request.since), '{}'))";
        assert_eq!(
            self.past.database.number(undrained).await,
            0,
            "done and not drained"
        );
        let untold = "select count(*) from smartassist_sync.requests \
             where state in ('partial', 'refused') and error_code is null";
        assert_eq!(self.past.database.number(untold).await, 0, "ended without a code");
        let done: Vec<(i64, DateTime<Utc>)> = sqlx::query_as(
            "select id, since from smartassist_sync.requests where state = 'done' and isfinite(since) and not id = any($1)",
        )
        .bind(self.looked_at.iter().copied().collect::<Vec<i64>>())
        .fetch_all(&self.past.database.pool)
        .await
        .unwrap();
        for (id, since) in done {
            self.looked_at.insert(id);
            let in_range = "from smartassist_sync.requests as request \
                 join smartassist_sync.accounts as account using (account_id) \
                 join smartassist.sessions as session on (request.range * account.coverage) @> session.session_started_at \
                 where request.id = $1";
            self.compare(in_range, id, since).await;
        }
    }

    async fn compare(&self, stored: &str, id: i64, since: DateTime<Utc>) {
        let stored: HashMap<String, String> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "select session.session_id, coalesce((select max(value::integer) from smartassist.tags as tag \
             where tag.interaction_key = session.interaction_key and tag.name = 'version'), 0)::text {stored}"
        )))
        .bind(id)
        .fetch_all(&self.past.database.pool)
        .await
        .unwrap()
        .into_iter()
        .collect();
        for (session_id, version) in stored {
            if let Some((newest, at)) = self.versions.get(&session_id)
                && *at <= since
            {
                let version: u64 = version.parse().unwrap();
                assert!(version >= *newest, "{session_id} is {version}, not {newest}");
            }
        }
    }

    /// Once nothing goes wrong any more, all is read and nothing is open.
    async fn end(mut self) {
        self.past.pass(TimeDelta::days(3)).await;
        let now = self.past.setup.simulator.world().now();
        self.past.setup.clock.set(now);
        assert_eq!(self.past.run(&Job::Sync).await.outcome, Outcome::Succeeded);
        self.look().await;
        let open = "select count(*) from smartassist_sync.requests where state = 'open'";
        assert_eq!(self.past.database.number(open).await, 0, "open");
        let unread = "select count(*) from smartassist_sync.accounts where not coverage @> \
             tstzrange('2026-01-01', (select max(upper(range)) from smartassist_sync.windows where status = 'drained'))";
        assert_eq!(self.past.database.number(unread).await, 0, "unread");
        let range = window("2025-12-15T00:00:00Z", "2026-01-15T11:00:00Z");
        let again = Job::Backfill { range, refetch: true };
        assert_eq!(self.past.run(&again).await.outcome, Outcome::Succeeded);
        self.look().await;
        let held: Vec<String> = {
            let world = self.past.setup.simulator.world();
            let held = world
                .interactions()
                .filter(|it| range.start <= it.start && it.start < range.end);
            held.map(|it| it.session_id.clone()).collect()
        };
        let stored: Vec<String> = sqlx::query_scalar("select session_id from smartassist.sessions")
            .fetch_all(&self.past.database.pool)
            .await
            .unwrap();
        let lost: Vec<_> = held.iter().filter(|id| !stored.contains(id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert_eq!(stored.len(), stored.iter().collect::<HashSet<_>>().len(), "twice");
    }
}

#[test]
fn what_is_wanted_is_read_since_it_was_wanted_or_told() {
    let defaults = Config::default();
    let seed = std::env::var("PROPTEST_RNG_SEED").map_or(RngSeed::Fixed(1), |_| defaults.rng_seed);
    let cases = std::env::var("PROPTEST_CASES").map_or(12, |_| defaults.cases);
    let config = Config {
        cases,
        rng_seed: seed,
        max_shrink_iters: 30,
        failure_persistence: None,
        ..defaults
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mixes = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let mut mix = Mix::begin().await;
            for step in &steps {
                mix.take(step).await;
            }
            mix.end().await;
        });
        Ok(())
    });
    mixes.unwrap_or_else(|failed| panic!("{failed}"));
}
