//! Which records answer a request, and in which order: the knobs on basis, end, order and paging.

use crate::{
    dice::mix,
    filter::Filters,
    options::{Basis, Behaviour, End, OffsetUnit, Order},
    store::{Record, Store},
};

/// A range of time and what narrows it. Milliseconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Query<'a> {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) filters: &'a Filters,
    pub(crate) now: i64,
    /// Differs for every request; only a reshuffling server looks at it.
    pub(crate) request: u64,
}

/// The slots of all records of the range, in the order of this request.
pub(crate) fn select(store: &Store, behaviour: &Behaviour, query: &Query<'_>) -> Vec<u32> {
    let last = match behaviour.end {
        End::Inclusive => query.to,
        End::Exclusive => query.to - 1,
    };
    let candidates: Vec<u32> = match behaviour.basis {
        Basis::Start => store.started(query.from, last).collect(),
        Basis::End => store.ended(query.from, last).collect(),
        Basis::Overlap => store.may_overlap(query.from, last).collect(),
    };
    let mut slots: Vec<u32> = candidates
        .into_iter()
        .filter(|slot| is_visible(store, behaviour, query, *slot))
        .filter(|slot| {
            query.filters.is_empty() || store.record(*slot).is_some_and(|r| query.filters.admit(r))
        })
        .collect();
    arrange(&mut slots, store, behaviour.order, query.request);
    slots
}

/// The page of a request, of each kind of record or of all together.
pub(crate) fn pages(
    store: &Store,
    behaviour: &Behaviour,
    slots: &[u32],
    (offset, limit): (usize, usize),
) -> Vec<u32> {
    let limit = behaviour.quirks.page_cap.map_or(limit, |cap| limit.min(cap));
    let of = |slots: &[u32]| page(slots, behaviour.offset_unit, offset, limit).to_vec();
    if !behaviour.quirks.both_kinds {
        return of(slots);
    }
    let (conversations, others): (Vec<u32>, Vec<u32>) =
        slots.iter().partition(|slot| is_conversation(store, **slot));
    [of(&others), of(&conversations)].concat()
}

fn is_conversation(store: &Store, slot: u32) -> bool {
    matches!(store.record(slot), Some(Record::Typed(it)) if it.conversation.is_some())
}

/// A page of these. An offset counts pages or records.
fn page(slots: &[u32], unit: OffsetUnit, offset: usize, limit: usize) -> &[u32] {
    let skip = match unit {
        OffsetUnit::Pages => offset.saturating_mul(limit),
        OffsetUnit::Records => offset,
    };
    let rest = slots.get(skip..).unwrap_or_default();
    &rest[..rest.len().min(limit)]
}

fn is_visible(store: &Store, behaviour: &Behaviour, query: &Query<'_>, slot: u32) -> bool {
    let entry = store.entry(slot);
    let ended = entry.ended_by(query.now);
    let in_range = match behaviour.basis {
        Basis::Start => true,
        Basis::End => ended.is_some(),
        Basis::Overlap => ended.unwrap_or(query.now) >= query.from,
    };
    let is_published = behaviour.publish_delay.is_zero()
        || ended.is_some_and(|end| end + behaviour.publish_delay.num_milliseconds() <= query.now);
    entry.start <= query.now
        && in_range
        && (behaviour.open_sessions || ended.is_some())
        && is_published
        && !behaviour.empty_answers
}

fn arrange(slots: &mut [u32], store: &Store, order: Order, request: u64) {
    match order {
        Order::Ascending => slots.sort_unstable_by_key(|slot| (store.entry(*slot).start, *slot)),
        Order::Descending => {
            slots.sort_unstable_by_key(|slot| (store.entry(*slot).start, *slot));
            slots.reverse();
        }
        Order::Unordered => slots.sort_unstable_by_key(|slot| (store.entry(*slot).shuffle, *slot)),
        Order::TwoSources => slots.sort_unstable_by_key(|slot| {
            let start = store.entry(*slot).start;
            let is_conversation = is_conversation(store, *slot);
            (
                is_conversation,
                if is_conversation { -start } else { start },
                *slot,
            )
        }),
        Order::Reshuffled => {
            slots.sort_unstable_by_key(|slot| (mix(store.entry(*slot).shuffle ^ mix(request)), *slot));
        }
    }
}
