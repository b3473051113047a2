//! What this part prints.

use std::fmt;

use crate::figures::{grouped, mebibytes, verdict};

use super::Pass;
use super::copy::Copy;

/// The daemon is to be at least this fast, compared with `\copy`.
const LEAST_SHARE_OF_COPY: f64 = 1.0 / 3.0;

/// The daemon is to stay below this, in mebibytes.
const MOST_MEMORY: f64 = 48.0;

/// Of the time of the first load, where nothing differs.
const MOST_OF_AN_IDLE_REPLAY: f64 = 0.25;

/// Records in a page of the API.
const PAGE: usize = 100;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) interactions: usize,
    pub(crate) days: usize,
    /// In all tables of schema `smartassist`.
    pub(crate) rows: usize,
    pub(crate) simulator_peak: Option<u64>,
    pub(crate) load: Pass,
    pub(crate) copy: Copy,
    pub(crate) again: Pass,
    /// Where every row is written anew, and where none is.
    pub(crate) replays: [Pass; 2],
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (interactions, rows) = (grouped(self.interactions), grouped(self.rows));
        writeln!(
            f,
            "\n{interactions} interactions over {} days, {rows} rows in all tables\n",
            self.days
        )?;
        for [label, load, copy, again] in self.table() {
            writeln!(f, "{label:<36}{load:>14}{copy:>15}{again:>14}")?;
        }
        writeln!(f)?;
        self.goals(f)
    }
}

impl Report {
    /// A label, then the first load, the copy, and reading again.
    fn table(&self) -> Vec<[String; 4]> {
        let (load, copy, again) = (&self.load, &self.copy, &self.again);
        let nothing = String::new;
        let line = |label: &str, [load, copy, again]: [String; 3]| [label.to_owned(), load, copy, again];
        let all = [load.seconds, copy.seconds, again.seconds];
        let wal = [load.wal_bytes, copy.wal_bytes, again.wal_bytes];
        let passes = |of: &dyn Fn(&Pass) -> String| [of(load), nothing(), of(again)];
        vec![
            line("", ["first load", r"psql \copy", "read again"].map(str::to_owned)),
            line("", ["", "of these rows", "unchanged"].map(str::to_owned)),
            line("seconds", all.map(|seconds| format!("{seconds:.2}"))),
            line(
                "interactions per second",
                all.map(|seconds| grouped(self.rate(seconds))),
            ),
            line("requests", passes(&|pass| grouped(pass.books.requests))),
            line(
                "requests ÷ ⌈interactions ÷ 100⌉",
                passes(&|pass| format!("{:.3}", self.overhead(pass))),
            ),
            line("WAL, MiB", wal.map(|bytes| format!("{:.1}", mebibytes(bytes)))),
            line(
                "peak memory of the daemon, MiB",
                passes(&|pass| memory(pass.peak_memory)),
            ),
            line(
                "peak memory of the simulator, MiB",
                [memory(self.simulator_peak), nothing(), nothing()],
            ),
        ]
    }

    fn goals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.copy.seconds / self.load.seconds;
        let is_met = Some(share >= LEAST_SHARE_OF_COPY);
        writeln!(
            f,
            "{:<7}  speed of the first load ÷ speed of \\copy: {share:.2}, at least {LEAST_SHARE_OF_COPY:.2} wanted",
            verdict(is_met)
        )?;
        let [rewriting, idle] = &self.replays;
        let idle_share = idle.seconds / self.load.seconds;
        let is_met = Some(rewriting.seconds < self.load.seconds && idle_share <= MOST_OF_AN_IDLE_REPLAY);
        writeln!(
            f,
            "{:<7}  replay ÷ first load: {:.2} where every row is written anew ({:.1} s, WAL {:.0} MiB), below 1 wanted; {idle_share:.2} where none is \
             ({:.1} s, WAL {:.1} MiB), at most {MOST_OF_AN_IDLE_REPLAY:.2} wanted",
            verdict(is_met),
            rewriting.seconds / self.load.seconds,
            rewriting.seconds,
            mebibytes(rewriting.wal_bytes),
            idle.seconds,
            mebibytes(idle.wal_bytes),
        )?;
        let peak = rewriting.peak_memory.max(idle.peak_memory).map(mebibytes);
        let is_met = peak.map(|peak| peak < MOST_MEMORY);
        let peak = peak.map_or("unknown".to_owned(), |peak| format!("{peak:.1} MiB"));
        writeln!(
            f,
            "{:<7}  peak memory of replay: {peak}, below {MOST_MEMORY:.0} MiB wanted",
            verdict(is_met)
        )?;
        let peak = self.load.peak_memory.max(self.again.peak_memory).map(mebibytes);
        let is_met = peak.map(|peak| peak < MOST_MEMORY);
        let peak = peak.map_or("unknown".to_owned(), |peak| format!("{peak:.1} MiB"));
        write!(
            f,
            "{:<7}  peak memory of the daemon: {peak}, below {MOST_MEMORY:.0} MiB wanted",
            verdict(is_met)
        )
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is rounded for people anyway"
    )]
    fn rate(&self, seconds: f64) -> usize {
        (self.interactions as f64 / seconds) as usize
    }

    /// How many requests were made for each that any program needs.
    #[expect(clippy::cast_precision_loss, reason = "it is rounded for people anyway")]
    fn overhead(&self, pass: &Pass) -> f64 {
        pass.books.requests as f64 / self.interactions.div_ceil(PAGE) as f64
    }
}

fn memory(peak: Option<u64>) -> String {
    peak.map_or("unknown".to_owned(), |peak| format!("{:.1}", mebibytes(peak)))
}
