//! Pin projections: from a pinned wrapper to the pinned thing inside.
//!
//! One place for all of them, so that the reasoning stands once: the field is structurally pinned, which needs
//! that (a) no method hands it out unpinned or moves it, (b) the wrapper has no `Drop` that moves it,
//! (c) the wrapper is `Unpin` only if the field is, which the compiler derives, and (d) it is not `repr(packed)`.
//! The types keep their fields private to their modules for this.

#![allow(unsafe_code)]

use core::pin::Pin;

use crate::airlock::Key;
use crate::future::{FromFuture, ToFuture};
use crate::generator::Gen;

impl<F, Y, R> Gen<F, Y, R> {
    /// The key, which is never pinned, and the body, which always is.
    #[inline]
    pub(crate) fn project(self: Pin<&mut Self>) -> (&mut Key<Y, R>, Pin<&mut Option<F>>) {
        // SAFETY: `body` is structurally pinned (see above); `Gen` drops it in place through `Pin::set` only.
        unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.key, Pin::new_unchecked(&mut this.body))
        }
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
