//! A socket of a loop, and the one leaf future behind every operation on it.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use sched::TaskId;

use crate::ask::{Direction, Wanted};
use crate::core::Core;
use crate::driver::{Readiness, Socket};
use crate::error::AlreadyWaiting;
use crate::source::{Source, Waiter};

/// A socket that is registered with its loop until it is dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) source: Rc<Source>,
    pub(crate) core: Rc<Core>,
}

impl Registered {
    /// Hands `socket` to its loop.
    pub(crate) fn with(core: Rc<Core>, socket: Socket, ready: Readiness) -> io::Result<Registered> {
        let source = Rc::new(Source::new(socket, ready));
        core.driver.register(&source)?;
        Ok(Registered { source, core })
    }

    /// A socket that its loop does not watch before [`Registered::register`].
    #[cfg(unix)]
    pub(crate) fn unregistered(core: Rc<Core>, socket: Socket) -> Registered {
        Registered { source: Rc::new(Source::new(socket, Readiness::EMPTY)), core }
    }

    #[cfg(unix)]
    pub(crate) fn register(&self) -> io::Result<()> {
        self.core.driver.register(&self.source)
    }

    /// Does `attempt` as soon as the socket is readable.
    #[inline]
    pub(crate) fn when_readable<T, F>(&self, attempt: F) -> Operation<'_, F, READ>
    where
        F: FnMut(&Source) -> io::Result<T>,
    {
        Operation { on: self, attempt, noted: Noted::No }
    }

    /// Does `attempt` as soon as the socket is writable.
    #[inline]
    pub(crate) fn when_writable<T, F>(&self, attempt: F) -> Operation<'_, F, WRITE>
    where
        F: FnMut(&Source) -> io::Result<T>,
    {
        Operation { on: self, attempt, noted: Noted::No }
    }

    /// As [`Registered::when_readable`], for a function that is polled and keeps nothing between its
    /// calls: the wait it leaves is the source's to remember.
    #[cfg(feature = "futures-io")]
    #[inline]
    pub(crate) fn poll_readable<T>(
        &self,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&Source) -> io::Result<T> + Unpin,
    ) -> Poll<io::Result<T>> {
        self.when_readable(attempt).poll_once(cx)
    }

    /// As [`Registered::poll_readable`], for writing.
    #[cfg(feature = "futures-io")]
    #[inline]
    pub(crate) fn poll_writable<T>(
        &self,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&Source) -> io::Result<T> + Unpin,
    ) -> Poll<io::Result<T>> {
        self.when_writable(attempt).poll_once(cx)
    }

    /// What a generator yields to wait for this socket.
    pub(crate) fn wanted(&self, direction: Direction) -> Wanted {
        let (source, core) = (Rc::clone(&self.source), Rc::clone(&self.core));
        Wanted { source, core, direction, deadline: None }
    }

    /// Does `attempt` now; [`WouldBlock`](io::ErrorKind::WouldBlock) when the socket is not ready,
    /// and then the next one waits for a new report.
    #[inline]
    pub(crate) fn attempt<T>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut(&Source) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match attempt(&self.source) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.source.used_up(direction);
                    return Err(self.source.take_overdue(direction).map_or(error, Into::into));
                }
                done => {
                    self.source.forget_overdue(direction);
                    return done;
                }
            }
        }
    }
}

impl Drop for Registered {
    /// Closes the socket. Who still waits for it, having yielded an ask, is told.
    fn drop(&mut self) {
        self.core.driver.forget(&self.source);
        if self.source.limits().is_some() {
            self.core.forget_limits(&self.source);
        }
        for direction in Direction::BOTH {
            self.core.bring_waiter_back(&self.source, direction);
        }
        self.core.closes.count_one();
        for waiter in self.core.closes.take_waiters() {
            self.core.bring_back(waiter);
        }
    }
}

/// Waits until a socket is ready in a direction and does something with it. The direction is part
/// of the type, for the compiler to work out what depends on it.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Operation<'a, F, const WRITES: bool> {
    on: &'a Registered,
    attempt: F,
    noted: Noted,
}

/// What a leaf has noted in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    No,
    Task(TaskId),
    /// A foreign waker, in the wait with this number.
    Foreign(u64),
    /// Nothing yet, on behalf of a poll function: the wait that its last call left, if there is one,
    /// is this leaf's own.
    #[cfg(feature = "futures-io")]
    Left,
}

