//! Generators that take turns.

use std::collections::VecDeque;
use std::pin::Pin;

use generator::{Resumable, Step};

/// Resumes generators in turn, as an iterator over what they yield, with the number of each.
///
/// Between two turns of a generator every other one that is left has exactly one. Numbers count the
/// generators from 0 in the order in which they were pushed. What they return at their end is kept for
/// [`finished`](RoundRobin::finished). One that panics is dropped and its panic goes on to the caller;
/// the others are not touched.
///
/// A generator that must not move is pushed as `Box::pin(generator)`; different ones together as
/// `Pin<Box<dyn Resumable<Yield = Y, Return = T>>>`.
///
/// ```
/// use std::pin::Pin;
/// use generator::{Resumable, Step};
/// use sched::RoundRobin;
///
/// struct Letters(std::str::Chars<'static>);
///
/// impl Resumable for Letters {
///     type Yield = char;
///     type Return = ();
///     fn resume(mut self: Pin<&mut Self>, _: ()) -> Step<char, ()> {
///         self.0.next().map_or(Step::Complete(()), Step::Yielded)
///     }
/// }
///
/// let tasks = RoundRobin::from_iter([Letters("abc".chars()), Letters("xy".chars())]);
/// let text: String = tasks.map(|(_, letter)| letter).collect();
/// assert_eq!(text, "axbyc");
/// ```
#[derive(Debug)]
pub struct RoundRobin<G: Resumable> {
    turns: VecDeque<(usize, G)>,
    finished: VecDeque<(usize, G::Return)>,
    pushed: usize,
}

impl<G: Resumable> RoundRobin<G> {
    /// Makes one without generators.
    pub const fn new() -> RoundRobin<G> {
        RoundRobin { turns: VecDeque::new(), finished: VecDeque::new(), pushed: 0 }
    }

    /// Adds a generator, whose first turn comes after those of all others, and gives its number.
    pub fn push(&mut self, generator: G) -> usize {
        let number = self.pushed;
        self.pushed += 1;
        self.turns.push_back((number, generator));
        number
    }

    /// Takes out what generators have returned since the last call, in the order in which they ended.
    pub fn finished(&mut self) -> impl Iterator<Item = (usize, G::Return)> {
        self.finished.drain(..)
    }

    /// How many generators have not ended.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether all generators have ended.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

impl<G: Resumable + Unpin> Iterator for RoundRobin<G> {
    type Item = (usize, G::Yield);

    fn next(&mut self) -> Option<(usize, G::Yield)> {
        loop {
            let (number, mut generator) = self.turns.pop_front()?;
            match Pin::new(&mut generator).resume(()) {
                Step::Yielded(value) => {
                    self.turns.push_back((number, generator));
                    return Some((number, value));
                }
                Step::Complete(value) => self.finished.push_back((number, value)),
            }
        }
    }
}

impl<G: Resumable> Extend<G> for RoundRobin<G> {
    fn extend<I: IntoIterator<Item = G>>(&mut self, generators: I) {
        for generator in generators {
            self.push(generator);
        }
    }
}

impl<G: Resumable> FromIterator<G> for RoundRobin<G> {
    fn from_iter<I: IntoIterator<Item = G>>(generators: I) -> RoundRobin<G> {
        let mut turns = RoundRobin::new();
        turns.extend(generators);
        turns
    }
}

impl<G: Resumable> Default for RoundRobin<G> {
    fn default() -> RoundRobin<G> {
        RoundRobin::new()
    }
}
