//! Limits on how long operations wait: found by looking at the waits now and then, so that no
//! request touches a timer.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sched::{Slab, SlabId};

use crate::ask::Direction;
use crate::core::Core;
use crate::source::{Source, Waiter};

/// Why an operation on a socket was given up: the cause inside of an `io::Error` of kind
/// [`TimedOut`](io::ErrorKind::TimedOut).
///
/// ```
/// use std::time::Duration;
/// use net::{Overdue, TcpListener, TcpStream};
///
/// # net::EventLoop::new()?.run_until(async {
/// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
/// let mut silent = TcpStream::connect(listener.local_addr()?).await?;
/// silent.set_read_timeout(Some(Duration::from_millis(5)));
/// let error = silent.chunk().await.unwrap_err();
/// assert_eq!(Overdue::of(&error), Some(Overdue::ReadTimeout));
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Nothing came for the time of [`set_read_timeout`](crate::TcpStream::set_read_timeout).
    ReadTimeout,
    /// The moment of [`set_read_deadline`](crate::TcpStream::set_read_deadline) has come.
    ReadDeadline,
    /// The other side took nothing for the time of
    /// [`set_write_timeout`](crate::TcpStream::set_write_timeout).
    WriteTimeout,
    /// The moment of [`set_write_deadline`](crate::TcpStream::set_write_deadline) has come.
    WriteDeadline,
    /// The server was stopped, and nothing more came for its
    /// [`idle_grace`](crate::Server::idle_grace).
    Stopped,
}

/// The shortest pause between two looks at the waits, however short a timeout is.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// The longest pause between two looks at the waits while waits begin, however long the timeouts are.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The pause between two looks is this part of the shortest limit. A wait may begin right after a
/// look and its time end right after another, so it ends up to two pauses late: an eighth.
const LOOKS_PER_LIMIT: u64 = 16;

/// A moment that does not come, and a pause without end, in nanoseconds.
const NEVER: u64 = u64::MAX;

/// What limits the waits on one source: in a box that only a source with a limit has.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Where the sweeper lists the source; nowhere while no limit is set.
    place: Cell<Option<SlabId>>,
    sides: [Side; 2],
}

/// The limits of one direction. Times are in nanoseconds, moments those of [`Core::stamp`].
#[derive(Debug)]
struct Side {
    /// How long a wait may last.
    timeout: Cell<u64>,
    /// When every wait ends.
    deadline: Cell<u64>,
    /// The pause between two looks that the deadline was set with.
    pause: Cell<u64>,
    /// The wait that was last seen, by the stamp it carries. The stamp is the lap's, which may lie
    /// well before the wait itself.
    wait: Cell<u64>,
    /// When that wait was first seen. It began before, so what counts from here is never early.
    seen: Cell<u64>,
    /// Set when that wait was given up; cleared by the operation that waited, which tells of it, or by
    /// the next, when that one went well after all.
    overdue: Cell<Option<Overdue>>,
}

/// Looks at the waits on the sources that have limits.
///
/// It looks at most once per pause. While no wait begins it knows what comes next and pauses until
/// then; with nobody waiting it rests.
#[derive(Debug)]
pub(crate) struct Sweeper {
    enlisted: RefCell<Slab<Rc<Source>>>,
    /// The shortest pause that a limit asks for.
    pause: Cell<u64>,
    /// When to look next.
    due: Cell<u64>,
    /// How many waits had begun at the last look, while none that began later is provided for.
    rests_at: Cell<Option<u64>>,
}

impl Default for Sweeper {
    fn default() -> Sweeper {
        Sweeper {
            enlisted: RefCell::default(),
            pause: Cell::new(NEVER),
            due: Cell::new(NEVER),
            rests_at: Cell::new(None),
        }
    }
}

