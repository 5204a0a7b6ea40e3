//! The airlock: the place on the stack of a resume where values change hands with the body.
//!
//! A resume puts the sent value into an [`Airlock`] in its own stack frame and polls the body with a waker whose
//! data pointer is the airlock's address. A yield inside the body gets that waker from its context and reaches
//! the airlock through it. Nothing is allocated, and the generator holds no pointer to itself.
//!
//! A waker is a public thing, so a yield may meet any waker, and any yield may meet ours. Two checks make the
//! cast sound, in this order:
//!
//! 1. The waker's table is [`TABLE`]. Then its data points to a live airlock *of some generator*: only
//!    [`Airlock::admit`] makes such wakers, hands them out by reference for the length of one poll, and a clone
//!    of them carries another table.
//! 2. The airlock's number equals the number in the yield's [`Key`]. Numbers are never reused, and all keys of a
//!    number have the same type and stay on one thread, so it is *this* generator's airlock, with these
//!    types, on this thread.
//!
//! The second check cannot be left out. A `Co` that leaked into another generator's body passes the first one,
//! and so does a yield that another thread polls with a borrowed `&Waker`. What was tried instead: a `TypeId`
//! misses the thread, a lifetime brand misses an outer `Co` used in an inner body, and a table per type is
//! merged with others by the linker.

#![allow(unsafe_code)]

use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::{State, number};

/// Proof of belonging to one generator: its number, with the types of its values.
///
/// Invariant in both types and neither `Send` nor `Sync`. [`Key::fresh`] and [`Key::duplicate`] are the
/// only makers, so two keys with equal numbers have the same `Y` and `R` and live on the same thread.
///
/// The generator's own key also tells its state, as a field of its own would cost every generator eight bytes: the
/// bit [`UNUSED`] is set until the first use, and the number is [`CLOSED`] after the end. Both keep it from equalling
/// any yield's key.
pub(crate) struct Key<Y, R> {
    number: u64,
    /// A raw pointer is invariant, and stays on its thread.
    types: PhantomData<*mut (Y, R)>,
}

impl<Y, R> Key<Y, R> {
    /// The unused key of a new generator.
    pub(crate) fn fresh() -> Key<Y, R> {
        Key { number: number::fresh() | UNUSED, types: PhantomData }
    }

    /// Another key to the same generator, for a yield.
    #[inline]
    pub(crate) fn duplicate(&self) -> Key<Y, R> {
        Key { number: self.number & !UNUSED, types: PhantomData }
    }

    /// What a generator's own key tells.
    #[inline]
    pub(crate) fn state(&self) -> State {
        match self.number {
            CLOSED => State::Closed,
            number if number & UNUSED != 0 => State::Created,
            _ => State::Suspended,
        }
    }

    /// Writes only when there is something to change, as this is on the way of every resume.
    #[inline]
    pub(crate) fn mark_used(&mut self) {
        if self.number & UNUSED != 0 {
            self.number &= !UNUSED;
        }
    }

    /// Marks the generator closed, for good.
    #[inline]
    pub(crate) fn mark_closed(&mut self) {
        self.number = CLOSED;
    }
}

/// Set in a generator's own key by [`Key::fresh`], cleared for good by [`Key::mark_used`].
const UNUSED: u64 = 1 << 63;

/// No generator's number. Set by [`Key::mark_closed`] and never left.
const CLOSED: u64 = 0;

/// What stands in the airlock.
pub(crate) enum Slot<Y, R> {
    /// Nothing: the generator was started without a value, or its value was collected.
    Empty,
    /// Set by a resume, cleared by the yield that waits for it: the value sent in.
    Received(R),
    /// Set by a yield, cleared by the end of the resume: the value on its way out.
    Leaving(Y),
}

/// One generator's airlock, for the length of one resume.
///
/// `repr(C)` with the number first: it is read before the types are known to be right.
#[repr(C)]
pub(crate) struct Airlock<Y, R> {
    number: u64,
    slot: Cell<Slot<Y, R>>,
}

impl<Y, R> Airlock<Y, R> {
    #[inline]
    pub(crate) fn new(key: &Key<Y, R>, slot: Slot<Y, R>) -> Airlock<Y, R> {
        debug_assert_eq!(key.state(), State::Suspended, "only a used key opens");
        Airlock { number: key.number, slot: Cell::new(slot) }
    }

    /// Polls `body` with this airlock open to it.
    #[inline]
    pub(crate) fn admit<F: Future>(&self, body: Pin<&mut F>) -> Poll<F::Output> {
        let data = ptr::from_ref(self).cast::<()>();
        // SAFETY: the functions of TABLE never touch the data pointer, so they are sound on any thread and for
        // any length of time. That the pointer is live whenever TABLE is seen is kept by lending the waker by
        // reference for this poll only: `Context` gives out `&Waker`, and its clone has another table.
        let waker = ManuallyDrop::new(unsafe { Waker::new(data, &TABLE) });
        body.poll(&mut Context::from_waker(&waker))
    }

    /// The airlock behind the context, if it is the one that `key` belongs to.
    #[inline]
    pub(crate) fn reach<'a>(
        context: &'a Context<'_>,
        key: &'a Key<Y, R>,
    ) -> Option<&'a Airlock<Y, R>> {
        let waker = context.waker();
        if !ptr::eq(waker.vtable(), &TABLE) {
            return None;
        }
        // SAFETY: TABLE is seen only on wakers that `admit` lends, so data points to an airlock that outlives 'a.
        // Its first field is a `u64` whatever its types are, and is never written after construction, so
        // reading it from any thread is no race.
        let number = unsafe { *waker.data().cast::<u64>() };
        if number != key.number {
            return None;
        }
        // SAFETY: as above it is a live airlock; its number equals the key's, so it was made from a key of the
        // same number, which has the same types `Y` and `R` and lives on this very thread (see `Key`).
        Some(unsafe { &*waker.data().cast::<Airlock<Y, R>>() })
    }

    /// Puts `value` on its way out. Returns false if another value was on its way already.
    ///
    /// A received value that no yield collected is dropped.
    #[inline]
    pub(crate) fn leave(&self, value: Y) -> bool {
        !matches!(self.slot.replace(Slot::Leaving(value)), Slot::Leaving(_))
    }

    /// Takes the received value, if it is there.
    #[inline]
    pub(crate) fn collect(&self) -> Option<R> {
        match self.slot.replace(Slot::Empty) {
            Slot::Received(value) => Some(value),
            other => {
                self.slot.set(other);
                None
            }
        }
    }

    /// Ends the resume: the value on its way out, if there is one.
    #[inline]
    pub(crate) fn into_leaving(self) -> Option<Y> {
        match self.slot.into_inner() {
            Slot::Leaving(value) => Some(value),
            Slot::Empty | Slot::Received(_) => None,
        }
    }
}

/// Marks the wakers that carry an airlock.
///
/// One static that is not generic, so that there is one address for it. The clone is the inert waker of `core`:
/// nothing can hold on to an airlock. Waking does nothing: a plain generator is resumed by whoever holds it.
static TABLE: RawWakerVTable = RawWakerVTable::new(inert, ignore, ignore, ignore);

fn inert(_: *const ()) -> RawWaker {
    RawWaker::new(Waker::noop().data(), Waker::noop().vtable())
}

fn ignore(_: *const ()) {}
