//! The command line of the simulator.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound, TimeDelta, Utc};
use clap::{Parser, ValueEnum};
use smartassist_simulator::{
    Algorithm, Basis, Behaviour, Charset, Credentials, End, Limits, NoData, NumResults, OffsetUnit, Options,
    Order, PastEnd, PastOffset, Quirks, Range, RetryAfter, Rhythm, Seed, TooOld,
};

/// A stand-in for the SmartAssist interactionDetails API, with its documented limits.
///
/// It makes up sessions, serves them at
/// POST /agentassist/api/public/analytics/account/{account}/v2/interactionDetails, and behaves like the real API where
/// its documentation is clear: 7 days a request, 100 records a page, page offset 10, 60 requests a minute. Where it is
/// not, a flag chooses the reading. The data is the same for the same --seed, --from and --to.
///
/// While it runs: GET /healthz, GET /_simulator/stats, POST /_simulator/interactions {"count": 3, "ago_seconds": 300},
/// POST /_simulator/mutate {"fraction": 0.1, "seed": 1}. SIGTERM or SIGINT ends it.
#[derive(Debug, Parser)]
#[command(name = "smartassist-simulator", version, max_term_width = 120)]
pub(crate) struct Cli {
    /// Address to listen on; port 0 takes a free one (see --port-file)
    #[arg(long, env = "SIMULATOR_BIND", default_value = "127.0.0.1:8080")]
    pub(crate) bind: SocketAddr,
    /// File to write the bound address to, once listening and seeded; it appears whole or not at all
    #[arg(long, env = "SIMULATOR_PORT_FILE")]
    pub(crate) port_file: Option<PathBuf>,

    #[command(flatten)]
    sign_in: SignIn,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    readings: Readings,
    #[command(flatten)]
    quirks: QuirkFlags,

