//! An account with a past, and one worker that reads it again.

use chrono::{DateTime, TimeDelta, Utc};
use smartassist_etl::sync::{self, AccountContext, RunReport};
use smartassist_etl::time::{Clock, Window};
use smartassist_simulator::{Interaction, Seed};
use tokio_util::sync::CancellationToken;

use crate::support::{Job, Runs, Setup, TestDatabase, instant, real_now};

/// Everything that was stored of interactions but these, with the version of each row; without facts of their customers, as a
/// contact has a note of the next one.
const VERSIONS: &str = "select string_agg(line, E'\\n' order by line collate \"C\") from ( \
     select 'session ' || interaction_key || xmin || ctid as line, interaction_key from smartassist.sessions union all \
     select 'destination ' || interaction_key || xmin || ctid, interaction_key from smartassist.destinations union all \
     select 'segment ' || interaction_key || xmin || ctid, interaction_key from smartassist.agent_segments union all \
     select 'consultation ' || interaction_key || xmin || ctid, interaction_key from smartassist.consultations union all \
     select 'tag ' || interaction_key || xmin || ctid, interaction_key from smartassist.tags union all \
     select 'raw ' || interaction_key || xmin || ctid, interaction_key from smartassist.raw_interactions union all \
     select 'visit ' || interaction_key || xmin || ctid, interaction_key from smartassist.fact_queue_visits union all \
     select 'offer ' || interaction_key || xmin || ctid, interaction_key from smartassist.fact_agent_offers union all \
     select 'fact ' || interaction_key || xmin || ctid, interaction_key from smartassist.fact_interactions \
     ) as lines join smartassist.sessions as session using (interaction_key) \
     where coalesce(session.conversation_id, session.session_id) <> all($1) \
     and not (line like 'fact %' and user_id in (select user_id from smartassist.sessions \
     where coalesce(conversation_id, session_id) = any($1)))";

pub(super) struct Past {
    pub(super) database: TestDatabase,
    pub(super) setup: Setup,
    pub(super) worker: AccountContext,
}

/// Under which id an interaction is stored.
pub(super) fn stored_id(interaction: &Interaction) -> String {
    let conversation = interaction.conversation.as_ref();
    conversation
        .map_or(&interaction.session_id, |conversation| &conversation.id)
        .clone()
}

pub(super) fn window(start: &str, end: &str) -> Window {
    Window::new(instant(start), instant(end))
}

impl Past {
    /// Everything up to 11:58 on 15 January is loaded: `count` interactions from 1 January on.
    pub(super) async fn of(count: usize) -> Self {
        Self::of_setup(Setup::with_interactions(count).await).await
    }

    /// As [`Past::of`], of one day that a single window shows.
    pub(super) async fn of_a_day(count: usize) -> Self {
        let mut setup = Setup::start().await;
        setup.set("start_from", "2026-01-14T12:00:00Z");
        let (from, to) = (instant("2026-01-14T12:00:00Z"), instant("2026-01-15T11:00:00Z"));
        setup.simulator.world().seed(&Seed::new(7, from, to, count));
        Self::of_setup(setup).await
    }

    pub(super) async fn of_setup(setup: Setup) -> Self {
        let database = TestDatabase::migrated().await;
        let worker = setup.worker(&database.pool);
        let past = Self {
            database,
            setup,
            worker,
        };
        past.run(&Job::Sync).await;
        past.setup.simulator.world().clear_requests();
        past
    }

    /// All clocks move on, that of the database as far as the ledger shows.
    pub(super) async fn pass(&self, span: TimeDelta) {
        self.setup.pass(span);
        let seconds = span.num_seconds();
        let moved = format!(
            "update smartassist_sync.windows set began_at = began_at - interval '{seconds} s'; \
             update smartassist_sync.requests set since = since - interval '{seconds} s' where isfinite(since)"
        );
        self.database.execute(&moved).await;
    }

    /// One `sync` of the command line, refreshes as by default.
    pub(super) async fn catch_up(&self) -> RunReport {
        sync::catch_up(&self.worker, &CancellationToken::new()).await
    }

    /// Another process' worker of the same account and database.
    pub(super) fn other_worker(&self) -> AccountContext {
        let mut other = self.setup.worker(&self.database.pool);
        "other".clone_into(&mut other.holder);
        other
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.setup.clock.now()
    }

    pub(super) async fn run(&self, job: &Job) -> RunReport {
        self.worker.run(job, &CancellationToken::new()).await
    }

    /// Runs until the simulator has been asked so often.
    pub(super) async fn run_until_request(&self, job: &Job, nth: u64) -> RunReport {
        let stop = CancellationToken::new();
        let told = stop.clone();
        self.setup
            .simulator
            .world()
            .before_request(nth, move |_| told.cancel());
        self.worker.run(job, &stop).await
    }

    /// An hour later, reads so much again, whatever was read before.
    pub(super) async fn refresh_in_an_hour(&self, lookback: TimeDelta) -> RunReport {
        self.setup.pass(TimeDelta::hours(1));
        self.run(&self.refresh(lookback)).await
    }

    /// Whatever was read before now is to be read again, so far back.
    pub(super) fn refresh(&self, lookback: TimeDelta) -> Job {
        Job::Refresh {
            lookback,
            since: real_now(),
            open_since: None,
            unsettled: false,
        }
    }

    /// Requests since this was asked last.
    pub(super) fn requests(&self) -> usize {
        let mut world = self.setup.simulator.world();
        let requests = world.requests().count();
        world.clear_requests();
        requests
    }

    /// The versions of all rows but those of these interactions.
    pub(super) async fn versions_but(&self, ids: &[String]) -> String {
        sqlx::query_scalar(VERSIONS)
            .bind(ids)
            .fetch_one(&self.database.pool)
            .await
            .unwrap()
    }

    /// Drained windows of a purpose: how many seconds they are together, and how many stretches'
    /// seconds are in two of them.
    pub(super) async fn seconds_read(&self, purpose: &str) -> (i64, i64) {
        let seconds = |ranges: &str| {
            format!(
                "select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0)::bigint from {ranges} \
                 where status = 'drained' and purpose = '{purpose}'"
            )
        };
        let read = seconds("(select range as r, status, purpose from smartassist_sync.windows) as windows");
        let twice = format!(
            "select count(*) from smartassist_sync.windows as a join smartassist_sync.windows as b \
             on a.id < b.id and a.range && b.range where a.status = 'drained' and b.status = 'drained' \
             and a.purpose = '{purpose}' and b.purpose = '{purpose}'"
        );
        (
            self.database.number(&read).await,
            self.database.number(&twice).await,
        )
    }
}
