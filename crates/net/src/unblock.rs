//! Running what blocks on other threads.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use sched::Payload;

use crate::core::{Core, Entered, here};
use crate::driver::{Job, Place};
use crate::listing::{WaitGuard, WaitKind};
use crate::relay::{Receiver, relay};

/// Runs a closure that blocks, such as one that reads a file or computes for long, on another
/// thread, and waits for its result without holding up the loop.
///
/// The threads belong to the loop, which starts them as they are needed, at most
/// [`UNBLOCK_THREADS`](crate::UNBLOCK_THREADS) at a time; one that had nothing to do for
/// [`UNBLOCK_IDLE`](crate::UNBLOCK_IDLE) ends. While all are
/// busy, closures wait for their turn, in the order in which their futures were first polled: each
/// belongs to a future that somebody holds, so nothing else has to bound them. Costs three
/// allocations and the switch to another thread and back, some microseconds.
///
/// Dropping the future before its closure has begun drops the closure, which then never runs. One
/// that has begun cannot be stopped: its result is dropped on its own thread, and a panic of it is
/// told by the panic hook alone. Leaving or dropping the loop waits for no closure.
///
/// The closure finds no loop: it can neither spawn a task nor open a socket, but it may use a
/// [`Handle`](crate::Handle) that it was given. On a manual clock it runs on the loop's own thread, when the future is
/// polled, and takes no time.
///
/// # Panics
///
/// Outside a loop. The future panics with what the closure panicked with; when its loop was dropped
/// before the closure began; and when the system refuses to start a thread (pthread_create(3) says
/// when) and the loop has none yet. While it has one, closures wait for that.
///
/// ```
/// let event_loop = net::EventLoop::new()?;
/// let manifest = event_loop.run_until(async {
///     net::unblock(|| std::fs::read_to_string("Cargo.toml")).await
/// })??;
/// assert!(manifest.contains("[package]"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn unblock<F, T>(closure: F) -> Unblock<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Unblock(Call::new(here("unblock"), closure))
}

/// The future of [`unblock`].
#[must_use = "futures do nothing unless polled"]
pub struct Unblock<T>(Call<T>);

impl<T> Future for Unblock<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.0.poll(cx).map(|ended| match ended {
            Ok(value) => value,
            Err(error) => panic!("unblock: {error}"),
        })
    }
}

impl<T> fmt::Debug for Unblock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unblock").field("begun", &self.0.job.is_none()).finish_non_exhaustive()
    }
}

/// A closure on its way to a thread, and its result on the way back.
pub(crate) struct Call<T> {
    core: Rc<Core>,
    /// Until the first poll.
    job: Option<Job>,
    /// From then on, where there are threads.
    place: Option<Place>,
    result: Receiver<Result<T, Payload>>,
    wait: Option<WaitGuard>,
}

impl<T: Send + 'static> Call<T> {
    pub(crate) fn new(core: Rc<Core>, closure: impl FnOnce() -> T + Send + 'static) -> Call<T> {
        let (sender, result) = relay();
        let job = move || {
            // The same wherever it runs.
            let _no_loop = Entered::none();
            let _refused = sender.send(catch_unwind(AssertUnwindSafe(closure)));
        };
        Call { core, job: Some(Box::new(job)), place: None, result, wait: None }
    }
}

impl<T> Call<T> {
    /// Waits for the result; goes on with the panic of the closure.
    ///
    /// # Errors
    ///
    /// When the closure does not run, because the loop is gone or no thread can be started.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<io::Result<T>> {
        if self.core.spend(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(job) = self.job.take() {
            self.place = self.core.driver.unblock(job)?;
        }
        let polled = self.result.poll(cx.waker());
        let before = self.wait.take();
        match polled {
            Poll::Pending => {
                self.wait = self.core.wait_on(before, cx, WaitKind::Unblock);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(value))) => Poll::Ready(Ok(value)),
            Poll::Ready(Some(Err(payload))) => resume_unwind(payload),
            Poll::Ready(None) => Poll::Ready(Err(io::Error::other(
                "the event loop was dropped before the closure began",
            ))),
        }
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        drop(self.place.and_then(|place| self.core.driver.withdraw(place)));
        if let Some(Err(payload)) = self.result.close() {
            self.core.report_panic(self.core.scheduler.running(), payload);
        }
    }
}
