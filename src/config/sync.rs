//! Schedules and worker settings.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};

use super::cron::Cron;
use super::seconds;
use super::section::Section;

pub(super) const A_CRON: &str =
    "a cron pattern of six fields (second minute hour day month weekday), as in \"0 */5 * * * *\"";

const A_NAME: &str = "up to 64 letters, digits, - and _, but not open";

/// The policy of sessions that are still open.
const OPEN: &str = "open";

const A_LOOKBACK: &str = "a whole number and a unit (m, h or d), from 1m to 366d, as in \"2h\"";

const TIERS: &str =
    "a list of tables as in [{ every = \"0 23 * * * *\", lookback = \"24h\" }], or its JSON text";

const LONGEST_LOOKBACK: TimeDelta = TimeDelta::days(366);

/// `sync.*`.
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// `sync.poll`.
    pub poll: Cron,
    /// Smallest lookback first.
    pub refresh: Vec<RefreshTier>,
    /// `sync.follow_open_hours`; `None`: off.
    pub follow_open: Option<TimeDelta>,
    /// `sync.settle_seconds`.
    pub settle: Duration,
    /// `sync.late_minutes`.
    pub late: TimeDelta,
    /// `sync.missing_confirm_hours`.
    pub missing_confirm: TimeDelta,
    /// `sync.lease_seconds`.
    pub lease: Duration,
    /// `sync.stall_seconds`.
    pub stall: Duration,
    /// `sync.shutdown_seconds`.
    pub shutdown: Duration,
}

/// A refresh tier.
#[derive(Debug, Clone)]
pub struct RefreshTier {
    /// As in the ledger; the lookback's text where none is given.
    pub name: String,
    /// When it runs.
    pub every: Cron,
    /// How far back.
    pub lookback: TimeDelta,
}

/// What is read again, and when.
#[derive(Debug, Clone)]
pub struct RefreshPolicy {
    /// As in `runs.policy`.
    pub name: String,
    /// When it comes due.
    pub every: Cron,
    /// What it reads again.
    pub selection: Selection,
}

/// What a policy reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of the last so long.
    Lookback {
        /// How far back.
        lookback: TimeDelta,
        /// And whatever was last read before it was this old.
        late: Option<TimeDelta>,
    },
    /// Sessions without an end.
    Open {
        /// Up to this age.
        age: TimeDelta,
        /// Younger ones are read anyway.
        beyond: TimeDelta,
    },
}

impl SyncConfig {
    /// All policies: the configured ones, and open sessions with the first of them, which also reads what was
    /// read too early.
    pub fn policies(&self) -> Vec<RefreshPolicy> {
        let policy = |name: &str, every: &Cron, selection| RefreshPolicy {
            name: name.to_owned(),
            every: every.clone(),
            selection,
        };
        let mut policies = Vec::new();
        for (place, tier) in self.refresh.iter().enumerate() {
            let selection = Selection::Lookback {
                lookback: tier.lookback,
                late: (place == 0).then_some(self.late),
            };
            policies.push(policy(&tier.name, &tier.every, selection));
        }
        if let (Some(first), Some(age)) = (self.refresh.first(), self.follow_open) {
            let beyond = first.lookback;
            policies.push(policy(OPEN, &first.every, Selection::Open { age, beyond }));
        }
        policies
    }

    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let poll = section.required("poll", A_CRON, parse_cron);
        let tiers = section.tables("refresh", TIERS).into_iter();
        let mut refresh: Vec<RefreshTier> = tiers.filter_map(RefreshTier::read).collect();
        refresh.sort_by_key(|tier| tier.lookback);
        if let Some(name) = name_given_twice(&refresh) {
            section.problem(
                "refresh",
                &format!("two of them have the name {name}; give each its own"),
            );
        }
        let follow_open = TimeDelta::hours(section.integer("follow_open_hours", &(0..=8_784)));
        let settle = seconds(&mut section, "settle_seconds", 0..=86_400);
        let late = TimeDelta::minutes(section.integer("late_minutes", &(0..=10_080)));
        let missing_confirm = TimeDelta::hours(section.integer("missing_confirm_hours", &(1..=8_784)));
        let lease = seconds(&mut section, "lease_seconds", 3..=3_600);
        let stall = seconds(&mut section, "stall_seconds", 1..=86_400);
        let shutdown = seconds(&mut section, "shutdown_seconds", 0..=3_600);
        section.finish();
        Some(Self {
            poll: poll?,
            refresh,
            follow_open: (!follow_open.is_zero()).then_some(follow_open),
            settle,
            late,
            missing_confirm,
            lease,
            stall,
            shutdown,
        })
    }
}

impl RefreshTier {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let name = section.parsed("name", A_NAME, parse_name);
        let every = section.required("every", A_CRON, parse_cron);
        let lookback = section.required("lookback", A_LOOKBACK, |text| {
            parse_lookback(text).map(|lookback| (text.to_owned(), lookback))
        });
        section.finish();
        let (lookback_text, lookback) = lookback?;
        Some(Self {
            name: name.unwrap_or(lookback_text),
            every: every?,
            lookback,
        })
    }
}

fn name_given_twice(refresh: &[RefreshTier]) -> Option<&str> {
    let mut names = std::collections::HashSet::new();
    let twice = refresh.iter().find(|tier| !names.insert(&tier.name));
    twice.map(|tier| tier.name.as_str())
}

fn parse_name(text: &str) -> Option<String> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (text.len() <= 64 && text != OPEN && text.chars().all(is_of_word)).then(|| text.to_owned())
}

/// Refuses patterns that never occur (30 February).
pub(super) fn parse_cron(pattern: &str) -> Option<Cron> {
    let cron = Cron::parse(pattern).ok()?;
    cron.next_after(DateTime::UNIX_EPOCH).map(|_| cron)
}

fn parse_lookback(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // The standard parser accepts signs.
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    let number = number.parse::<u32>().ok()?.into();
    let lookback = match unit {
        "m" => TimeDelta::minutes(number),
        "h" => TimeDelta::hours(number),
        "d" => TimeDelta::days(number),
        _ => return None,
    };
    (TimeDelta::minutes(1)..=LONGEST_LOOKBACK)
        .contains(&lookback)
        .then_some(lookback)
}
