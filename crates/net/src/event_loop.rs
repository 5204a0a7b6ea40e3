//! The loop itself: a task asks, the loop grants, readiness brings the task back.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use generator::Resumable;
use sched::{Outcome, Payload, StepError, TaskId, TaskState};

use crate::ask::Ask;
use crate::core::{Core, Entered, Yielded};
use crate::driver::{Backend, Driver, Kernel, Manual, ManualClock};
use crate::error::RunError;
use crate::failure::{Failure, Failures};
use crate::handle::Handle;
use crate::listing::{Stats, TaskInfo};
use crate::task::{JoinHandle, spawn_generator_on, spawn_on};
use crate::trace;

/// Steps between two polls of the selector where laps are shorter than this.
pub const POLL_EVERY: usize = 64;

/// An event loop: a fair queue of tasks, and the sources and timers that bring them back.
///
/// It belongs to the thread that made it. Dropping it drops its tasks first; sockets that outlive
/// it refuse to wait, with [`WrongLoop::Gone`](crate::WrongLoop::Gone).
///
/// ```
/// let event_loop = net::EventLoop::new()?;
/// let answer = event_loop.run_until(async {
///     let sum = net::spawn(async { 20 + 22 });
///     sum.await.unwrap()
/// })?;
/// assert_eq!(answer, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct EventLoop {
    core: Rc<Core>,
}

impl EventLoop {
    /// A loop over the best backend of this system.
    ///
    /// # Errors
    ///
    /// The system's, when the process has no descriptor left.
    pub fn new() -> io::Result<EventLoop> {
        Ok(EventLoop::over(Driver::Kernel(Kernel::new(None)?)))
    }

    /// A loop over a chosen backend.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) where the backend is missing here; otherwise as
    /// [`EventLoop::new`].
    pub fn with_backend(backend: Backend) -> io::Result<EventLoop> {
        Ok(EventLoop::over(Driver::Kernel(Kernel::new(Some(backend))?)))
    }

    /// A loop without sockets whose time moves only when it waits or when it is told to.
    #[must_use]
    pub fn manual() -> (EventLoop, ManualClock) {
        let (manual, clock) = Manual::new();
        (EventLoop::over(Driver::Manual(manual)), clock)
    }

    pub(crate) fn over(driver: Driver) -> EventLoop {
        let core = Rc::new(Core::new(driver, Failures::default()));
        EventLoop { core }
    }

    /// Replaces what happens to a failure that nobody claims: a panic outside any join handle and
    /// group, an error of a server's connection. By default it is one line on standard error.
    /// Failures are counted in [`Stats::failures`] either way, and not kept.
    pub fn on_failure(&self, hook: impl Fn(&Failure<'_>) + 'static) {
        self.core.failures.hook(Rc::new(hook));
    }

    /// Runs until every task has ended: the note's `while any([tasks, to_read, to_write])`.
    ///
    /// # Errors
    ///
    /// [`RunError::Io`] when the selector fails; [`RunError::Stuck`] when no task can ever go on;
    /// [`RunError::Nested`] inside a task.
    pub fn run(&self) -> Result<(), RunError> {
        self.run_while(|| {
            // What other threads have spawned counts.
            self.core.scheduler.drain();
            !self.core.scheduler.is_empty()
        })
    }

    /// Runs until `future` has ended, and returns its value. Other tasks go on in a later run, or
    /// are dropped with the loop.
    ///
    /// # Errors
    ///
    /// As [`EventLoop::run`].
    ///
    /// # Panics
    ///
    /// With the panic of `future`.
    pub fn run_until<F: Future + 'static>(&self, future: F) -> Result<F::Output, RunError> {
        if self.core.scheduler.running().is_some() {
            return Err(RunError::Nested);
        }
        let mut main = self.spawn(future);
        if let Err(error) = self.run_while(|| !main.is_finished()) {
            main.cancel();
            return Err(error);
        }
        match main.try_join() {
            Some(Ok(value)) => Ok(value),
            Some(Err(ended)) => match ended.into_panic() {
                Ok(payload) => std::panic::resume_unwind(payload),
                // It was cancelled from inside; there is no value and nothing to wait for.
                Err(_) => Err(RunError::Cancelled),
            },
            None => unreachable!("the loop ran until the task had ended"),
        }
    }

