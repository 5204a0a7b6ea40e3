//! Iterators as generators, and generators as iterators.

use core::iter::FusedIterator;
use core::pin::Pin;

use crate::{Gen, Generator, Refused, Resumable, State, Step};

/// An iterator as a generator that takes nothing and returns nothing.
///
/// ```
/// use core::pin::Pin;
/// use generator::{FromIter, Resumable, Step};
///
/// let mut g = FromIter::new("any".chars());
/// assert_eq!(Pin::new(&mut g).resume(()), Step::Yielded('a'));
/// ```
#[derive(Clone, Debug)]
pub struct FromIter<I> {
    /// None once it is closed.
    items: Option<I>,
    started: bool,
}

impl<I: Iterator> FromIter<I> {
    /// Wraps the iterator of `items`.
    pub fn new(items: impl IntoIterator<IntoIter = I>) -> FromIter<I> {
        FromIter {
            items: Some(items.into_iter()),
            started: false,
        }
    }
}

/// The iterator in it is never pinned.
impl<I> Unpin for FromIter<I> {}

impl<I: Iterator> Resumable for FromIter<I> {
    type Yield = I::Item;
    type Return = ();

    /// Takes the next item, or drops the iterator at its end.
    ///
    /// # Panics
    ///
    /// When it is closed; when the iterator panics, which closes it.
    fn resume(mut self: Pin<&mut Self>, (): ()) -> Step<I::Item, ()> {
        self.started = true;
        // Taken out for the call, so that a panic leaves the generator closed.
        let Some(mut items) = self.items.take() else {
            panic!(
                "a closed generator was resumed: its iterator came to an end, panicked or was closed"
            )
        };
        match items.next() {
            Some(item) => {
                self.items = Some(items);
                Step::Yielded(item)
            }
            None => Step::Complete(()),
        }
    }
}

impl<I: Iterator> Generator for FromIter<I> {
    fn state(&self) -> State {
        match self.items {
            None => State::Closed,
            Some(_) if self.started => State::Suspended,
            Some(_) => State::Created,
        }
    }

    fn start(self: Pin<&mut Self>) -> Result<Step<I::Item, ()>, Refused<()>> {
        match self.state() {
            State::Created => Ok(self.resume(())),
            state => Err(Refused::new((), state)),
        }
    }

    fn close(mut self: Pin<&mut Self>) {
        self.items = None;
    }
}

/// Any state machine that takes nothing, as an iterator over what it yields.
///
/// For machines that are not [`Gen`], which is an iterator itself when pinned: machines written by hand, and those
/// behind `dyn`. The return value is dropped, and so is the machine when it ends.
///
/// ```
/// use generator::{FromIter, Gen, Iter, Resumable};
///
/// type Numbers = std::pin::Pin<Box<dyn Resumable<Yield = u32, Return = ()>>>;
///
/// let count: Numbers = Box::pin(FromIter::new(0..3));
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
        Iter {
            machine: Some(machine),
        }
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
