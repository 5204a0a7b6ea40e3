//! Pin projections: from a pinned wrapper to the pinned thing inside, and the end of a generator's body.
//!
//! One place for all of them, so that the reasoning stands once: the field is structurally pinned, which needs
//! that (a) no method hands it out unpinned or moves it, (b) no `Drop` of the wrapper moves it,
//! (c) the wrapper is `Unpin` only if the field is, which the compiler derives, and (d) it is not `repr(packed)`.
//! The types keep their fields private to their modules for this.

#![allow(unsafe_code)]

use core::mem::ManuallyDrop;
use core::pin::Pin;

use crate::State;
use crate::airlock::Key;
use crate::future::{FromFuture, ToFuture};
use crate::generator::Gen;

/// The body is there exactly as long as the key does not say closed: [`Gen::new`] makes both, and only
/// [`Gen::drop_body`] ends it, for both at once.
impl<F, Y, R> Gen<F, Y, R> {
    /// The key, which is never pinned, and the body, which always is; nothing if the generator is closed.
    #[inline]
    pub(crate) fn open(self: Pin<&mut Self>) -> Option<(&mut Key<Y, R>, Pin<&mut F>)> {
        // SAFETY: nothing is moved out of `this`; `body` stays where it is (see above).
        let this = unsafe { self.get_unchecked_mut() };
        if this.key.state() == State::Closed {
            return None;
        }
        // SAFETY: `body` is structurally pinned (see above), and was not dropped, as the key does not say closed.
        Some((&mut this.key, unsafe { Pin::new_unchecked(&mut *this.body) }))
    }

    /// Drops the body in place and marks the generator closed, unless that was done before.
    #[inline]
    pub(crate) fn drop_body(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved out of `this`; `body` is dropped where it is.
        let this = unsafe { self.get_unchecked_mut() };
        if this.key.state() != State::Closed {
            // Before the drop, so that a destructor that panics does not make it happen twice.
            this.key.mark_closed();
            // SAFETY: the key did not say closed, so the body was not dropped, and it says so now.
            unsafe { ManuallyDrop::drop(&mut this.body) }
        }
    }
}

impl<F, Y, R> Drop for Gen<F, Y, R> {
    fn drop(&mut self) {
        // SAFETY: a value that is being dropped does not move any more.
        unsafe { Pin::new_unchecked(self) }.drop_body();
    }
}

impl<F> FromFuture<F> {
    #[inline]
    pub(crate) fn project(self: Pin<&mut Self>) -> Pin<&mut F> {
        // SAFETY: the field is structurally pinned (see above).
        unsafe { self.map_unchecked_mut(|this| &mut this.0) }
    }
}

impl<G, T> ToFuture<G, T> {
    #[inline]
    pub(crate) fn project(self: Pin<&mut Self>) -> Pin<&mut G> {
        // SAFETY: `machine` is structurally pinned (see above).
        unsafe { self.map_unchecked_mut(|this| &mut this.machine) }
    }
}
