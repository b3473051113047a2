use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};

use crate::extract::PAGE_SIZE;
use crate::time::window::Window;

use super::super::density::{Expectation, count, hour_of};
use super::{LONGEST_WINDOW, Model, SECOND, Side, Stretch};

/// The API may count its seven days as dates.
const MOST_DATES: u64 = 7;

/// Margin in standard deviations. An overflow costs one request with totals, else all pages.
const MARGIN_WITH_TOTALS: f64 = 1.5;
const MARGIN_WITHOUT_TOTALS: f64 = 2.7;

impl Model {
    pub(super) fn cut(&self, stretch: Stretch, side: Side) -> Window {
        let widest = self.widest(stretch, side);
        if self.density.is_unknown() || stretch.is_part {
            return widest;
        }
        let mut window = match side {
            Side::Newest => Window {
                start: widest.end,
                ..widest
            },
            Side::Oldest => Window {
                end: widest.start,
                ..widest
            },
        };
        let mut expected = Expectation::default();
        while window != widest {
            let (wider, piece) = widen(window, widest, side);
            let mut with_piece = expected;
            with_piece += self.density.of_hour(piece);
            if !self.fits(with_piece) {
                return self.widen_in_part((window, side), expected, piece, with_piece);
            }
            (window, expected) = (wider, with_piece);
        }
        window
    }

    fn widest(&self, stretch: Stretch, side: Side) -> Window {
        let Window { start, end } = stretch.window;
        let longest = stretch.longest.min(self.limits.longest.unwrap_or(LONGEST_WINDOW));
        match side {
            Side::Newest => {
                let first_date = self
                    .midnight(end - SECOND, 0)
                    .checked_sub_days(Days::new(MOST_DATES - 1));
                Window {
                    start: start.max(end - longest).max(first_date.unwrap_or(start)),
                    end,
                }
            }
            Side::Oldest => {
                let after_last_date = self.midnight(start, MOST_DATES);
                Window {
                    start,
                    end: end.min(start + longest).min(after_last_date),
                }
            }
        }
    }

    fn midnight(&self, at: DateTime<Utc>, days: u64) -> DateTime<Utc> {
        let offset = TimeDelta::minutes(self.limits.time_zone_offset.into());
        let local = (at - offset).date_naive().and_time(NaiveTime::MIN).and_utc();
        local.checked_add_days(Days::new(days)).unwrap_or(local) + offset
    }

    fn widen_in_part(
        &self,
        (window, side): (Window, Side),
        without: Expectation,
        piece: Window,
        with: Expectation,
    ) -> Window {
        let whole = (piece.end - piece.start).num_seconds();
        let mut fitting = (0, whole);
        while fitting.1 - fitting.0 > 1 {
            let half = fitting.0.midpoint(fitting.1);
            let share = count(half.unsigned_abs()) / count(whole.unsigned_abs());
            let mut expected = without;
            expected += Expectation {
                records: (with.records - without.records) * share,
                variance: (with.variance - without.variance) * share * share,
                surge: (with.surge - without.surge) * share,
            };
            if self.fits(expected) {
                fitting.0 = half;
            } else {
                fitting.1 = half;
            }
        }
        let is_empty = window.start == window.end;
        let seconds = TimeDelta::seconds(fitting.0.max(i64::from(is_empty)));
        match side {
            Side::Newest => Window {
                start: window.start - seconds,
                ..window
            },
            Side::Oldest => Window {
                end: window.end + seconds,
                ..window
            },
        }
    }

    fn fits(&self, expected: Expectation) -> bool {
        let limits = &self.limits;
        let one_page = limits.reach <= PAGE_SIZE as u64;
        let margin = if limits.totals || one_page {
            MARGIN_WITH_TOTALS
        } else {
            MARGIN_WITHOUT_TOTALS
        };
        let by_error = self.error * expected.records * expected.records;
        let deviation = (expected.variance + expected.records + by_error).sqrt();
        let surge = if limits.totals { 0.0 } else { expected.surge };
        expected.records + surge + margin * deviation <= count(limits.reach)
    }
}

fn widen(window: Window, widest: Window, side: Side) -> (Window, Window) {
    match side {
        Side::Newest => {
            let start = hour_of(window.start - SECOND).max(widest.start);
            (
                Window { start, ..window },
                Window {
                    start,
                    end: window.start,
                },
            )
        }
        Side::Oldest => {
            let end = (hour_of(window.end) + TimeDelta::hours(1)).min(widest.end);
            (
                Window { end, ..window },
                Window {
                    start: window.end,
                    end,
                },
            )
        }
    }
}
