//! Chance with a memory: the same seed throws the same dice, on every machine and in every order.

/// A stream of random numbers (splitmix64, Steele, Lea and Flood 2014).
///
/// Streams are named: pupil 17 gets the same dice whether or not pupil 16 was looked at, so a
/// population needs no memory and can be read twice, in parts, or backwards.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

/// The increment of splitmix64: 2^64 divided by the golden ratio, made odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dice {
    /// The dice of one stream: what it is for, and whose it is.
    pub fn of(seed: u64, purpose: u64, whose: usize) -> Self {
        let named = mix(seed.wrapping_add(mix(purpose.wrapping_add(GOLDEN))));
        Self {
            state: mix(named.wrapping_add(mix(wide(whose).wrapping_add(GOLDEN)))),
        }
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.roll()).wrapping_mul(u128::from(wide(bound)));
        usize::try_from(product >> 64).unwrap_or_default()
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: usize, most: usize) -> usize {
        let span = most.saturating_sub(least).saturating_add(1);
        least.saturating_add(self.below(span))
    }

    /// True in `per_mille` of 1,000 cases.
    pub fn chance(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    /// One of them, or the fallback when there is none.
    pub fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        from.get(self.below(from.len())).copied().unwrap_or(otherwise)
    }

    /// How many throws of a coin that lands in 1 of `mean` cases it takes, at most `cap`: the
    /// exponential distribution in whole numbers, so that no rounding of a logarithm differs
    /// between machines.
    pub fn waiting(&mut self, mean: usize, cap: usize) -> usize {
        let mut throws = 1;
        while throws < cap && self.below(mean) != 0 {
            throws += 1;
        }
        throws
    }
}

/// A count as 64 bits.
pub(crate) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_the_published_numbers() {
        // The reference implementation (Vigna, splitmix64.c) with state 0.
        let mut dice = Dice { state: 0 };
        assert_eq!(dice.roll(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(dice.roll(), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(dice.roll(), 0x06c4_5d18_8009_454f);
    }

    #[test]
    fn streams_differ_and_repeat() {
        let first = |seed, purpose, whose| Dice::of(seed, purpose, whose).roll();
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        assert_ne!(first(1, 2, 3), first(1, 3, 2));
        assert_ne!(first(1, 2, 3), first(2, 2, 3));
    }

    #[test]
    fn every_face_comes_up() {
        let mut dice = Dice::of(7, 0, 0);
        let mut seen = [0; 6];
        for _ in 0..6000 {
            seen[dice.between(1, 6) - 1] += 1;
        }
        assert!(seen.iter().all(|&times| (850..1150).contains(&times)), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }
}
