//! One turn of a task, and the body, which stays in its slot meanwhile.
//!
//! A safe table has to take a box out for the length of a step and put it back, which cost each step
//! 11 of 86 instructions, and a second look-up to find the way back, which cost 18. Here the step
//! goes by a copy of the pointer. What everything below relies on is kept by `table` and `scheduler`:
//!
//! - Only [`Table::begin`](crate::table::Table) makes a [`Turn`], for a task whose state was "queued",
//!   and the scheduler runs it at once and refuses to nest. So there is one turn at a time.
//! - The task is then the running one up to its `Table::end`, which comes after [`Turn::run`] has
//!   returned or unwound. A cancellation of the running task only marks it. So neither the body nor
//!   the slot's waker is dropped, replaced or given back before.
//! - The scheduler that steps is borrowed, hence its table is not dropped. That the table's memory
//!   grows moves the slot, and not what it points to.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;

use generator::Step;

use crate::task::Body;
use crate::waker::{Lent, TaskWaker};
use crate::{Task, TaskId};

/// Owns a body, as a box does, but stands for it wherever this is moved.
pub(crate) struct Resident<Y, T>(NonNull<dyn Task<Y, T>>);

/// A task whose turn it is; to be run at once.
pub(crate) struct Turn<Y, T> {
    pub(crate) id: TaskId,
    body: NonNull<dyn Task<Y, T>>,
    /// The task's waker, if one was ever cloned.
    waker: Option<NonNull<TaskWaker>>,
}

impl<Y, T> Resident<Y, T> {
    pub(crate) fn new(body: Body<Y, T>) -> Resident<Y, T> {
        // SAFETY: the body is not moved until it is dropped, or pinned again by `into_body`.
        let body = unsafe { Pin::into_inner_unchecked(body) };
        Resident(NonNull::from(Box::leak(body)))
    }

    /// Gives the body back.
    pub(crate) fn into_body(self) -> Body<Y, T> {
        let body = ManuallyDrop::new(self).0;
        // SAFETY: the pointer came from a box in `new`, and `self`, which owned it, is never dropped.
        // The body has not moved since it was pinned.
        unsafe { Pin::new_unchecked(Box::from_raw(body.as_ptr())) }
    }

    #[inline]
    pub(crate) fn turn(&self, id: TaskId, waker: Option<&Arc<TaskWaker>>) -> Turn<Y, T> {
        // Not from a reference: the pointer must reach the counts of the `Arc` as well, for a clone.
        let waker = waker.and_then(|waker| NonNull::new(Arc::as_ptr(waker).cast_mut()));
        Turn { id, body: self.0, waker }
    }

    /// Where the body lies, for a hint to the processor.
    pub(crate) fn place(&self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }
}

impl<Y, T> Drop for Resident<Y, T> {
    fn drop(&mut self) {
        // SAFETY: as for `into_body`; nothing uses `self` afterwards, and the body is dropped in place.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<Y, T> Turn<Y, T> {
    /// Runs the body to its next yield.
    #[inline(always)]
    pub(crate) fn run(mut self, lent: &Lent, frame: &Waker) -> Step<Y, Option<T>> {
        // SAFETY: the body lives and nobody else uses it, as said above; it is pinned since `new`.
        let body = unsafe { Pin::new_unchecked(self.body.as_mut()) };
        // SAFETY: the slot's `Arc` lives, as said above.
        unsafe { lent.during(frame, self.waker, |waker| body.resume(waker)) }
    }
}