    /// New sessions a minute that start "now" while it runs; they go on for up to 5 minutes, and some ended ones get a
    /// late disposition or survey
    #[arg(long, env = "SIMULATOR_ARRIVALS_PER_MINUTE", default_value_t = 0.0)]
    pub(crate) arrivals_per_minute: f64,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sign-in")]
struct SignIn {
    /// Account in the path and in the accountId header
    #[arg(long, env = "SIMULATOR_ACCOUNT_ID", default_value = "acct-sim")]
    account_id: String,
    /// Stream or application id in the iId header
    #[arg(long, env = "SIMULATOR_STREAM_ID", default_value = "st-sim")]
    stream_id: String,
    /// Client id that a token carries as appId
    #[arg(long, env = "SIMULATOR_CLIENT_ID", default_value = "cs-sim")]
    client_id: String,
    /// Secret that signs tokens (with RS256 and RS512: the public key as PEM)
    #[arg(long, env = "SIMULATOR_CLIENT_SECRET", hide_env_values = true)]
    #[arg(default_value = "simulator-secret-0123456789abcdef")]
    client_secret: String,
    /// Algorithm that a token must be signed with
    #[arg(long, env = "SIMULATOR_ALGORITHM", value_enum, default_value = "hs256")]
    algorithm: Algorithm,
    /// A fixed token that is let in as well
    #[arg(long, env = "SIMULATOR_STATIC_TOKEN", hide_env_values = true)]
    static_token: Option<String>,
    /// Let tokens without a jti in, and ones that share a jti
    #[arg(long, env = "SIMULATOR_ALLOW_JTI_REUSE")]
    allow_jti_reuse: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Data")]
struct Data {
    /// How many sessions to start with
    #[arg(long, env = "SIMULATOR_INTERACTIONS", default_value_t = 10_000)]
    interactions: usize,
    /// How many days back from --to the sessions start
    #[arg(long, env = "SIMULATOR_DAYS", default_value_t = 30, conflicts_with = "from")]
    days: u32,
    /// Earliest start: 2025-09-01 or 2025-09-01T06:00:00Z
    #[arg(long, env = "SIMULATOR_FROM", value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// Latest start, exclusive, in the same forms [default: now]
    #[arg(long, env = "SIMULATOR_TO", value_parser = instant)]
    to: Option<DateTime<Utc>>,
    /// Source of all chance: the same number makes the same sessions
    #[arg(long, env = "SIMULATOR_SEED", default_value_t = 1)]
    seed: u64,
    /// How the starts are spread
    #[arg(long, env = "SIMULATOR_RHYTHM", value_enum, default_value = "week")]
    rhythm: RhythmName,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Behaviour")]
struct Readings {
    /// Requests let in in any 60 seconds; 0 lifts the limit
    #[arg(long, env = "SIMULATOR_REQUESTS_PER_MINUTE", default_value_t = 60)]
    requests_per_minute: u32,
    /// Order of rows; "reshuffled" differs with every request
    #[arg(long, env = "SIMULATOR_ORDER", value_enum, default_value = "unordered")]
    order: Order,
    /// What numResults counts
    #[arg(long, env = "SIMULATOR_NUM_RESULTS", value_enum, default_value = "total")]
    num_results: NumResults,
    /// What the range of a request is compared with
    #[arg(long, env = "SIMULATOR_BASIS", value_enum, default_value = "start")]
    basis: Basis,
    /// Whether endDate belongs to the range
    #[arg(long, env = "SIMULATOR_END", value_enum, default_value = "inclusive")]
    end: End,
    /// What offset counts
    #[arg(long, env = "SIMULATOR_OFFSET_UNIT", value_enum, default_value = "pages")]
    offset_unit: OffsetUnit,
    /// Answer to an offset above 10: status 400, or no records
    #[arg(long, env = "SIMULATOR_PAST_OFFSET", value_enum, default_value = "refuse")]
    past_offset: PastOffset,
    /// Requests let in in any hour; 0 lifts the limit
    #[arg(long, env = "SIMULATOR_REQUESTS_PER_HOUR", default_value_t = 0)]
    requests_per_hour: u32,
    /// Turn requests over a limit away without saying for how long
    #[arg(long, env = "SIMULATOR_NO_RETRY_AFTER")]
    no_retry_after: bool,
    /// Time that every answer takes, in milliseconds
    #[arg(long, env = "SIMULATOR_LATENCY_MS", default_value_t = 0)]
    latency_ms: u64,
    /// Seconds after its end until a session is shown; 0 shows it from its start on
    #[arg(long, env = "SIMULATOR_PUBLISH_DELAY_SECONDS", default_value_t = 0)]
    publish_delay_seconds: u32,
    /// Minutes by which stamps without a zone are later than the request's offset says
    #[arg(
        long,
        env = "SIMULATOR_STAMP_SHIFT_MINUTES",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    stamp_shift_minutes: i32,
    /// Answer every range with a page without records
    #[arg(long, env = "SIMULATOR_EMPTY_ANSWERS")]
    empty_answers: bool,
    /// Write a word that stands for nothing ("undefined", "N/A", ...) as conversationId where there is no conversation
    #[arg(long, env = "SIMULATOR_PLACEHOLDER_IDS")]
    placeholder_ids: bool,
    /// Write phone numbers and e-mail addresses of customers in many spellings
    #[arg(long, env = "SIMULATOR_ODD_SPELLINGS")]
    odd_spellings: bool,
    /// Records in the shapes of all versions of the vendor's samples, shadow sessions of the agent's assistant included
    #[arg(long, env = "SIMULATOR_VENDOR_SHAPES")]
    vendor_shapes: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Quirks")]
struct QuirkFlags {
    /// The most records of a page, whatever is asked for
    #[arg(long, env = "SIMULATOR_PAGE_CAP")]
    page_cap: Option<usize>,
    /// Pages with as many records of each kind (bot alone, conversation) as are asked for
    #[arg(long, env = "SIMULATOR_BOTH_KINDS")]
    both_kinds: bool,
    /// How it is told that a range holds nothing
    #[arg(long, env = "SIMULATOR_NO_DATA", value_enum, default_value_t)]
    no_data: NoData,
    /// What comes in place of a page past the end
    #[arg(long, env = "SIMULATOR_PAST_END", value_enum, default_value_t)]
    past_end: PastEnd,
    /// Charset of answers
    #[arg(long, env = "SIMULATOR_CHARSET", value_enum, default_value_t)]
    charset: Charset,
    /// Days for which anything is served
    #[arg(long, env = "SIMULATOR_RETENTION_DAYS")]
    retention_days: Option<u32>,
    /// How what is older is refused
    #[arg(long, env = "SIMULATOR_TOO_OLD", value_enum, default_value_t)]
    too_old: TooOld,
    /// What the range of a request is taken for
    #[arg(long, env = "SIMULATOR_RANGE", value_enum, default_value_t)]
    range: Range,
    /// Seconds of the shortest range that is answered; shorter ones are refused
    #[arg(long, env = "SIMULATOR_SHORTEST_RANGE_SECONDS", default_value_t = 0)]
    shortest_range_seconds: u32,
    /// An error object among the records of every page
    #[arg(long, env = "SIMULATOR_ERROR_OBJECT")]
    error_object: bool,
    /// The header Date of every answer, whatever time it is
    #[arg(long, env = "SIMULATOR_DATE")]
    date: Option<String>,
}

impl QuirkFlags {
    fn quirks(&self) -> Quirks {
        Quirks {
            page_cap: self.page_cap,
            both_kinds: self.both_kinds,
            no_data: self.no_data,
            past_end: self.past_end,
            charset: self.charset,
            retention: self.retention_days.map(|days| TimeDelta::days(days.into())),
            too_old: self.too_old,
            refused: None,
            range: self.range,
            shortest_range: TimeDelta::seconds(self.shortest_range_seconds.into()),
            error_object: self.error_object,
            date: self.date.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RhythmName {
    /// Evenly
    Flat,
    /// Busy on weekdays in office hours, UTC
    Week,
}

impl Cli {
    /// What the simulator starts with.
    pub(crate) fn options(&self) -> Options {
        let (sign_in, readings) = (&self.sign_in, &self.readings);
        Options {
            bind: self.bind,
            credentials: Credentials {
                account_id: sign_in.account_id.clone(),
                stream_id: sign_in.stream_id.clone(),
                client_id: sign_in.client_id.clone(),
                client_secret: sign_in.client_secret.clone(),
                algorithm: sign_in.algorithm,
                static_token: sign_in.static_token.clone(),
                enforce_jti: !sign_in.allow_jti_reuse,
            },
            limits: Limits {
                requests_per_minute: Some(readings.requests_per_minute).filter(|limit| *limit > 0),
                requests_per_hour: Some(readings.requests_per_hour).filter(|limit| *limit > 0),
                retry_after: if readings.no_retry_after {
                    RetryAfter::Absent
                } else {
                    RetryAfter::Seconds
                },
                ..Limits::default()
            },
            behaviour: Behaviour {
                order: readings.order,
                num_results: readings.num_results,
                basis: readings.basis,
                end: readings.end,
                offset_unit: readings.offset_unit,
                past_offset: readings.past_offset,
                latency: Duration::from_millis(readings.latency_ms),
                publish_delay: TimeDelta::seconds(readings.publish_delay_seconds.into()),
                stamp_shift: TimeDelta::minutes(readings.stamp_shift_minutes.into()),
                empty_answers: readings.empty_answers,
                placeholder_ids: readings.placeholder_ids,
                odd_spellings: readings.odd_spellings,
                vendor_shapes: readings.vendor_shapes,
                quirks: self.quirks.quirks(),
                ..Behaviour::default()
            },
        }
    }

    /// The sessions to start with.
    pub(crate) fn seed(&self, now: DateTime<Utc>) -> anyhow::Result<Seed> {
        let data = &self.data;
        let to = data.to.unwrap_or(now).trunc_subsecs(0);
        let from = data.from.unwrap_or(to - TimeDelta::days(i64::from(data.days)));
        if from >= to {
            bail!("--from ({from}) must be before --to ({to})");
        }
        let rhythm = match data.rhythm {
            RhythmName::Flat => Rhythm::Flat,
            RhythmName::Week => Rhythm::Week,
        };
        Ok(Seed {
            rhythm,
            ..Seed::new(data.seed, from, to, data.interactions)
        })
    }
}

/// `2025-09-01`, midnight UTC, or an RFC 3339 stamp.
fn instant(text: &str) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    let at = DateTime::parse_from_rfc3339(text).context("want 2025-09-01 or 2025-09-01T06:00:00Z")?;
    Ok(at.to_utc())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn zero_lifts_the_rate_limit() {
        let limit = |given: &str| {
            let cli = Cli::parse_from(["sim", "--requests-per-minute", given]);
            cli.options().limits.requests_per_minute
        };
        assert_eq!((limit("0"), limit("60")), (None, Some(60)));
    }

    #[test]
    fn the_data_spans_the_days_before_its_end() {
        let cli = Cli::parse_from(["sim", "--to", "2025-09-08T00:00:00Z", "--days", "7"]);
        let seed = cli.seed(DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(seed.from, instant("2025-09-01").unwrap());
        let cli = Cli::parse_from(["sim", "--from", "2025-09-08", "--to", "2025-09-08"]);
        assert!(cli.seed(DateTime::UNIX_EPOCH).is_err());
        assert!(Cli::try_parse_from(["sim", "--from", "yesterday"]).is_err());
    }
}
