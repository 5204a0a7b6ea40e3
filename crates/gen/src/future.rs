//! Futures as state machines.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::{Resumable, Step};

/// A future as a [`Resumable`]: resumed with the waker to call, it yields `()` while it is pending.
#[derive(Debug)]
pub struct FromFuture<F>(F);

impl<F: Future> FromFuture<F> {
    /// Wraps `future`.
    pub fn new(future: F) -> FromFuture<F> {
        FromFuture(future)
    }
}

impl<F: Future + Unpin> Resumable<&Waker> for FromFuture<F> {
    type Yield = ();
    type Return = F::Output;

    fn resume(mut self: Pin<&mut Self>, waker: &Waker) -> Step<(), F::Output> {
        match Pin::new(&mut self.0).poll(&mut Context::from_waker(waker)) {
            Poll::Ready(value) => Step::Complete(value),
            Poll::Pending => Step::Yielded(()),
        }
    }
}
