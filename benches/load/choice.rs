//! What to measure, as the environment says.

use anyhow::{Context, Result};

const DEFAULT_INTERACTIONS: usize = 100_000;

const DEFAULT_KEYS: usize = 10_000_000;

const DEFAULT_REPORTED: usize = 1_000_000;

const DEFAULT_GROWN: usize = 10_000_000;

/// `cargo test --benches` runs this program too, where it only has to show that it works.
const INTERACTIONS_IN_TESTS: usize = 1_000;

/// As [`INTERACTIONS_IN_TESTS`], for the shapes of data.
const SCALE_IN_TESTS: f64 = 0.01;

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Throughput,
    Requests,
    Budget,
    Page,
    Key,
    Bi,
    Growth,
    Facts,
}

impl Part {
    const ALL: [Self; 8] = [
        Self::Throughput,
        Self::Requests,
        Self::Budget,
        Self::Page,
        Self::Key,
        Self::Bi,
        Self::Growth,
        Self::Facts,
    ];

    /// As `BENCH` spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Requests => "requests",
            Self::Budget => "budget",
            Self::Page => "page",
            Self::Key => "key",
            Self::Bi => "bi",
            Self::Growth => "growth",
            Self::Facts => "facts",
        }
    }

    fn named(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|part| part.name() == name)
            .with_context(|| {
                format!(
                    "BENCH must be throughput, requests, budget, page, key, bi, growth or facts, or several with commas, not {name:?}"
                )
            })
    }
}

/// What to measure, and how much of it.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) parts: Vec<Part>,
    /// Of the throughput and facts parts.
    pub(crate) interactions: usize,
    /// What the record counts of the requests part are multiplied by.
    pub(crate) scale: f64,
    /// Rows of the key part.
    pub(crate) keys: usize,
    /// Interactions of the bi part.
    pub(crate) reported: usize,
    /// Interactions of the growth part.
    pub(crate) grown: usize,
}

impl Choice {
    /// From the environment, and from whether cargo says that this is a benchmark.
    pub(crate) fn of(arguments: &[String]) -> Result<Self> {
        let is_bench = arguments.iter().any(|argument| argument == "--bench");
        let parts = match variable("BENCH") {
            Some(names) => names
                .split(',')
                .map(|name| Part::named(name.trim()))
                .collect::<Result<_>>()?,
            None => vec![Part::Throughput, Part::Requests],
        };
        let count = |name: &str, in_bench: usize, in_tests: usize| match variable(name) {
            Some(text) => text
                .parse()
                .ok()
                .filter(|count| *count > 0)
                .with_context(|| format!("{name} must be a whole number above 0")),
            None => Ok(if is_bench { in_bench } else { in_tests }),
        };
        let scale = match variable("BENCH_SCALE") {
            Some(text) => text
                .parse()
                .ok()
                .filter(|scale: &f64| scale.is_finite() && *scale > 0.0)
                .context("BENCH_SCALE must be a number above 0")?,
            None if is_bench => 1.0,
            None => SCALE_IN_TESTS,
        };
        Ok(Self {
            parts,
            interactions: count("BENCH_INTERACTIONS", DEFAULT_INTERACTIONS, INTERACTIONS_IN_TESTS)?,
            scale,
            keys: count("BENCH_KEYS", DEFAULT_KEYS, INTERACTIONS_IN_TESTS)?,
            reported: count("BENCH_REPORTED", DEFAULT_REPORTED, INTERACTIONS_IN_TESTS)?,
            grown: count("BENCH_GROWN", DEFAULT_GROWN, INTERACTIONS_IN_TESTS)?,
        })
    }
}

/// An empty variable counts as unset, as the daemon has it.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
