//! Futures as state machines, and state machines as futures.

use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::{Resumable, Step};

/// A future as a [`Resumable`]: resumed with the waker to call, it yields `()` while it is pending.
///
/// ```
/// use core::pin::pin;
/// use core::task::Waker;
/// use generator::{FromFuture, Resumable, Step};
///
/// let mut task = pin!(FromFuture::new(async { 7 }));
/// assert_eq!(task.as_mut().resume(Waker::noop()), Step::Complete(7));
/// ```
///
/// Resumed after its end it does what the future does when polled again; an `async` block panics.
#[derive(Debug)]
pub struct FromFuture<F>(pub(crate) F);

impl<F: Future> FromFuture<F> {
    /// Wraps `future`.
    pub fn new(future: F) -> FromFuture<F> {
        FromFuture(future)
    }
}

impl<F: Future> Resumable<&Waker> for FromFuture<F> {
    type Yield = ();
    type Return = F::Output;

    #[inline]
    fn resume(self: Pin<&mut Self>, waker: &Waker) -> Step<(), F::Output> {
        match self.project().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(value) => Step::Complete(value),
            Poll::Pending => Step::Yielded(()),
        }
    }
}

/// A [`Resumable`] that takes wakers and yields `()`, as a future: the inverse of [`FromFuture`].
///
/// Yielding means "pending". Whoever yields has seen to it that the waker it was resumed with is called when it
/// is worth resuming again, as any future must.
///
/// ```
/// use core::pin::Pin;
/// use core::task::Waker;
/// use generator::{Resumable, Step, ToFuture};
///
/// /// Lets others go first, so many times.
/// struct Polite(u32);
///
/// impl Resumable<&Waker> for Polite {
///     type Yield = ();
///     type Return = &'static str;
///
///     fn resume(mut self: Pin<&mut Self>, waker: &Waker) -> Step<(), &'static str> {
///         if self.0 == 0 {
///             return Step::Complete("after you");
///         }
///         self.0 -= 1;
///         waker.wake_by_ref();
///         Step::Yielded(())
///     }
/// }
///
/// let said = futures_lite::future::block_on(ToFuture::new(Polite(3)));
/// assert_eq!(said, "after you");
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct ToFuture<G, T> {
    pub(crate) machine: G,
    /// `T` is the machine's return value, whatever the lifetime of the waker; only a parameter can say so.
    output: PhantomData<fn() -> T>,
}

impl<G, T> ToFuture<G, T>
where
    G: for<'w> Resumable<&'w Waker, Yield = (), Return = T>,
{
    /// Wraps `machine`.
    pub fn new(machine: G) -> ToFuture<G, T> {
        ToFuture { machine, output: PhantomData }
    }
}

impl<G, T> Future for ToFuture<G, T>
where
    G: for<'w> Resumable<&'w Waker, Yield = (), Return = T>,
{
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.project().resume(context.waker()) {
            Step::Yielded(()) => Poll::Pending,
            Step::Complete(value) => Poll::Ready(value),
        }
    }
}
