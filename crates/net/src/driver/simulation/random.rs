//! Random numbers that are the same on every machine and in every version.

use std::ops::Range;
use std::time::Duration;

/// SplitMix64 of Steele, Lea and Flood: small, fast, and good enough to choose faults by.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A stream of its own for each purpose, so that a choice more or less for one does not move the
    /// choices for the others.
    pub(crate) fn new(seed: u64, purpose: u64) -> Random {
        let mut random = Random(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The high half of a product: no number is more likely than another by more than 2^-40 here.
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Whether something with this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what a double holds exactly.
        const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
        ((self.next() >> 11) as f64) * UNIT < probability
    }

    /// A time in `range`; its start where the range is empty.
    pub(crate) fn time(&mut self, range: &Range<Duration>) -> Duration {
        let span = range.end.saturating_sub(range.start).as_nanos() as u64;
        if span == 0 {
            return range.start;
        }
        range.start
            + Duration::from_nanos(((u128::from(self.next()) * u128::from(span)) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_were_published() {
        // The reference implementation's first numbers for the state 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut random = Random::new(1, 2);
        let range = Duration::from_millis(1)..Duration::from_millis(3);
        for bound in 1..1000 {
            assert!(random.below(bound) < bound);
            assert!(range.contains(&random.time(&range)));
        }
        assert_eq!(random.time(&(range.end..range.start)), range.end);
    }

    #[test]
    fn a_chance_is_as_likely_as_it_says() {
        let mut random = Random::new(7, 7);
        let hits = (0..100_000).filter(|_| random.chance(0.01)).count();
        assert!((800..1200).contains(&hits), "{hits}");
        assert!(!(0..1000).any(|_| random.chance(0.0)));
        assert!((0..1000).all(|_| random.chance(1.0)));
    }
}
