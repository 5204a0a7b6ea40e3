//! Waiting on a thread that runs no loop, and knowing which thread runs one.

use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};
use std::time::{Duration, Instant};

/// Polls until there is an outcome and sleeps in between, until `timeout` has passed, if there is
/// one; then once more.
pub(crate) fn block<T>(
    timeout: Option<Duration>,
    mut poll: impl FnMut(&Waker) -> Poll<T>,
) -> Option<T> {
    let waker = Waker::from(Arc::new(Unparker(thread::current())));
    // A moment that no clock reaches does not come.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        if let Poll::Ready(outcome) = poll(&waker) {
            return Some(outcome);
        }
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(Duration::ZERO) => return None,
            Some(left) => thread::park_timeout(left),
        }
    }
}

/// Brings a thread out of its sleep.
struct Unparker(Thread);

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// The thread that a loop belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home(ThreadId);

impl Home {
    pub(crate) fn here() -> Home {
        Home(thread::current().id())
    }

    pub(crate) fn is_here(self) -> bool {
        self.0 == thread::current().id()
    }
}
