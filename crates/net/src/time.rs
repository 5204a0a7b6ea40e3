//! Waiting for time to pass.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use pin_project_lite::pin_project;

use crate::core::{Core, here};
use crate::source::Waiter;
use crate::timers::{Timer, TimerId};

/// The time of the loop that runs here: the system's monotonic clock, or the one that a test
/// moves.
///
/// # Panics
///
/// Outside a loop.
#[must_use]
pub fn now() -> Instant {
    here("now").driver.now()
}

/// The time of day, for people and protocols: all tasks of a lap are told the same. It may jump and
/// go back, as the system's does; what measures or waits uses [`now`].
///
/// On a loop made by [`EventLoop::manual`](crate::EventLoop::manual), and in a simulation, it begins at
/// the Unix epoch.
///
/// # Panics
///
/// Outside a loop.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// let (event_loop, _clock) = net::EventLoop::manual();
/// event_loop.run_until(async {
///     net::sleep(Duration::from_secs(90)).await;
///     assert_eq!(net::time_of_day(), SystemTime::UNIX_EPOCH + Duration::from_secs(90));
/// }).unwrap();
/// ```
#[must_use]
pub fn time_of_day() -> SystemTime {
    here("time_of_day").time_of_day()
}

/// Waits for `duration`; see [`sleep_until`].
///
/// # Panics
///
/// Outside a loop.
pub fn sleep(duration: Duration) -> Sleep {
    let core = here("sleep");
    let deadline = core.driver.now().checked_add(duration);
    Sleep::new(core, deadline)
}

/// Waits until `deadline`. Never ends early; late by no more than the kernel's wait and the tasks
/// that are ready before it. A deadline that had passed when the lap began is ready at once.
///
/// Setting and cancelling cost some nanoseconds, mostly whatever the number of timers; nothing is asked
/// of the kernel but the timeout of its next wait.
///
/// # Panics
///
/// Outside a loop.
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(here("sleep_until"), Some(deadline))
}

/// Waits for `duration` on the loop `core`.
///
/// # Errors
///
/// [`WrongLoop`](crate::WrongLoop) where [`sleep`] would panic.
pub(crate) async fn pause(core: &Rc<Core>, duration: Duration) -> io::Result<()> {
    let deadline = core.driver.now().checked_add(duration);
    let mut sleep = Sleep::new(Rc::clone(core), deadline);
    poll_fn(|cx| {
        core.can_wait()?;
        Pin::new(&mut sleep).poll(cx).map(Ok)
    })
    .await
}

/// Ends `future` after `duration` if it has not ended by itself: it is dropped where it stands.
///
/// # Errors
///
/// Resolves to [`Elapsed`].
///
/// # Panics
///
/// Outside a loop.
///
/// ```
/// use std::time::Duration;
///
/// let (event_loop, _clock) = net::EventLoop::manual();
/// event_loop.run_until(async {
///     let never = std::future::pending::<()>();
///     assert!(net::timeout(Duration::from_secs(60), never).await.is_err());
/// }).unwrap();
/// ```
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(duration) }
}

/// As [`timeout`], at a moment instead of after a time.
///
/// # Errors
///
/// Resolves to [`Elapsed`].
///
/// # Panics
///
/// Outside a loop.
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep_until(deadline) }
}

/// A moment now and after every further `period`.
///
/// # Panics
///
/// Outside a loop, and for a period of zero.
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period longer than zero");
    let core = here("interval");
    Interval { next: Some(core.driver.now()), period, core }
}

/// The future of [`sleep`] and [`sleep_until`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    core: Rc<Core>,
    /// `None` for a moment that no clock reaches.
    deadline: Option<Instant>,
    timer: Option<TimerId>,
}

impl Sleep {
    pub(crate) fn new(core: Rc<Core>, deadline: Option<Instant>) -> Sleep {
        Sleep { core, deadline, timer: None }
    }

    /// When it ends; `None` for never.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the deadline has come; if not, whoever polls will be brought back then. It takes
    /// nothing off the budget, so that a busy task cannot put off the look at the clock.
    #[inline]
    fn look(&mut self, cx: &Context<'_>) -> Poll<()> {
        match self.deadline {
            Some(deadline) if deadline <= self.core.lap() => return Poll::Ready(()),
            Some(deadline) => self.arm(deadline, cx),
            None => {}
        }
        Poll::Pending
    }

    /// Sets the timer, or hands the one that is set to whoever polls now.
    fn arm(&mut self, deadline: Instant, cx: &Context<'_>) {
        let waiter = self.core.waiter(cx);
        // For a task of this loop that is being stepped, it is this loop that runs.
        if (self.core.is_closed() || matches!(waiter, Waiter::Foreign(_)))
            && let Err(error) = self.core.can_wait()
        {
            panic!("sleep: {}", error.of("timer"));
        }
        let before = match self.timer {
            Some(timer) => Some(self.core.timers.borrow_mut().hand_over(timer, waiter)),
            None => {
                let since = self.core.stamp();
                let timer = Timer { waiter, since };
                self.timer = Some(self.core.timers.borrow_mut().set(deadline, timer));
                None
            }
        };
        drop(before);
    }
}

impl Future for Sleep {
    type Output = ();

    /// # Panics
    ///
    /// When its loop is gone, or another one runs here: it would never be brought back.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.look(cx));
        self.core.spend(cx)
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            let waiter = self.core.timers.borrow_mut().cancel(timer);
            drop(waiter);
        }
    }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(value) = this.future.poll(cx) {
            return Poll::Ready(Ok(value));
        }
        this.sleep.look(cx).map(|()| Err(Elapsed))
    }
}

/// What [`timeout`] says of a future that took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time allowed has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

/// Moments a period apart; made by [`interval`].
#[derive(Debug)]
pub struct Interval {
    core: Rc<Core>,
    /// `None` for a moment that no clock reaches.
    next: Option<Instant>,
    period: Duration,
}

impl Interval {
    /// Waits for the next moment and returns it; the first has come at once. Moments missed by a
    /// period or more are left out, and those that follow stay where they were, so that a late
    /// loop neither hurries nor drifts.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (event_loop, clock) = net::EventLoop::manual();
    /// let start = clock.now();
    /// event_loop.run_until(async move {
    ///     let mut beat = net::interval(Duration::from_secs(10));
    ///     beat.tick().await;
    ///     clock.advance(Duration::from_secs(25));
    ///     assert_eq!((beat.tick().await - start).as_secs(), 20);
    ///     assert_eq!((beat.tick().await - start).as_secs(), 30);
    /// }).unwrap();
    /// ```
    pub async fn tick(&mut self) -> Instant {
        let Some(next) = self.next else {
            return std::future::pending().await;
        };
        let late = self.core.driver.now().saturating_duration_since(next);
        let due = next + (late - remainder(late, self.period));
        Sleep::new(Rc::clone(&self.core), Some(due)).await;
        self.next = due.checked_add(self.period);
        due
    }
}

/// What is left of `time` after as many periods as fit; there may be more of them than 32 bits hold.
fn remainder(time: Duration, period: Duration) -> Duration {
    const NANOS: u128 = Duration::from_secs(1).as_nanos();
    let left = time.as_nanos() % period.as_nanos();
    Duration::new((left / NANOS) as u64, (left % NANOS) as u32)
}
