//! Which of the injected faults hit a request.

use std::time::Duration;

use crate::{
    dice::Dice,
    fault::{Fault, FaultKind, When},
};

/// The faults still to come.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    pending: Vec<Pending>,
    /// Requests that asked the queue so far.
    asked: u64,
}

#[derive(Debug)]
struct Pending {
    fault: Fault,
    injected_at: u64,
    used: u64,
    dice: Dice,
}

/// What one request suffers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Suffered {
    pub(crate) delay: Duration,
    pub(crate) shape: Option<FaultKind>,
}

impl FaultQueue {
    pub(crate) fn inject(&mut self, fault: Fault) {
        let seed = match fault.when {
            When::Chance { seed, .. } => seed,
            _ => 0,
        };
        self.pending.push(Pending {
            fault,
            injected_at: self.asked,
            used: 0,
            dice: Dice::new(seed, 0),
        });
    }

    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// The faults of the next request, which has this `offset`.
    pub(crate) fn next_request(&mut self, offset: i64) -> Suffered {
        self.asked += 1;
        let asked = self.asked;
        let mut suffered = Suffered::default();
        for pending in &mut self.pending {
            let kind = &pending.fault.kind;
            if (!kind.is_delay() && suffered.shape.is_some()) || !pending.hits(asked, offset) {
                continue;
            }
            pending.used += 1;
            match &pending.fault.kind {
                FaultKind::Latency(delay) => suffered.delay += *delay,
                shape => suffered.shape = Some(shape.clone()),
            }
        }
        self.pending.retain(|pending| !pending.is_used_up(asked));
        suffered
    }
}

impl Pending {
    fn hits(&mut self, asked: u64, offset: i64) -> bool {
        match self.fault.when {
            When::Nth(n) => asked - self.injected_at == n,
            When::Next(_) | When::Always => true,
            When::Chance { probability, .. } => self.dice.unit() < probability,
            When::Offset { offset: wanted, .. } => offset == wanted,
        }
    }

    const fn is_used_up(&self, asked: u64) -> bool {
        match self.fault.when {
            When::Nth(n) => asked - self.injected_at >= n,
            When::Next(n) | When::Offset { times: n, .. } => self.used >= n,
            When::Always | When::Chance { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(queue: &mut FaultQueue, offsets: &[i64]) -> Vec<&'static str> {
        offsets
            .iter()
            .map(|o| queue.next_request(*o).shape.map_or("-", |kind| kind.name()))
            .collect()
    }

    #[test]
    fn faults_for_the_next_requests_follow_one_another() {
        let mut queue = FaultQueue::default();
        queue.inject(Fault::times(2, FaultKind::status(500)));
        queue.inject(Fault::next(FaultKind::ResetInBody));
        assert_eq!(
            names(&mut queue, &[0; 4]),
            ["status", "status", "reset_in_body", "-"]
        );
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_fault_waits_for_its_request() {
        let mut queue = FaultQueue::default();
        assert_eq!(names(&mut queue, &[0]), ["-"]);
        queue.inject(Fault::nth(3, FaultKind::ResetInBody));
        queue.inject(Fault::at_offset(7, FaultKind::status(500)));
        assert_eq!(
            names(&mut queue, &[0, 7, 7, 7]),
            ["-", "status", "reset_in_body", "-"]
        );
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn chance_draws_the_same_for_the_same_seed() {
        let draw = || {
            let mut queue = FaultQueue::default();
            let when = When::Chance {
                probability: 0.3,
                seed: 4,
            };
            queue.inject(Fault {
                when,
                kind: FaultKind::ResetInBody,
            });
            names(&mut queue, &[0; 1000])
        };
        let hits = draw().iter().filter(|name| **name != "-").count();
        assert!((200..400).contains(&hits), "{hits}");
        assert_eq!(draw(), draw());
    }

    #[test]
    fn a_delay_combines_with_another_fault() {
        let mut queue = FaultQueue::default();
        queue.inject(Fault::always(FaultKind::Latency(Duration::from_secs(2))));
        queue.inject(Fault::next(FaultKind::ResetInBody));
        let both = Suffered {
            delay: Duration::from_secs(2),
            shape: Some(FaultKind::ResetInBody),
        };
        assert_eq!(queue.next_request(0), both);
        assert_eq!(
            queue.next_request(0),
            Suffered {
                delay: Duration::from_secs(2),
                shape: None
            }
        );
    }
}
