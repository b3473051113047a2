//! Fake clock and worker.

use std::sync::Mutex;

use super::*;

#[derive(Debug)]
pub(super) struct RuntimeClock {
    started: Instant,
    set_back: Mutex<TimeDelta>,
}

impl RuntimeClock {
    pub(super) fn set_back(&self, by: TimeDelta) {
        *self.set_back.lock().unwrap() += by;
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> DateTime<Utc> {
        let noon = DateTime::parse_from_rfc3339("2026-01-05T12:00:00Z")
            .unwrap()
            .to_utc();
        noon + self.started.elapsed() - *self.set_back.lock().unwrap()
    }
}

pub(super) type Script = fn(i64, usize) -> (Duration, Option<Outcome>);

#[derive(Clone)]
pub(super) struct Fake {
    pub(super) clock: Arc<RuntimeClock>,
    script: Script,
    lookbacks: Arc<Mutex<Vec<i64>>>,
    pub(super) log: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn note(&self, what: &str) {
        let line = format!("{} {what}", self.clock.now().format("%T"));
        self.log.lock().unwrap().push(line);
    }
}

impl Runs for Fake {
    async fn run(&self, job: Job, stop: CancellationToken) -> Option<Outcome> {
        let Job::Refresh {
            lookback,
            since,
            open_since,
            ..
        } = job
        else {
            panic!("{job:?}");
        };
        let hours = lookback.num_hours();
        let open = open_since.map_or(String::new(), |at| {
            format!(", open since {}", at.format("%dth %T"))
        });
        self.note(&format!("{hours}h since {}{open}", since.format("%T")));
        let nth = {
            let mut lookbacks = self.lookbacks.lock().unwrap();
            lookbacks.push(hours);
            lookbacks.iter().filter(|other| **other == hours).count()
        };
        let (takes, outcome) = (self.script)(hours, nth);
        match stop.run_until_cancelled(tokio::time::sleep(takes)).await {
            Some(()) => outcome,
            None => {
                self.note("stopped");
                Some(Outcome::Interrupted)
            }
        }
    }

    fn account(&self) -> &'static str {
        "main"
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(30)
    }
}

pub(super) fn two_tiers() -> Vec<Tier> {
    [("0 23 * * * *", 24), ("0 2,17,32,47 * * * *", 2)]
        .map(|(every, hours)| Tier {
            name: format!("{hours}h"),
            every: Cron::parse(every).unwrap(),
            lookback: TimeDelta::hours(hours),
            bell: Bell::default(),
        })
        .into()
}

pub(super) async fn ring_when_due(every: Cron, bell: Bell, clock: Arc<RuntimeClock>) {
    loop {
        let now = clock.now();
        let wait = every.next_after(now).unwrap() - now;
        tokio::time::sleep(wait.to_std().unwrap()).await;
        bell.notify_one();
    }
}

pub(super) fn at_noon(
    script: Script,
    tiers: Vec<Tier>,
    follow_open: Option<TimeDelta>,
) -> (Refresher<Fake>, Fake) {
    let clock = Arc::new(RuntimeClock {
        started: Instant::now(),
        set_back: Mutex::default(),
    });
    let fake = Fake {
        clock: Arc::clone(&clock),
        script,
        lookbacks: Arc::default(),
        log: Arc::default(),
    };
    let stop = CancellationToken::new();
    (
        Refresher::new(fake.clone(), tiers, follow_open, clock, stop),
        fake,
    )
}

#[derive(Clone, Default)]
pub(super) struct Warnings(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Warnings {
    pub(super) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::WARN)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(super) fn lines(&self) -> Vec<(String, i64, String)> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let field = |name: &str| event["fields"][name].as_str().unwrap_or_default().to_owned();
            let lookback = event["fields"]["lookback_minutes"].as_i64().unwrap();
            (field("message"), lookback, field("since"))
        });
        lines.collect()
    }
}