const READ: bool = false;
const WRITE: bool = true;

impl<T, F, const WRITES: bool> Future for Operation<'_, F, WRITES>
where
    F: FnMut(&Source) -> io::Result<T> + Unpin,
{
    type Output = io::Result<T>;

    // Always: a program that awaits the same operation in several places would else call it, at
    // a quarter more instructions for a request of `hello`.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = &mut *self;
        if this.on.source.is_ready(Self::DIRECTION) {
            if this.on.core.spend(cx).is_pending() {
                return Poll::Pending;
            }
            match (this.attempt)(&this.on.source) {
                Ok(value) => {
                    // What is ready is not waited for: the report that made it so ended the wait.
                    // After the attempt, where the compiler sees that the drop finds it so.
                    this.noted = Noted::No;
                    return Poll::Ready(Ok(value));
                }
                Err(error) => {
                    if let Some(done) = this.again(error) {
                        return Poll::Ready(done);
                    }
                }
            }
        }
        match this.on.core.scheduler.own(cx.waker()) {
            Some(task) if this.on.core.edge && !this.on.source.is_waited(Self::DIRECTION) => {
                this.on.core.note(&this.on.source, Self::DIRECTION, task);
                this.noted = Noted::Task(task);
                Poll::Pending
            }
            own => this.wait(own, cx.waker()),
        }
    }
}

impl<F, const WRITES: bool> Operation<'_, F, WRITES> {
    const DIRECTION: Direction = if WRITES { Direction::Write } else { Direction::Read };

    /// What became of an attempt that failed at first; nothing if it would block.
    #[cold]
    #[inline(never)]
    fn again<T>(&mut self, error: io::Error) -> Option<io::Result<T>>
    where
        F: FnMut(&Source) -> io::Result<T>,
    {
        if self.noted == Noted::No {
            // It was another operation that waited too long, and it went well after all.
            self.on.source.forget_overdue(Self::DIRECTION);
        }
        self.noted = Noted::No;
        let mut first = Some(error);
        let attempt = |source: &Source| match first.take() {
            Some(error) => Err(error),
            None => (self.attempt)(source),
        };
        match self.on.attempt(Self::DIRECTION, attempt) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            done => Some(done),
        }
    }

    /// The long way to wait: a foreign waker, a direction somebody else waits in, a backend that
    /// has to be armed.
    #[cold]
    #[inline(never)]
    fn wait<T>(&mut self, own: Option<TaskId>, waker: &Waker) -> Poll<io::Result<T>> {
        // The leaf may have been polled without its event, and by somebody else than before; its wait
        // goes on all the same.
        let source = &self.on.source;
        let since = self.is_waiter().then(|| source.since(Self::DIRECTION));
        self.forget();
        let waiter = own.map_or_else(|| Waiter::Foreign(waker.clone()), Waiter::Task);
        if let Err(error) = self.on.core.wait(source, Self::DIRECTION, waiter) {
            return Poll::Ready(Err(error));
        }
        self.noted = self.standing();
        if let Some(since) = since {
            self.on.source.began(Self::DIRECTION, since);
        }
        Poll::Pending
    }

    /// Whoever waits now, as a leaf that began this wait notes it.
    fn standing(&self) -> Noted {
        let source = &self.on.source;
        match source.waiting_task(Self::DIRECTION) {
            Some(task) => Noted::Task(task),
            None => source.foreign_wait(Self::DIRECTION).map_or(Noted::No, Noted::Foreign),
        }
    }

    /// Polls on behalf of a function that has no place for a note: the wait that it begins or goes on
    /// with is left in the source.
    #[cfg(feature = "futures-io")]
    #[inline]
    fn poll_once<T>(mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>>
    where
        F: FnMut(&Source) -> io::Result<T> + Unpin,
    {
        self.noted = Noted::Left;
        let polled = Pin::new(&mut self).poll(cx);
        if matches!(self.noted, Noted::Task(_) | Noted::Foreign(_)) {
            self.on.source.leave(Self::DIRECTION);
        }
        self.noted = Noted::No;
        polled
    }

    /// Ends a wait that this leaf began, if it is still in force.
    #[cold]
    fn forget(&mut self) {
        if self.is_waiter() {
            self.on.core.end_wait(&self.on.source, Self::DIRECTION);
        }
        self.noted = Noted::No;
    }

    /// Ends the wait of a leaf that is dropped. Where two leaves wait with one waiter, the other may
    /// be left without a wait: it is polled again, and begins its own.
    #[cold]
    fn give_up(&mut self) {
        let Registered { source, core } = self.on;
        if source.is_shared() && self.is_waiter() {
            core.bring_waiter_back(source, Self::DIRECTION);
        }
        self.forget();
    }

    /// Whether whom this leaf noted is who waits now.
    fn is_waiter(&self) -> bool {
        match self.noted {
            Noted::No => false,
            #[cfg(feature = "futures-io")]
            Noted::Left => self.on.source.is_left(Self::DIRECTION),
            noted => noted == self.standing(),
        }
    }
}

