//! Tests with a short range whether the API honours ranges: in a long one records may lie by chance.

use chrono::TimeDelta;
use tracing::debug;

use crate::extract::{ApiError, Narrowing, PAGE_SIZE};
use crate::telemetry::chain;
use crate::time::window::Window;

use super::drain::{Reader, Slice};
use super::inside::Places;
use super::pass::Pass;
use super::traits::Range;

const TELLING_WINDOW: TimeDelta = TimeDelta::hours(1);

/// Some servers refuse a range of one second.
const STRETCHES: [TimeDelta; 3] = [TimeDelta::seconds(1), TimeDelta::minutes(1), TELLING_WINDOW];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    Kept,
    Ignored,
    Unknown,
}

impl Reader<'_> {
    /// Tested once per run, as the API may change.
    pub(super) async fn keeping(
        &self,
        slice: &Slice,
        pass: &Pass,
        places: Places,
    ) -> Result<Keeping, ApiError> {
        let is_long = slice.window.end - slice.window.start > TELLING_WINDOW;
        let is_telling = !is_long && places.outside == 0;
        let is_known = self.traits.get().range == Some(Range::Kept);
        if is_known || is_telling || pass.records == 0 || slice.narrowing != Narrowing::NONE {
            return Ok(Keeping::Kept);
        }
        let mut keeping = self.keeping_at(slice, Side::Start).await?;
        if keeping == Keeping::Ignored && places.outside == 1 {
            // The odd record may lie in this second.
            keeping = self.keeping_at(slice, Side::End).await?;
        }
        if keeping == Keeping::Kept {
            self.traits.learn(|traits| traits.range = Some(Range::Kept));
        }
        Ok(keeping)
    }

    async fn keeping_at(&self, slice: &Slice, side: Side) -> Result<Keeping, ApiError> {
        let mut failure = None;
        for length in STRETCHES {
            let stretch = side.of(slice.window, length);
            let asked = Slice {
                window: stretch,
                ..slice.clone()
            };
            match self.page(&asked, 0, PAGE_SIZE).await {
                Ok(page) => {
                    let mut shown = Pass::default();
                    self.add(&mut shown, &page);
                    let places = Places::of(stretch, shown.rows.interactions.values());
                    return Ok(if places.outside == 0 {
                        Keeping::Kept
                    } else {
                        Keeping::Ignored
                    });
                }
                Err(
                    error @ (ApiError::Unaccepted { .. }
                    | ApiError::Message
                    | ApiError::ErrorObjects
                    | ApiError::ServerFault { .. }),
                ) => {
                    debug!(stretch = %stretch, error = %chain(&error), "a short range is not answered, asking for a longer one");
                    failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match failure {
            Some(error @ ApiError::ServerFault { .. }) => Err(error),
            _ => Ok(Keeping::Unknown),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Start,
    End,
}

impl Side {
    fn of(self, window: Window, length: TimeDelta) -> Window {
        match self {
            Self::Start => Window {
                end: window.start + length,
                ..window
            },
            Self::End => Window {
                start: window.end - length,
                ..window
            },
        }
    }
}
