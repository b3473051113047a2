mod requests;

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;

use super::*;

use super::super::density::Density;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to))
}

const DAY: i64 = 86_400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listing {
    Unordered,
    Ascending,
    Descending,
    BothEnds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageDrift {
    Moves,
    Inserts,
    Removes,
}

type Record = (i64, usize);

#[derive(Debug, Clone)]
struct FakeApi {
    records: Vec<Record>,
    reach: u64,
    totals: bool,
    end_is_inclusive: bool,
    listing: Listing,
    drift: PageDrift,
    drifts_every: usize,
}

#[derive(Debug, Default)]
struct Driven {
    drained: Vec<Window>,
    gaps: Vec<Window>,
    seen: HashSet<usize>,
    requests: u64,
}

impl FakeApi {
    fn still(seconds: impl IntoIterator<Item = i64>, totals: bool) -> Self {
        Self {
            records: seconds.into_iter().zip(0..).collect(),
            reach: 1_100,
            totals,
            end_is_inclusive: true,
            listing: Listing::Unordered,
            drift: PageDrift::Moves,
            drifts_every: 0,
        }
    }

    fn answer(&self, window: Window) -> &[Record] {
        let (from, to) = (window.start.timestamp(), window.end.timestamp());
        let end = to + i64::from(self.end_is_inclusive);
        let place = |at: i64| self.records.partition_point(|(second, _)| *second < at);
        &self.records[place(from)..place(end)]
    }

    fn shift(&mut self, window: Window) {
        let (from, to) = (window.start.timestamp(), window.end.timestamp());
        let newest = self
            .records
            .iter()
            .rposition(|(second, _)| (from..to).contains(second));
        let Some(newest) = newest else {
            return;
        };
        match self.drift {
            PageDrift::Moves => self.records[newest].0 = from,
            PageDrift::Inserts => self.records.push((from + (to - from) / 2, self.records.len())),
            PageDrift::Removes => _ = self.records.remove(newest),
        }
        self.records.sort_unstable();
    }

    fn shown(&self, starts: &[DateTime<Utc>]) -> Vec<DateTime<Utc>> {
        let shown = if self.totals {
            100
        } else {
            usize::try_from(self.reach).unwrap()
        };
        let shown = shown.min(starts.len());
        match self.listing {
            Listing::Ascending => starts[..shown].to_vec(),
            Listing::Descending => starts[starts.len() - shown..].to_vec(),
            Listing::BothEnds => [&starts[..shown / 2], &starts[starts.len() - shown / 2..]].concat(),
            Listing::Unordered => {
                let step = (starts.len() / shown.max(1)).max(1);
                starts.iter().step_by(step).copied().collect()
            }
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            reach: self.reach,
            totals: self.totals,
            longest: None,
            time_zone_offset: -330,
        }
    }

    fn read(&mut self, planned: Planned, (queue, model): (&mut Queue, &mut Model), driven: &mut Driven) {
        let window = planned.window;
        let records = self.answer(window);
        let held = records.len() as u64;
        let pages = held / 100 + u64::from(!self.totals || !held.is_multiple_of(100) || held == 0);
        let starts: Vec<_> = records.iter().map(|(second, _)| at(*second)).collect();
        let is_beyond = held > self.reach || !self.totals && held == self.reach;
        let is_probe = planned.is_probe && !self.totals && held >= 100;
        let has_drifted =
            self.drifts_every > 0 && held > 100 && driven.drained.len().is_multiple_of(self.drifts_every);
        if !(is_beyond || is_probe && window.seconds() > 1 || has_drifted) {
            driven.requests += pages;
            model.drained(window, &starts);
            driven.drained.push(window);
            driven.seen.extend(records.iter().map(|(_, id)| id));
        } else if window.seconds() == 1 {
            driven.gaps.push(window);
        } else if is_beyond || is_probe {
            driven.requests += if self.totals || is_probe {
                1
            } else {
                self.reach / 100
            };
            queue.overflowed(model, planned, self.totals.then_some(held), &self.shown(&starts));
        } else {
            driven.requests += pages;
            queue.drifted(window);
            self.shift(window);
        }
    }

    fn drive(&mut self, wanted: &[Window], in_flight: usize, turns_every: usize) -> Driven {
        let mut model = Model::new(Density::default(), self.limits());
        let mut queue = Queue::of(wanted, &[], &model);
        let mut driven = Driven::default();
        let mut fetching = VecDeque::new();
        for step in 1_usize.. {
            assert!(step < 200_000, "it does not come to an end");
            while fetching.len() < in_flight {
                match queue.next(&model, fetching.len()) {
                    Some(planned) => fetching.push_back(planned),
                    None => break,
                }
            }
            let Some(planned) = fetching.pop_front() else {
                break;
            };
            self.read(planned, (&mut queue, &mut model), &mut driven);
            if turns_every > 0 && step.is_multiple_of(turns_every) {
                queue.turn_to_the_oldest();
            }
        }
        assert_eq!(queue.next(&model, 0), None);
        driven
    }
}

fn union(windows: impl IntoIterator<Item = Window>) -> Vec<Window> {
    let sorted: BTreeSet<Window> = windows.into_iter().collect();
    let mut union: Vec<Window> = Vec::new();
    for window in sorted {
        match union.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => union.push(window),
        }
    }
    union
}