impl<F, const WRITES: bool> Drop for Operation<'_, F, WRITES> {
    #[inline]
    fn drop(&mut self) {
        if self.noted != Noted::No && self.on.source.is_waited(Self::DIRECTION) {
            self.give_up();
        }
    }
}

impl Core {
    /// Begins a wait of a task of this loop where nobody waits yet.
    #[inline]
    fn note(&self, source: &Source, direction: Direction, task: TaskId) {
        self.source_waits.begin();
        source.note_task(direction, task, self.stamp());
    }

    /// Begins a wait.
    ///
    /// # Errors
    ///
    /// [`AlreadyWaiting`], [`WrongLoop`], or the driver's when the direction cannot be armed.
    pub(crate) fn wait(
        &self,
        source: &Rc<Source>,
        direction: Direction,
        waiter: Waiter,
    ) -> io::Result<()> {
        self.can_wait()?;
        let mut before = None;
        if source.is_waited(direction) {
            before = self.take_over(source, direction, &waiter)?;
        }
        let begun = self.begin(source, direction, waiter);
        if let Some(before) = before {
            self.bring_back(before);
        }
        begun
    }

    /// Begins a wait where nobody waits.
    fn begin(&self, source: &Rc<Source>, direction: Direction, waiter: Waiter) -> io::Result<()> {
        if !self.edge
            && let Err(error) = self.driver.arm(source, source.waited() | direction.flag())
        {
            // The other direction is not watched any more either: who waits there shall try again.
            for direction in Direction::BOTH {
                self.bring_waiter_back(source, direction);
            }
            return Err(error);
        }
        source.begin(direction);
        match waiter {
            Waiter::Task(task) => self.note(source, direction, task),
            Waiter::Foreign(waker) => {
                self.source_waits.begin();
                let number = self.source_waits.begun();
                source.note_foreign(direction, waker, number, self.stamp());
            }
        }
        Ok(())
    }

    /// Ends the wait that stands where another is about to begin, if the two may follow each
    /// other: the waiter has gone, or is the same one, or a poll function left the wait. Whoever
    /// called that one may have lost interest since; in case he has not, he is to be brought back.
    fn take_over(
        &self,
        source: &Source,
        direction: Direction,
        by: &Waiter,
    ) -> Result<Option<Waiter>, AlreadyWaiting> {
        let first = source.waiting_task(direction);
        let (same, second) = match by {
            Waiter::Task(task) => (first == Some(*task), Some(*task)),
            Waiter::Foreign(waker) => (source.is_waiting(direction, waker), None),
        };
        let left = source.is_left(direction);
        if same && !left {
            source.share();
        } else if !same && !left && first.is_none_or(|first| self.scheduler.contains(first)) {
            return Err(AlreadyWaiting { direction, first, second });
        }
        self.source_waits.end();
        let before = source.take_waiter(direction);
        Ok(before.filter(|_| left && !same))
    }

    /// Ends the wait in `direction`, if there is one, as if its event had come.
    fn bring_waiter_back(&self, source: &Source, direction: Direction) {
        if let Some(waiter) = source.take_waiter(direction) {
            self.source_waits.end();
            self.bring_back(waiter);
        }
    }

    /// Ends the wait in `direction` without bringing anybody back.
    pub(crate) fn end_wait(&self, source: &Source, direction: Direction) {
        self.source_waits.end();
        drop(source.take_waiter(direction));
    }
}
