//! The state behind a running simulator: what it serves, how it behaves, what it was asked.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    fault::Fault,
    fault_queue::{FaultQueue, Suffered},
    filter::Facets,
    generate,
    interaction::Interaction,
    options::{Behaviour, Credentials, Limits, Options},
    rate::RateLimiter,
    request_log::{Counters, RequestLog, RequestRecord},
    seed::Seed,
    shapes,
    signin::SignIn,
    store::{Raw, Record, Store},
};

/// A change of the world that waits for its request.
type Hook = Box<dyn FnOnce(&mut World) + Send>;

/// The whole state of a simulator. Its fields that are public may be changed at any time.
pub struct World {
    /// Whom the API lets in.
    pub credentials: Credentials,
    /// The documented limits.
    pub limits: Limits,
    /// The reading of what the vendor leaves open.
    pub behaviour: Behaviour,
    /// Answers to requests that come from now on are kept back until this token is cancelled: they are on their way
    /// for as long as a test needs. What they say is as of when their request came.
    pub hold: Option<CancellationToken>,
    pub(crate) store: Store,
    pub(crate) rate: RateLimiter,
    pub(crate) sign_in: SignIn,
    pub(crate) log: RequestLog,
    pub(crate) counters: Counters,
    /// How many sessions [`Self::arrive`] has made.
    pub(crate) arrived: u64,
    faults: FaultQueue,
    /// With the number of the request that each precedes.
    hooks: Vec<(u64, Hook)>,
    /// Requests that were signed in and inside the rate limit.
    admitted: u64,
    clock: Clock,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("len", &self.len())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl World {
    /// An empty world; [`Options::bind`] is of no use to it.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            credentials: options.credentials,
            limits: options.limits,
            behaviour: options.behaviour,
            hold: None,
            store: Store::default(),
            rate: RateLimiter::default(),
            sign_in: SignIn::default(),
            log: RequestLog::default(),
            counters: Counters::default(),
            arrived: 0,
            faults: FaultQueue::default(),
            hooks: Vec::new(),
            admitted: 0,
            clock: Clock::Wall(TimeDelta::zero()),
        }
    }

    /// Adds the sessions of a seed; shadows, where there are any, are among its number.
    pub fn seed(&mut self, seed: &Seed) {
        let is_shaped = self.behaviour.vendor_shapes;
        let with_shadow = |it: Interaction| {
            let shadow = it
                .conversation
                .as_deref()
                .filter(|_| is_shaped && shapes::has_shadow(&it));
            let shadow = shadow.map(|conversation| generate::shadow(&it, conversation));
            std::iter::once(it).chain(shadow)
        };
        let interactions = seed.interactions().flat_map(with_shadow);
        self.store.extend(interactions.take(seed.count));
    }

    /// Adds a session, or replaces the one of the same id.
    pub fn insert(&mut self, interaction: Interaction) {
        self.store.insert(Record::Typed(Box::new(interaction)));
    }

    /// Adds a record that is returned as it is, whatever it is. It counts as a session of no length at `start`.
    pub fn insert_raw(&mut self, start: DateTime<Utc>, record: &Value) {
        let facets = Facets::of(record);
        self.store.insert(Record::Raw(Raw {
            json: record.to_string().into_bytes(),
            start,
            facets,
        }));
    }

    /// Adds bytes that are returned as they are between two commas, JSON or not: lone surrogates, invalid UTF-8.
    pub fn insert_raw_bytes(&mut self, start: DateTime<Utc>, record: impl Into<Vec<u8>>) {
        let json = record.into();
        // What serde_json would parse again, however deep it is, has no facets.
        let is_plain = !String::from_utf8_lossy(&json).contains("serde_json::private");
        let value = is_plain.then(|| serde_json::from_slice(&json).ok()).flatten();
        let facets = value.as_ref().map(Facets::of).unwrap_or_default();
        self.store.insert(Record::Raw(Raw { json, start, facets }));
    }

    /// How many records there are, raw and future ones too.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sessions by start, without raw records.
    pub fn interactions(&self) -> impl Iterator<Item = &Interaction> {
        self.store.interactions()
    }

    /// The session of an id.
    #[must_use]
    pub fn get(&self, session_id: &str) -> Option<&Interaction> {
        self.store.get(session_id)
    }

    /// Replaces the behaviour.
    pub fn set_behaviour(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
    }

    /// What the API believes the time to be. Sessions that start later are not returned.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Freezes the API's clock.
    pub fn set_now(&mut self, at: DateTime<Utc>) {
        self.clock = Clock::Frozen(at);
    }

    /// Lets the API's clock run again, off by `shift` from the machine's.
    pub fn run_clock(&mut self, shift: TimeDelta) {
        self.clock = Clock::Wall(shift);
    }

    /// Refuses all tokens issued so far with 401; a new one is let in. A static token stays refused.
    pub fn expire_tokens(&mut self) {
        let now = self.now();
        self.sign_in.expire_all(now);
    }

    /// Lets something go wrong.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.inject(fault);
    }

    /// Takes back all faults and hooks that are still to come.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.hooks.clear();
    }

    /// How many faults are still to come.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.faults.len()
    }

    /// Changes the world right before the nth request from now (1 is the next) is answered: rows that come and go
    /// between two pages. Requests are counted as for faults.
    pub fn before_request(&mut self, nth: u64, change: impl FnOnce(&mut Self) + Send + 'static) {
        self.hooks.push((self.admitted + nth, Box::new(change)));
    }

    /// The last requests, oldest first; at most 10,000.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &RequestRecord> {
        self.log.iter()
    }

    /// Forgets the requests so far. The counters stay.
    pub fn clear_requests(&mut self) {
        self.log.clear();
    }

    /// Sums since the start.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Plays the hooks of the next request and draws its faults.
    pub(crate) fn admit_request(&mut self, offset: i64) -> Suffered {
        self.admitted += 1;
        let due = self.admitted;
        let (now, later) = std::mem::take(&mut self.hooks)
            .into_iter()
            .partition(|(at, _)| *at <= due);
        self.hooks = later;
        let now: Vec<(u64, Hook)> = now;
        for (_, hook) in now {
            hook(self);
        }
        self.faults.next_request(offset)
    }
}
