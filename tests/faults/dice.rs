//! Chance that can be repeated: whatever a seed did, it does again.

use std::ops::Range;

/// A source of numbers (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    /// From the variable `SEED`, else from the time. The seed is printed: a test that fails shows it.
    pub(super) fn seeded() -> Self {
        let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| crate::support::real_now().timestamp_subsec_nanos().into());
        println!("seed {seed}; SEED={seed} in the environment repeats it");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let last = u64::try_from(of.len()).unwrap();
        &of[usize::try_from(self.within(0..last)).unwrap()]
    }
}