impl Sweeper {
    /// Whether there may be a limit: all that a loop without one asks.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.pause.get() != NEVER
    }

    /// Looks again within a pause.
    fn hasten(&self, now: u64) {
        self.rests_at.set(None);
        self.due.set(self.due.get().min(now.saturating_add(self.pause.get())));
    }
}

impl Core {
    /// Limits how long a wait in `direction` may last.
    pub(crate) fn set_timeout(
        &self,
        source: &Rc<Source>,
        direction: Direction,
        timeout: Option<Duration>,
    ) {
        let timeout = timeout.map_or(NEVER, nanoseconds);
        self.limit(source, direction, timeout == NEVER, |side| side.timeout.set(timeout));
    }

    /// Limits until when waits in `direction` may last.
    pub(crate) fn set_deadline(
        &self,
        source: &Rc<Source>,
        direction: Direction,
        deadline: Option<Instant>,
    ) {
        let deadline = deadline.map_or(NEVER, |moment| self.stamp_of(moment));
        let pause = match deadline {
            NEVER => NEVER,
            moment => pause(moment.saturating_sub(self.stamp())),
        };
        self.limit(source, direction, deadline == NEVER, |side| {
            side.deadline.set(deadline);
            side.pause.set(pause);
        });
    }

    fn limit(
        &self,
        source: &Rc<Source>,
        direction: Direction,
        lifts: bool,
        change: impl FnOnce(&Side),
    ) {
        if lifts && source.limits().is_none() {
            return;
        }
        let limits = source.limits_or_none_yet();
        let side = limits.side(direction);
        side.overdue.set(None);
        change(side);
        let pause = limits.pause();
        if pause == NEVER {
            return self.forget_limits(source);
        }
        if limits.place.get().is_none() {
            let place = self.sweeper.enlisted.borrow_mut().insert(Rc::clone(source));
            limits.place.set(Some(place));
        }
        self.sweeper.pause.set(self.sweeper.pause.get().min(pause));
        self.sweeper.hasten(self.stamp());
    }

    /// Takes a source that is closed, or has no limit any more, off the list.
    #[cold]
    pub(crate) fn forget_limits(&self, source: &Source) {
        let place = source.limits().and_then(|limits| limits.place.take());
        let source = place.and_then(|place| self.sweeper.enlisted.borrow_mut().remove(place));
        drop(source);
    }

    /// When to look at the waits next, those included that have begun since the last look.
    #[cold]
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let rests_at = self.sweeper.rests_at.get();
        if rests_at.is_some_and(|begun| begun != self.source_waits.begun()) {
            self.sweeper.hasten(self.stamp());
        }
        let due = self.sweeper.due.get();
        (due != NEVER).then(|| self.moment(due))
    }

    /// Gives up the waits that have lasted too long, if it is time to look. Whoever waited tries once
    /// more: what came at the last moment counts, otherwise it is told.
    #[cold]
    pub(crate) fn sweep(&self) {
        if self.sweeper.due.get() <= self.stamp() {
            for waiter in self.look() {
                self.bring_back(waiter);
            }
        }
    }

    /// Who is to be brought back; nobody's code runs meanwhile.
    fn look(&self) -> Vec<Waiter> {
        let now = self.stamp();
        let (mut pause, mut next, mut expired) = (NEVER, NEVER, Vec::new());
        for (_, source) in self.sweeper.enlisted.borrow().iter() {
            let Some(limits) = source.limits() else { continue };
            pause = pause.min(limits.pause());
            for direction in Direction::BOTH {
                let Some((_, wait)) = source.wait(direction) else { continue };
                let (end, overdue) = limits.side(direction).end_of(wait, now, direction);
                if end <= now {
                    expired.extend(self.expire(source, direction, overdue));
                } else {
                    next = next.min(end);
                }
            }
        }
        self.sweeper.pause.set(pause);
        let soonest = if next == NEVER { NEVER } else { now.saturating_add(pause) };
        self.sweeper.due.set(next.max(soonest));
        let rests = pause != NEVER;
        self.sweeper.rests_at.set(rests.then(|| self.source_waits.begun()));
        expired
    }

    /// Ends the wait in `direction` as if its event had come, and leaves word of why.
    pub(crate) fn expire(
        &self,
        source: &Source,
        direction: Direction,
        overdue: Overdue,
    ) -> Option<Waiter> {
        let side = source.limits_or_none_yet().side(direction);
        side.wait.set(source.since(direction));
        side.overdue.set(Some(overdue));
        source.seem_ready(direction);
        let waiter = source.take_waiter(direction)?;
        self.source_waits.end();
        Some(waiter)
    }
}