fn records() -> impl Strategy<Value = Vec<i64>> {
    let spread = prop::collection::vec(0..20 * DAY, 0..4_000);
    let burst = (0..20 * DAY, 1_i64..5_000, 1_usize..2_500).prop_map(|(from, seconds, count)| {
        (0..count)
            .map(|n| from + i64::try_from(n).unwrap() % seconds)
            .collect::<Vec<_>>()
    });
    (spread, prop::collection::vec(burst, 0..4)).prop_map(|(mut all, bursts)| {
        all.extend(bursts.into_iter().flatten());
        all.sort_unstable();
        all
    })
}

fn model() -> impl Strategy<Value = FakeApi> {
    let reach = prop_oneof![3 => Just(1_100_u64), 1 => Just(100), 1 => Just(400)];
    let listing = prop::sample::select(vec![
        Listing::Unordered,
        Listing::Ascending,
        Listing::Descending,
        Listing::BothEnds,
    ]);
    let drift = prop::sample::select(vec![PageDrift::Moves, PageDrift::Inserts, PageDrift::Removes]);
    (
        records(),
        reach,
        any::<(bool, bool)>(),
        listing,
        drift,
        prop_oneof![Just(0_usize), 1_usize..9],
    )
        .prop_map(
            |(seconds, reach, (totals, end_is_inclusive), listing, drift, drifts_every)| FakeApi {
                reach,
                end_is_inclusive,
                listing,
                drift,
                drifts_every,
                ..FakeApi::still(seconds, totals)
            },
        )
}