    /// One turn: waits for events, at most `timeout` and not at all while tasks are ready, then
    /// gives each ready task a step. Returns whether tasks are left.
    ///
    /// With a `timeout` of zero this embeds the loop in another one: call it when
    /// [`EventLoop::descriptor`] is readable or [`EventLoop::next_deadline`] has come.
    ///
    /// # Errors
    ///
    /// As [`EventLoop::run`]; [`RunError::Stuck`] only without a `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (event_loop, clock) = net::EventLoop::manual();
    /// drop(event_loop.spawn(async { net::sleep(Duration::from_secs(60)).await }));
    /// let mut frames = 0;
    /// while event_loop.turn(Some(Duration::ZERO))? {
    ///     clock.advance(Duration::from_secs(1)); // the other loop's own work
    ///     frames += 1;
    /// }
    /// assert_eq!(frames, 60);
    /// # Ok::<(), net::RunError>(())
    /// ```
    pub fn turn(&self, timeout: Option<Duration>) -> Result<bool, RunError> {
        if self.core.scheduler.running().is_some() {
            return Err(RunError::Nested);
        }
        let _entered = Entered::new(&self.core);
        self.wait(timeout)?;
        self.lap();
        Ok(!self.core.scheduler.is_empty())
    }

    fn run_while(&self, go_on: impl Fn() -> bool) -> Result<(), RunError> {
        if self.core.scheduler.running().is_some() {
            return Err(RunError::Nested);
        }
        let _entered = Entered::new(&self.core);
        while go_on() {
            self.wait(None)?;
            self.lap();
        }
        Ok(())
    }

    /// Gives every task that is ready now one step, and goes on to [`POLL_EVERY`] steps if others
    /// become ready meanwhile.
    #[inline(never)]
    fn lap(&self) {
        let core = &*self.core;
        trace::event!(TRACE, ready = core.scheduler.ready(), "lap");
        for _ in 0..core.scheduler.ready().max(POLL_EVERY) {
            core.refill();
            match core.scheduler.step() {
                Ok((_, Outcome::Yielded(Yielded::Parked))) => {}
                Ok((task, Outcome::Yielded(Yielded::Asked))) => self.grant(task),
                // Told apart here, so that no outcome has to be put together in memory.
                Ok((task, Outcome::Panicked(payload))) => self.ended(task, Some(payload)),
                Ok((task, _)) => self.ended(task, None),
                Err(StepError::Idle | StepError::Nested) => return,
            }
        }
    }

    /// The note's `if reason == 'read': to_read[sock] = task`.
    fn grant(&self, task: TaskId) {
        match self.core.asked.take() {
            None | Some(Ask::Park) => {}
            Some(Ask::Turn) => {
                self.core.scheduler.wake(task);
            }
            Some(Ask::Ready(wanted)) => self.core.grant_ready(task, wanted),
            Some(Ask::Until(deadline)) => self.core.grant_until(task, deadline),
        }
    }

    /// The note's `select`, and `tasks.append(to_read.pop(sock))`.
    #[inline(never)]
    fn wait(&self, timeout: Option<Duration>) -> Result<(), RunError> {
        let timeout = self.patience(timeout)?;
        trace::event!(TRACE, ?timeout, "wait");
        let core = &*self.core;
        let mut arrivals = core.arrivals();
        let waited = core.driver.wait(timeout, |source, readiness| {
            source.report(readiness, &mut arrivals);
        });
        drop(arrivals);
        core.open_lap();
        core.wake_foreign();
        core.scheduler.drain();
        self.fire();
        Ok(waited?)
    }

    /// How long to wait: not at all while tasks are ready, else until the next deadline.
    fn patience(&self, timeout: Option<Duration>) -> Result<Option<Duration>, RunError> {
        let look = self.next_look();
        if self.core.scheduler.ready() > 0 {
            return Ok(Some(Duration::ZERO));
        }
        let deadline = self.earliest_deadline(look);
        let until = deadline.map(|at| at.saturating_duration_since(self.core.driver.now()));
        match (timeout, until) {
            (None, None) if self.core.is_stuck() => match self.tasks() {
                tasks if tasks.is_empty() => Ok(Some(Duration::ZERO)),
                tasks => Err(RunError::Stuck(tasks)),
            },
            (Some(timeout), Some(until)) => Ok(Some(timeout.min(until))),
            (timeout, until) => Ok(timeout.or(until)),
        }
    }

    #[inline]
    fn next_look(&self) -> Option<Instant> {
        if self.core.sweeper.is_used() { self.core.next_look() } else { None }
    }

    fn earliest_deadline(&self, look: Option<Instant>) -> Option<Instant> {
        let timer = self.core.timers.borrow().next();
        timer.into_iter().chain(look).min()
    }

    /// Brings back who waited for a deadline that has come.
    #[inline(never)]
    fn fire(&self) {
        loop {
            let due = self.core.timers.borrow_mut().pop_due(self.core.lap());
            let Some(waiter) = due else { break };
            self.core.bring_back(waiter);
        }
        if self.core.sweeper.is_used() {
            self.core.sweep();
        }
    }