impl Source {
    /// Why the wait of an operation was given up, which the operation then tells. For when it would
    /// block: otherwise what it has got stands.
    #[cold]
    pub(crate) fn take_overdue(&self, direction: Direction) -> Option<Overdue> {
        let side = self.limits()?.side(direction);
        let overdue = side.overdue.take();
        overdue.filter(|_| side.wait.get() == self.since(direction))
    }

    /// For when something has come or gone after all.
    #[cold]
    pub(crate) fn forget_overdue(&self, direction: Direction) {
        if let Some(limits) = self.limits() {
            limits.side(direction).overdue.set(None);
        }
    }
}

impl Limits {
    pub(crate) fn none_yet() -> Box<Limits> {
        Box::new(Limits { place: Cell::default(), sides: [Side::unlimited(), Side::unlimited()] })
    }

    fn side(&self, direction: Direction) -> &Side {
        &self.sides[direction as usize]
    }

    /// The longest pause between two looks that keeps the limits; [`NEVER`] without any.
    fn pause(&self) -> u64 {
        self.sides.iter().map(Side::pause).min().unwrap_or(NEVER)
    }
}

impl Side {
    fn unlimited() -> Side {
        Side {
            timeout: Cell::new(NEVER),
            deadline: Cell::new(NEVER),
            pause: Cell::new(NEVER),
            wait: Cell::new(NEVER),
            seen: Cell::default(),
            overdue: Cell::default(),
        }
    }

    fn pause(&self) -> u64 {
        let timeout = self.timeout.get();
        let pause = if timeout == NEVER { NEVER } else { pause(timeout) };
        pause.min(self.pause.get())
    }

    /// When `wait` has lasted too long, and by which limit.
    fn end_of(&self, wait: u64, now: u64, direction: Direction) -> (u64, Overdue) {
        let was_overdue = self.overdue.take().is_some();
        if self.wait.replace(wait) != wait || was_overdue {
            self.seen.set(now);
        }
        let (timeout, deadline) = match direction {
            Direction::Read => (Overdue::ReadTimeout, Overdue::ReadDeadline),
            Direction::Write => (Overdue::WriteTimeout, Overdue::WriteDeadline),
        };
        let end = self.seen.get().saturating_add(self.timeout.get());
        if self.deadline.get() <= end { (self.deadline.get(), deadline) } else { (end, timeout) }
    }
}

impl Overdue {
    /// Why `error` came, if it tells of a limit that has passed.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Overdue> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Overdue::ReadTimeout => "nothing came within the read timeout",
            Overdue::ReadDeadline => "reading was not over by its deadline",
            Overdue::WriteTimeout => "the other side took nothing within the write timeout",
            Overdue::WriteDeadline => "writing was not over by its deadline",
            Overdue::Stopped => "the server was stopped, and nothing more came",
        })
    }
}

impl std::error::Error for Overdue {}

impl From<Overdue> for io::Error {
    fn from(overdue: Overdue) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, overdue)
    }
}

/// The pause between two looks that keeps a limit of so many nanoseconds.
fn pause(limit: u64) -> u64 {
    let pause = Duration::from_nanos(limit / LOOKS_PER_LIMIT);
    nanoseconds(pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

/// Five hundred years are for ever.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
