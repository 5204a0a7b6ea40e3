//! Iterators as generators, and generators as iterators.

use core::iter::FusedIterator;
use core::pin::Pin;

use crate::{Gen, Generator, Resumable, State, Step};

/// An iterator as a generator that takes nothing and returns nothing.
///
/// ```
/// use core::pin::pin;
/// use generator::{Resumable, Step, from_iter};
///
/// let mut g = pin!(from_iter("any".chars()));
/// assert_eq!(g.as_mut().resume(()), Step::Yielded('a'));
/// ```
pub fn from_iter<I: IntoIterator>(items: I) -> Gen<impl Future<Output = ()>, I::Item> {
    Gen::new(async |co| {
        for item in items {
            co.yield_(item).await;
        }
    })
}

/// Any state machine that takes nothing, as an iterator over what it yields.
///
/// For machines that are not [`Gen`], which is an iterator itself when pinned: machines written by hand, and those
/// behind `dyn`. The return value is dropped, and so is the machine when it ends.
///
/// ```
/// use generator::{Gen, Iter, Resumable, from_iter};
///
/// type Numbers = std::pin::Pin<Box<dyn Resumable<Yield = u32, Return = ()>>>;
///
/// let count: Numbers = Box::pin(from_iter(0..3));
/// let squares: Numbers = Box::pin(Gen::new(|co| async move {
///     for n in 0..3 {
///         co.yield_(n * n).await;
///     }
/// }));
/// let pairs: Vec<_> = Iter::new(count).zip(Iter::new(squares)).collect();
/// assert_eq!(pairs, [(0, 0), (1, 1), (2, 4)]);
/// ```
#[derive(Clone, Debug)]
pub struct Iter<G> {
    /// None once it has ended.
    machine: Option<G>,
}

impl<G: Resumable + Unpin> Iter<G> {
    /// Wraps `machine`, mostly a `Pin<Box<_>>` or a `Pin<&mut _>`.
    pub fn new(machine: G) -> Iter<G> {
        Iter { machine: Some(machine) }
    }
}

impl<G: Resumable + Unpin> Iterator for Iter<G> {
    type Item = G::Yield;

    #[inline]
    fn next(&mut self) -> Option<G::Yield> {
        let step = Pin::new(self.machine.as_mut()?).resume(());
        if matches!(step, Step::Complete(_)) {
            self.machine = None;
        }
        step.yielded()
    }
}

impl<G: Resumable + Unpin> FusedIterator for Iter<G> {}

impl<F: Future + Unpin, Y> Iterator for Gen<F, Y> {
    type Item = Y;

    #[inline]
    fn next(&mut self) -> Option<Y> {
        next(Pin::new(self))
    }
}

impl<F: Future + Unpin, Y> FusedIterator for Gen<F, Y> {}

impl<F: Future, Y> Iterator for Pin<&mut Gen<F, Y>> {
    type Item = Y;

    #[inline]
    fn next(&mut self) -> Option<Y> {
        next(self.as_mut())
    }
}

impl<F: Future, Y> FusedIterator for Pin<&mut Gen<F, Y>> {}

#[cfg(feature = "alloc")]
impl<F: Future, Y> Iterator for Pin<alloc::boxed::Box<Gen<F, Y>>> {
    type Item = Y;

    #[inline]
    fn next(&mut self) -> Option<Y> {
        next(self.as_mut())
    }
}

#[cfg(feature = "alloc")]
impl<F: Future, Y> FusedIterator for Pin<alloc::boxed::Box<Gen<F, Y>>> {}

#[inline]
fn next<F: Future, Y>(generator: Pin<&mut Gen<F, Y>>) -> Option<Y> {
    match generator.state() {
        State::Closed => None,
        _ => generator.resume(()).yielded(),
    }
}
