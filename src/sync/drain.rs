//! Reads a window until it adds up: no record came twice, and a last page or the total proves the end. After
//! a page shift it is read again.

use tracing::warn;

use crate::extract::{ApiClient, ApiError, Narrowing, Priority, Tally};
use crate::time::window::Window;
use crate::transform::privacy::Policy;

use super::inside::Places;
use super::kept::Keeping;
use super::pass::{End, Pass, Rows};
use super::traits::{ApiTraits, NumResults, OffsetUnit, Range, SharedTraits};

const READS: usize = 3;

#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) window: Window,
    pub(super) narrowing: Narrowing,
    pub(super) priority: Priority,
    pub(super) is_probe: bool,
    pub(super) expected: f64,
}

impl Slice {
    pub(super) fn part(&self, window: Window) -> Self {
        Self {
            window,
            is_probe: false,
            expected: 0.0,
            ..self.clone()
        }
    }

    pub(super) fn expects_more_than(&self, records: usize) -> bool {
        super::density::count(records as u64) * 2.0 < self.expected
    }
}

#[derive(Debug)]
pub(super) struct Reading {
    pub(super) verdict: Verdict,
    pub(super) rows: Rows,
    pub(super) distinct_records: u64,
    pub(super) reported_total: Option<u64>,
    /// The part that alone holds elements without an id.
    pub(super) strays_in: Option<Window>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Drained,
    /// More records than the API shows.
    Overflow,
    /// Page shift on every read.
    Drift,
    /// The API ignores the range.
    Elsewhere,
    /// Elements without an id may stand for records.
    Strays,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("a request failed")]
    Api(#[from] ApiError),
    #[error("the API reports {total} records and shows none")]
    Withheld { total: u64 },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) api: &'a ApiClient,
    pub(super) traits: &'a SharedTraits,
    pub(super) policy: &'a Policy,
    pub(super) tally: &'a Tally,
}