fn wanted() -> impl Strategy<Value = Vec<Window>> {
    prop::collection::vec((1..4 * DAY, 1..3 * DAY), 1..6).prop_map(|lengths| {
        let mut begin = 0;
        lengths
            .into_iter()
            .map(|(length, hole)| {
                let stretch = window(begin, begin + length);
                begin += length + hole;
                stretch
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn windows_and_gaps_cover_the_wanted_ranges_exactly_once(
        mut model in model(),
        wanted in wanted(),
        in_flight in 1_usize..4,
        turns_every in prop_oneof![Just(0_usize), 1_usize..20],
    ) {
        let driven = model.drive(&wanted, in_flight, turns_every);
        let accounted = union(driven.drained.iter().chain(&driven.gaps).copied());
        for stretch in &wanted {
            prop_assert!(accounted.iter().any(|done| done.start <= stretch.start && stretch.end <= done.end));
        }
        let total: i64 = driven.drained.iter().chain(&driven.gaps).map(Window::seconds).sum();
        prop_assert_eq!(total, accounted.iter().map(Window::seconds).sum::<i64>(), "nothing is read twice");
        for window in &driven.drained {
            prop_assert!(!driven.gaps.iter().any(|gap| gap.start < window.end && window.start < gap.end));
        }
        for gap in &driven.gaps {
            prop_assert!(model.answer(*gap).len() as u64 >= 100.min(model.reach), "a gap has a reason");
        }
        let is_in = |windows: &[Window], second| windows.iter().any(|it| it.start <= second && second < it.end);
        for (second, id) in &model.records {
            let is_due = is_in(&wanted, at(*second)) && !is_in(&driven.gaps, at(*second));
            prop_assert!(!is_due || driven.seen.contains(id), "nobody saw {id}, of second {second}");
        }
    }

    #[test]
    fn no_window_is_longer_than_seven_days_or_seven_dates(
        wanted in wanted(),
        offset in (-56_i32..56).prop_map(|quarters| quarters * 15),
        turned in any::<bool>(),
    ) {
        let limits = Limits { reach: 1_100, totals: true, longest: None, time_zone_offset: offset };
        let mut model = Model::new(Density::default(), limits);
        let mut queue = Queue::of(&wanted, &[], &model);
        if turned {
            queue.turn_to_the_oldest();
        }
        while let Some(Planned { window, .. }) = queue.next(&model, 0) {
            prop_assert!(window.start < window.end && window.end - window.start <= TimeDelta::days(7));
            let date = |at: DateTime<Utc>| (at - TimeDelta::minutes(offset.into())).date_naive();
            let dates = (date(window.end - SECOND) - date(window.start)).num_days() + 1;
            prop_assert!(dates <= 7, "{window} lies on {dates} dates");
            model.drained(window, &[]);
        }
    }
}

#[test]
fn the_head_is_a_whole_second_before_now() {
    let now = at(1_000) + TimeDelta::milliseconds(900);
    assert_eq!(head(now, std::time::Duration::from_secs(120)), at(880));
}

#[test]
fn the_newest_stretch_is_read_first_and_from_its_newest_end() {
    let mut model = FakeApi::still((0..20 * DAY).step_by(60), true);
    let driven = model.drive(&[window(0, 5 * DAY), window(10 * DAY, 20 * DAY)], 1, 0);
    assert!(
        driven
            .drained
            .is_sorted_by(|newer, older| newer.start >= older.end)
    );
}

#[test]
fn what_hardly_holds_anything_is_read_along_but_no_gap() {
    let mut density = Density::default();
    density.observe_count(window(0, DAY), 10);
    let limits = Limits {
        reach: 1_100,
        totals: true,
        longest: None,
        time_zone_offset: 0,
    };
    let wanted = [window(0, 3_600), window(3_601, 7_200)];
    let windows = |gaps: &[Window]| {
        let model = Model::new(density.clone(), limits);
        let mut queue = Queue::of(&wanted, gaps, &model);
        let mut windows = Vec::new();
        while let Some(planned) = queue.next(&model, 0) {
            windows.push(planned.window);
        }
        windows.sort_unstable();
        windows
    };
    assert_eq!(windows(&[]), [window(0, 7_200)]);
    assert_eq!(windows(&[window(3_600, 3_601)]), wanted);
}

#[test]
fn years_hold_what_their_days_hold() {
    let mut density = Density::default();
    for (hour, records) in [(2, 400), (9, 3), (30, 70), (130, 9)] {
        density.observe_count(window(hour * 3_600, (hour + 1) * 3_600), records);
    }
    let (from, days) = (1_234, 3_650);
    let of_day = |day: i64| density.expected(window(from + day * DAY, from + (day + 1) * DAY));
    let by_day: f64 = (0..days).map(|day| of_day(day).records).sum();
    let at_once = density.expected(window(from, from + days * DAY)).records;
    assert!((at_once / by_day - 1.0).abs() < 1e-9, "{at_once} {by_day}");
}
