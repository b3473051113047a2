//! Cutting what is wanted into windows. Pure.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::window::Window;

/// The longest window. The API allows seven days.
const LONGEST_WINDOW: TimeDelta = TimeDelta::days(1);

/// The instant up to which windows are read: a moment before now, since the API takes a moment
/// to show what has just begun. Whole seconds, as the API knows nothing finer.
pub(super) fn head(now: DateTime<Utc>, settle: std::time::Duration) -> DateTime<Utc> {
    let settle = TimeDelta::from_std(settle).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(settle)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .trunc_subsecs(0)
}

/// Windows that together are exactly `stretches`, in the same order.
pub(super) fn windows(stretches: &[Window]) -> Vec<Window> {
    stretches.iter().flat_map(|stretch| cut(*stretch)).collect()
}

fn cut(stretch: Window) -> impl Iterator<Item = Window> {
    let mut start = stretch.start;
    std::iter::from_fn(move || {
        (start < stretch.end).then(|| {
            let window = Window {
                start,
                end: stretch.end.min(start + LONGEST_WINDOW),
            };
            start = window.end;
            window
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[test]
    fn the_head_is_a_whole_second_before_now() {
        let now = at(1_000) + TimeDelta::milliseconds(900);
        assert_eq!(head(now, std::time::Duration::from_secs(120)), at(880));
    }

    proptest! {
        #[test]
        fn windows_are_the_stretches_without_a_hole_or_an_overlap(
            lengths in prop::collection::vec((1_i64..1_000_000, 0_i64..500_000), 0..5),
        ) {
            let mut begin = 0;
            let stretches: Vec<Window> = lengths
                .iter()
                .map(|(length, hole)| {
                    let stretch = Window { start: at(begin), end: at(begin + length) };
                    begin += length + hole;
                    stretch
                })
                .collect();
            let mut left = windows(&stretches).into_iter().peekable();
            for stretch in stretches {
                let mut reached = stretch.start;
                while reached < stretch.end {
                    let window = left.next().unwrap();
                    prop_assert_eq!(window.start, reached);
                    prop_assert!(window.end > window.start && window.end - window.start <= LONGEST_WINDOW);
                    reached = window.end;
                }
                prop_assert_eq!(reached, stretch.end);
            }
            prop_assert!(left.next().is_none());
        }
    }
}
