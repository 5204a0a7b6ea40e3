//! Which descriptors are registered, by their numbers.

#[cfg(windows)]
use std::collections::HashSet;

use crate::source::Number;

/// A set of descriptors' numbers. Unix gives the lowest number that is free, so there a bit for each up to
/// the highest takes less memory than anything else, and a few instructions.
#[cfg(unix)]
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    words: Vec<u64>,
}

#[cfg(unix)]
impl Numbers {
    pub(crate) fn contains(&self, number: Number) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|bits| bits & bit != 0)
    }

    pub(crate) fn insert(&mut self, number: Number) {
        let (word, bit) = place(number);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= bit;
    }

    pub(crate) fn remove(&mut self, number: Number) {
        let (word, bit) = place(number);
        if let Some(bits) = self.words.get_mut(word) {
            *bits &= !bit;
        }
    }
}

/// The word of a number, and its bit in there. Numbers of open descriptors are not negative.
#[cfg(unix)]
fn place(number: Number) -> (usize, u64) {
    let number = number as u32;
    ((number / u64::BITS) as usize, 1 << (number % u64::BITS))
}

/// A set of sockets' numbers, which may be any.
#[cfg(windows)]
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashSet<Number>);

#[cfg(windows)]
impl Numbers {
    pub(crate) fn contains(&self, number: Number) -> bool {
        self.0.contains(&number)
    }

    pub(crate) fn insert(&mut self, number: Number) {
        self.0.insert(number);
    }

    pub(crate) fn remove(&mut self, number: Number) {
        self.0.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_is_a_set() {
        let (mut numbers, mut model) = (Numbers::default(), BTreeSet::new());
        let mut random = 1_u64;
        for _ in 0..10_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = (random >> 33) as Number % 200;
            if random >> 32 & 1 == 0 {
                numbers.insert(number);
                model.insert(number);
            } else {
                numbers.remove(number);
                model.remove(&number);
            }
            assert!((0..300).all(|number| numbers.contains(number) == model.contains(&number)));
        }
    }
}
