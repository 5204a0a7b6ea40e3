//! Asking a server to stop, from anywhere.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Stops a [`Server`](crate::Server), from any task or thread.
#[derive(Clone, Debug, Default)]
pub struct Stopper(Arc<Stop>);

#[derive(Debug, Default)]
struct Stop {
    /// Set by the first [`Stopper::stop`], and never cleared.
    asked: AtomicBool,
    /// The server's, while it waits for something else.
    waker: Mutex<Option<Waker>>,
}

impl Stopper {
    /// Asks the server to stop; asking again changes nothing.
    pub fn stop(&self) {
        self.0.asked.store(true, Ordering::Release);
        let waker = self.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the server was asked to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.asked.load(Ordering::Acquire)
    }

    /// What `future` brings, unless the stop comes first.
    pub(super) async fn unless_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            // The waker is left before the flag is read: a stop that comes between finds it.
            self.leave_waker(cx);
            if self.is_stopped() {
                return Poll::Ready(None);
            }
            future.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// A waker is the user's code where it is not the loop's own: it is cloned and dropped without
    /// the lock.
    fn leave_waker(&self, cx: &Context<'_>) {
        let known = self.lock().as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !known {
            let waker = cx.waker().clone();
            let before = self.lock().replace(waker);
            drop(before);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