impl Reader<'_> {
    pub(super) async fn read(&self, slice: &Slice) -> Result<Reading, ReadError> {
        let mut before: Option<Pass> = None;
        for attempt in 1..=READS {
            let pass = self.pass(slice).await?;
            let places = Places::of(slice.window, pass.rows.interactions.values());
            if places.are_elsewhere() {
                warn!(
                    attempt,
                    records = places.records,
                    outside = places.outside,
                    "records lie outside of the window"
                );
                let is_habit = self.traits.get().range == Some(Range::Ignored) || before.is_some();
                if is_habit {
                    return Ok(Reading::of(pass, Verdict::Elsewhere));
                }
                before = Some(pass);
                continue;
            }
            if pass.end == Some(End::Beyond) || pass.is_too_large() {
                return Ok(Reading::of(pass, Verdict::Overflow));
            }
            if pass.adds_up() || before.as_ref().is_some_and(|before| pass.confirms_twins(before)) {
                return Box::pin(self.drained(slice, pass, places)).await;
            }
            if pass.is_cut_off() {
                return match Box::pin(self.cut_off(slice, &pass)).await? {
                    Verdict::Drained => Box::pin(self.drained(slice, pass, places)).await,
                    verdict => Ok(Reading::of(pass, verdict)),
                };
            }
            match self.ended_twice(&pass, before.as_ref())? {
                Some(Verdict::Drained) => return Box::pin(self.drained(slice, pass, places)).await,
                Some(verdict) => return Ok(Reading::of(pass, verdict)),
                None => {}
            }
            warn!(
                attempt,
                records = pass.records,
                distinct_records = pass.distinct(),
                reported_total = pass.total,
                elements_without_id = pass.rows.strays.len(),
                "window does not add up"
            );
            let may_be_confirmed = pass.end == Some(End::Exhausted) || pass.may_hide_records();
            before = Some(pass);
            if self.traits.get().pages() == 1 && !may_be_confirmed {
                break;
            }
        }
        self.traits.learn(ApiTraits::see_drift);
        Ok(Reading::of(before.unwrap_or_default(), Verdict::Drift))
    }

    async fn drained(&self, slice: &Slice, pass: Pass, places: Places) -> Result<Reading, ReadError> {
        match self.keeping(slice, &pass, places).await? {
            Keeping::Kept => {}
            Keeping::Ignored => return Ok(Reading::of(pass, Verdict::Elsewhere)),
            Keeping::Unknown => return Ok(Reading::of(pass, Verdict::Drift)),
        }
        if places.outside > 0 {
            warn!(
                records = places.records,
                outside = places.outside,
                "some records lie outside of the window"
            );
        }
        let interactions = pass.contradictions();
        if interactions > 0 {
            warn!(
                interactions,
                remedy = "the version that ends last is stored; ask the vendor which one counts",
                "the API returns interactions in several versions at once"
            );
        }
        if matches!(pass.end, Some(End::Short | End::Counted)) {
            self.traits.learn(|traits| learn_from(traits, &pass));
        }
        Ok(Reading::of(pass, Verdict::Drained))
    }

    async fn cut_off(&self, slice: &Slice, pass: &Pass) -> Result<Verdict, ReadError> {
        if self.holds_more(slice, pass).await? {
            return Ok(Verdict::Overflow);
        }
        Ok(match pass.total {
            Some(_) => self.is_no_total(pass),
            None => Verdict::Drained,
        })
    }

    fn ended_twice(&self, pass: &Pass, before: Option<&Pass>) -> Result<Option<Verdict>, ReadError> {
        let confirms = |how: fn(&Pass, &Pass) -> bool| before.is_some_and(|before| how(pass, before));
        if pass.may_hide_records() && confirms(|_, before| before.may_hide_records()) {
            return Ok(Some(Verdict::Strays));
        }
        if confirms(Pass::confirms_exhausted) {
            return Ok(Some(self.exhausted(pass)));
        }
        if confirms(|pass, before| pass.exceeds.is_some() && before.exceeds.is_some()) {
            self.exceeded(pass);
        }
        match pass.total.filter(|_| pass.is_withheld()) {
            Some(total) => Err(ReadError::Withheld { total }),
            None => Ok(None),
        }
    }

    fn exhausted(&self, pass: &Pass) -> Verdict {
        if let Some(page) = pass.stops_after_full_page() {
            self.traits.learn(|traits| traits.see_refused(page));
            return Verdict::Overflow;
        }
        self.is_no_total(pass)
    }

    fn is_no_total(&self, pass: &Pass) -> Verdict {
        if self.traits.get().totals_add_up {
            // Totals were reliable: the API holds records back.
            return Verdict::Drift;
        }
        warn!(
            reported = pass.total,
            records = pass.records,
            "numResults is not the number of records"
        );
        self.traits
            .learn(|traits| traits.num_results = Some(NumResults::Other));
        Verdict::Drained
    }

    fn exceeded(&self, pass: &Pass) {
        warn!(
            reported = pass.exceeds,
            records = pass.records,
            "numResults is not the number of records"
        );
        let may_be_page = pass.exceeds == Some(pass.longest() as u64);
        self.traits.learn(|traits| traits.see_false_total(may_be_page));
    }
}

fn learn_from(traits: &mut ApiTraits, pass: &Pass) {
    if traits.is_unsteady() && pass.records > 0 {
        traits.see_steady();
    }
    let Some(last) = pass.last_with_records().filter(|last| *last > 0) else {
        return;
    };
    traits.drifts_in_a_row = 0;
    traits.vain_pages_in_a_row = 0;
    traits.offset_unit.get_or_insert(OffsetUnit::Pages);
    traits.deepest_page = traits.deepest_page.max(last);
    match pass.total {
        Some(_) => traits.totals_add_up = true,
        None if traits.num_results == Some(NumResults::Other) && pass.reported == Some(pass.distinct()) => {
            traits.num_results = Some(NumResults::Total);
        }
        None if traits.num_results.is_none() => traits.num_results = Some(NumResults::Page),
        None => {}
    }
}

impl Reading {
    pub(super) fn nothing() -> Self {
        Self::of(Pass::default(), Verdict::Overflow)
    }

    fn of(pass: Pass, verdict: Verdict) -> Self {
        Self {
            verdict,
            distinct_records: pass.distinct(),
            reported_total: pass.total,
            strays_in: None,
            rows: pass.rows,
        }
    }
}