    #[cold]
    fn ended(&self, task: TaskId, panic: Option<Payload>) {
        // Of a generator that was cancelled in the step in which it asked.
        drop(self.core.asked.take());
        let name = self.core.records.end(task);
        if let Some(payload) = panic {
            self.core.failures.panicked(Some(task), name.as_deref(), payload);
        }
    }

    /// Reports the destructors that panicked; for when no other task is left.
    fn report_failed(&self) {
        let failed = |id| self.core.scheduler.state(id) == Some(TaskState::Failed);
        if self.core.scheduler.ids().into_iter().all(failed) {
            while let Ok((task, ended)) = self.core.scheduler.step() {
                let Outcome::Panicked(payload) = ended else {
                    continue;
                };
                self.ended(task, Some(payload));
            }
        }
    }

    /// Adds a task to the loop; see [`spawn`](crate::spawn).
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        spawn_on(&self.core, future)
    }

    /// Adds a generator as a task: what it yields is granted, and it is resumed with `Ok(())`, or
    /// with the error that says why its ask was refused or timed out.
    pub fn spawn_generator<G>(&self, generator: G) -> JoinHandle<G::Return>
    where
        G: Resumable<io::Result<()>, Yield = Ask> + 'static,
    {
        spawn_generator_on(&self.core, generator)
    }

    /// Makes this loop the one that sockets, timers and [`spawn`](crate::spawn) find, while
    /// `inside` runs. Inside a task that is so already.
    pub fn enter<T>(&self, inside: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(&self.core);
        inside()
    }

    /// What other threads use to bring work into this loop.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(&self.core)
    }

    /// Limits how many spawns from other threads may wait to be taken in, at first
    /// [`SPAWN_LIMIT`](crate::SPAWN_LIMIT); those beyond it are refused, with the closure given back.
    ///
    /// ```
    /// let (event_loop, _clock) = net::EventLoop::manual();
    /// event_loop.set_spawn_limit(1);
    /// let handle = event_loop.handle();
    /// assert!(handle.spawn(|| async {}).is_ok());
    /// assert!(matches!(handle.spawn(|| async {}), Err(net::SpawnError::Full(_))));
    /// ```
    pub fn set_spawn_limit(&self, tasks: usize) {
        self.core.scheduler.set_spawn_limit(tasks);
    }

    /// Limits how many threads the closures of [`unblock`](crate::unblock) and name lookups may use at
    /// a time, at first [`UNBLOCK_THREADS`](crate::UNBLOCK_THREADS), and at least one. Threads beyond
    /// a lower limit end after the closure that they run. On a manual clock there are none.
    ///
    /// ```
    /// let event_loop = net::EventLoop::new()?;
    /// event_loop.set_unblock_threads(1); // one closure after the other, in the order of their first polls
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_unblock_threads(&self, threads: usize) {
        self.core.driver.set_threads(threads.max(1));
    }

    /// When the loop wants its next turn: now while tasks are ready, otherwise at the earliest
    /// deadline, or only when a source is ready.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let look = self.next_look();
        if self.core.scheduler.ready() > 0 {
            return Some(self.core.driver.now());
        }
        self.earliest_deadline(look)
    }

    /// A descriptor that is readable when an event waits for [`EventLoop::turn`], to embed this loop
    /// in another one; `None` where the backend has no descriptor of its own (select, poll, a manual
    /// clock). It is a duplicate, and stays open until it is dropped.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2), when the process has no descriptor left.
    #[cfg(unix)]
    pub fn descriptor(&self) -> io::Result<Option<std::os::fd::OwnedFd>> {
        match &self.core.driver {
            Driver::Kernel(kernel) => kernel.descriptor(),
            _ => Ok(None),
        }
    }

    /// Every task with its name, and what it waits for since when. Costs a walk over all sources,
    /// timers and tasks.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.core.tasks()
    }

    /// What the loop has counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// The backend in use; `None` on a manual clock.
    #[must_use]
    pub fn backend(&self) -> Option<Backend> {
        match &self.core.driver {
            Driver::Kernel(kernel) => Some(kernel.backend()),
            _ => None,
        }
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop").field("core", &self.core).finish_non_exhaustive()
    }
}

impl Drop for EventLoop {
    /// Tasks own sockets, which own the loop's core: they go first, and nothing of what their
    /// destructors start anew is kept.
    fn drop(&mut self) {
        let _entered = Entered::new(&self.core);
        trace::event!(DEBUG, tasks = self.core.scheduler.len(), "loop dropped");
        self.core.close();
        self.core.scheduler.close();
        self.report_failed();
        self.core.clear();
    }
}
