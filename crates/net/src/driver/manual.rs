//! A clock that moves when it is told to: for tests of timers and of fairness.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::Unpark;

/// Moves the time of an [`EventLoop`](crate::EventLoop) made by
/// [`EventLoop::manual`](crate::EventLoop::manual).
///
/// A wait on such a loop takes no time: the clock jumps to the deadline that the loop would have
/// slept for. So an hour of timeouts runs in microseconds, and the same each time.
///
/// ```
/// use std::time::Duration;
///
/// let (event_loop, clock) = net::EventLoop::manual();
/// let start = clock.now();
/// event_loop.run_until(async { net::sleep(Duration::from_secs(3600)).await }).unwrap();
/// assert_eq!(clock.now() - start, Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Rc<Cell<Instant>>);

/// A world with a clock and nothing else.
#[derive(Debug)]
pub(crate) struct Manual {
    clock: ManualClock,
    /// Where the clock stood at first, which is the Unix epoch by its wall clock.
    start: Instant,
    parker: Arc<Parker>,
}

/// Where a loop without timers waits for other threads.
#[derive(Debug, Default)]
struct Parker {
    unparked: Mutex<bool>,
    changed: Condvar,
}

impl ManualClock {
    /// The loop's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.get()
    }

    /// Moves the time on; timers that are due fire at the loop's next turn.
    pub fn advance(&self, by: Duration) {
        self.0.set(self.0.get() + by);
    }
}

impl Manual {
    pub(crate) fn new() -> (Manual, ManualClock) {
        let start = Instant::now();
        let clock = ManualClock(Rc::new(Cell::new(start)));
        (Manual { clock: clock.clone(), start, parker: Arc::default() }, clock)
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(crate) fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.now().duration_since(self.start)
    }

    pub(crate) fn unpark(&self) -> Unpark {
        let parker = Arc::clone(&self.parker);
        Box::new(move || parker.unpark())
    }

    /// Sleeps by moving the clock; without a timeout, waits for another thread.
    pub(crate) fn wait(&self, timeout: Option<Duration>) {
        let mut unparked = self.parker.unparked.lock().unwrap_or_else(PoisonError::into_inner);
        match timeout {
            Some(_) if *unparked => {}
            // A moment that no clock reaches does not come.
            Some(timeout) => {
                if let Some(later) = self.now().checked_add(timeout) {
                    self.clock.0.set(later);
                }
            }
            None => {
                while !*unparked {
                    let waited = self.parker.changed.wait(unparked);
                    unparked = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        *unparked = false;
    }
}

impl Parker {
    fn unpark(&self) {
        *self.unparked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}
