//! What the loop, its sockets and its timers share.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use sched::{Payload, Scheduler, TaskId, Wakes};

use crate::ask::{Ask, Direction};
use crate::deadlines::Sweeper;
use crate::driver::Driver;
use crate::error::{NoLoop, WrongLoop};
use crate::failure::{Cause, Failure, Failures};
use crate::grants::Grants;
use crate::listing::Records;
use crate::source::Waiter;
use crate::timers::Timers;

/// Operations that a task may complete in one step before it gives up its turn. Every socket
/// operation, accept, timer, join and group wait counts as one.
pub const BUDGET: u32 = 64;

/// Why a step of a task ended without the task's end. One byte, so that nothing bigger is moved
/// about for futures, whose ask is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yielded {
    /// A future that has noted itself where it waits.
    Parked,
    /// A generator; its ask is in [`Core::asked`].
    Asked,
}

/// One loop's state. The [`EventLoop`](crate::EventLoop) owns it; sockets and timers hold it too,
/// so that they find the loop without looking it up.
pub(crate) struct Core {
    pub(crate) scheduler: Scheduler<Yielded>,
    /// What the generator that just yielded asked for, on its way to the loop.
    pub(crate) asked: Cell<Option<Ask>>,
    pub(crate) driver: Driver,
    /// Whether the driver reports edges; otherwise directions are armed and disarmed one by one.
    pub(crate) edge: bool,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) records: Records,
    pub(crate) grants: Grants,
    pub(crate) failures: Failures,
    /// Waits on sources: with none, no timer and no handle, nothing can come.
    pub(crate) source_waits: Waits,
    pub(crate) sweeper: Sweeper,
    /// Wakers of waits on sources that have ended, on their way out of the borrow during a wait.
    foreign: RefCell<Vec<Waker>>,
    /// Sockets closed, and who waits for that because the descriptor table was full.
    pub(crate) closes: Closes,
    /// Operations left in the step that runs. Signed, so that to count one and to see that it was one
    /// too many is a single instruction.
    budget: Cell<i32>,
    /// The loop's time when the lap began, and the same in nanoseconds since `start`.
    lap: Cell<Instant>,
    stamp: Cell<u64>,
    /// The time of day in the lap with this stamp, once it was asked for.
    day: Cell<Option<(u64, SystemTime)>>,
    start: Instant,
    /// Set when the loop is dropped; its sockets refuse to wait from then on.
    closed: Cell<bool>,
}

/// How many waits have begun and ended.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    begun: Cell<u64>,
    ended: Cell<u64>,
}

impl Waits {
    #[inline]
    pub(crate) fn begin(&self) {
        self.begun.set(self.begun.get() + 1);
    }

    #[inline]
    pub(crate) fn end(&self) {
        self.end_many(1);
    }

    #[inline]
    fn end_many(&self, waits: u64) {
        self.ended.set(self.ended.get() + waits);
    }

    /// How many have ever begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// How many are in force.
    pub(crate) fn len(&self) -> usize {
        (self.begun.get() - self.ended.get()) as usize
    }

    fn end_all(&self) {
        self.ended.set(self.begun.get());
    }
}

/// How many sockets have been closed, and who waits for the next.
#[derive(Default)]
pub(crate) struct Closes {
    count: Cell<u64>,
    waiters: Cell<Vec<Waiter>>,
}

impl Closes {
    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    pub(crate) fn count_one(&self) {
        self.count.set(self.count.get() + 1);
    }

    pub(crate) fn note(&self, waiter: Waiter) {
        let mut waiters = self.waiters.take();
        if !waiters.iter().any(|noted| noted.is_same(&waiter)) {
            waiters.push(waiter);
        }
        self.waiters.set(waiters);
    }

    pub(crate) fn take_waiters(&self) -> Vec<Waiter> {
        self.waiters.take()
    }
}

/// Takes in what became ready. The queue is borrowed meanwhile, once for all that comes.
pub(crate) struct Arrivals<'a> {
    core: &'a Core,
    wakes: Wakes<'a, Yielded>,
    /// Waits on sources that have ended.
    ended: u64,
}

impl Arrivals<'_> {
    /// Queues a task whose wait on a source has ended.
    #[inline(always)]
    pub(crate) fn end_task_wait(&mut self, task: TaskId) {
        self.ended += 1;
        self.wakes.wake(task);
    }

    /// Collects the waker of a wait on a source that has ended.
    pub(crate) fn end_foreign_wait(&mut self, waker: Waker) {
        self.ended += 1;
        self.core.foreign.borrow_mut().push(waker);
    }
}

impl Drop for Arrivals<'_> {
    #[inline]
    fn drop(&mut self) {
        self.core.source_waits.end_many(self.ended);
    }
}

impl Core {
    pub(crate) fn new(driver: Driver, failures: Failures) -> Core {
        let start = driver.now();
        Core {
            scheduler: Scheduler::with_unpark(driver.unpark()),
            asked: Cell::new(None),
            edge: driver.reports_edges(),
            driver,
            timers: RefCell::default(),
            records: Records::default(),
            grants: Grants::default(),
            failures,
            source_waits: Waits::default(),
            sweeper: Sweeper::default(),
            foreign: RefCell::default(),
            closes: Closes::default(),
            budget: Cell::new(BUDGET as i32),
            lap: Cell::new(start),
            stamp: Cell::new(0),
            day: Cell::new(None),
            start,
            closed: Cell::new(false),
        }
    }

    /// Opens a step: its task has the whole budget.
    #[inline]
    pub(crate) fn refill(&self) {
        self.budget.set(BUDGET as i32);
    }

    /// Counts one operation of the running task, which is about to complete: a wait that goes on spends
    /// nothing, or who waits for more than a budget's worth of things would never rest. When the budget is used up, the task is queued
    /// behind everybody who is ready and must return `Pending`.
    #[inline]
    pub(crate) fn spend(&self, cx: &Context<'_>) -> Poll<()> {
        let left = self.budget.get() - 1;
        self.budget.set(left);
        if left >= 0 {
            return Poll::Ready(());
        }
        self.end_turn(cx.waker())
    }

    /// Takes back what [`Core::spend`] counted, for a leaf that turned out to wait.
    pub(crate) fn refund(&self) {
        self.budget.set(self.budget.get() + 1);
    }

    /// Polls that another executor makes between our steps have no turn to end.
    #[cold]
    #[inline(never)]
    fn end_turn(&self, waker: &Waker) -> Poll<()> {
        self.budget.set(0);
        if self.scheduler.running().is_none() || !may_wait(self) {
            return Poll::Ready(());
        }
        waker.wake_by_ref();
        Poll::Pending
    }

    /// The time at which this lap began: what everything in it takes for now.
    pub(crate) fn lap(&self) -> Instant {
        self.lap.get()
    }

    pub(crate) fn open_lap(&self) {
        let now = self.driver.now();
        self.lap.set(now);
        self.stamp.set(now.duration_since(self.start).as_nanos() as u64);
    }

    /// The lap's time in nanoseconds since the loop began.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp.get()
    }

    /// What [`Core::stamp`] is at `moment`: 0 if that was before the loop began, at most
    /// [`u64::MAX`].
    pub(crate) fn stamp_of(&self, moment: Instant) -> u64 {
        let nanoseconds = moment.saturating_duration_since(self.start).as_nanos();
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }

    /// The time of day in this lap. The clock is read when it is first asked for.
    pub(crate) fn time_of_day(&self) -> SystemTime {
        match self.day.get() {
            Some((stamp, time)) if stamp == self.stamp() => time,
            _ => {
                let time = self.driver.wall_clock();
                self.day.set(Some((self.stamp(), time)));
                time
            }
        }
    }

    /// The moment that a [`Core::stamp`] stands for.
    pub(crate) fn moment(&self, stamp: u64) -> Instant {
        self.start + Duration::from_nanos(stamp)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// From here on nothing waits any more.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }

    /// Whether a wait begun now can end.
    ///
    /// # Errors
    ///
    /// When the loop is gone, or another one runs on this thread.
    pub(crate) fn can_wait(&self) -> Result<(), WrongLoop> {
        if self.is_closed() {
            Err(WrongLoop::Gone)
        } else if !may_wait(self) {
            Err(WrongLoop::Other)
        } else {
            Ok(())
        }
    }

    /// Lets go of everything, with no borrow held. Foreign wakers are called, so that who waits
    /// learns that the loop is gone.
    pub(crate) fn clear(&self) {
        let mut waiters = Vec::new();
        self.driver.each_source(|source| {
            let directions = Direction::BOTH.into_iter();
            waiters.extend(directions.filter_map(|direction| source.take_waiter(direction)));
        });
        self.source_waits.end_all();
        let timers = self.timers.borrow_mut().take_all();
        waiters.extend(timers);
        waiters.extend(self.closes.take_waiters());
        waiters.into_iter().for_each(|waiter| self.bring_back(waiter));
        for job in self.driver.close_threads() {
            // It wakes who waits for it, and drops what its closure owns.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(job))) {
                self.report_panic(None, payload);
            }
        }
        drop(self.failures.take_hook());
        drop(self.asked.take());
    }

    /// Who is to be brought back when what `cx` waits for has come: the running task itself where
    /// the waker is the loop's own, otherwise a clone of the waker.
    #[inline]
    pub(crate) fn waiter(&self, cx: &Context<'_>) -> Waiter {
        match self.scheduler.own(cx.waker()) {
            Some(task) => Waiter::Task(task),
            None => Waiter::Foreign(cx.waker().clone()),
        }
    }

    /// For the news of one wait.
    #[inline]
    pub(crate) fn arrivals(&self) -> Arrivals<'_> {
        Arrivals { wakes: self.scheduler.wakes(), core: self, ended: 0 }
    }

    /// Calls the wakers that were collected while the driver was borrowed.
    pub(crate) fn wake_foreign(&self) {
        if self.foreign.borrow().is_empty() {
            return;
        }
        let mut wakers = self.foreign.take();
        wakers.drain(..).for_each(|waker| self.call(waker));
        // Its room is kept for the next ones, unless a waker has turned the loop.
        let mut foreign = self.foreign.borrow_mut();
        if foreign.is_empty() {
            *foreign = wakers;
        }
    }

    /// Queues a task or calls a waker. No borrow may be held: a foreign waker runs any code.
    pub(crate) fn bring_back(&self, waiter: Waiter) {
        match waiter {
            Waiter::Task(task) => {
                self.scheduler.wake(task);
            }
            Waiter::Foreign(waker) => self.call(waker),
        }
    }

    /// Reports what a task failed with, under its name; without a task while none runs.
    pub(crate) fn report(&self, task: Option<TaskId>, cause: Cause<'_>) {
        let name = task.and_then(|task| self.records.named(task));
        let name = name.as_deref();
        self.failures.report(&Failure { task, name, cause });
    }

    /// Reports a panic of a task that nobody claims.
    pub(crate) fn report_panic(&self, task: Option<TaskId>, payload: Payload) {
        let name = task.and_then(|task| self.records.named(task));
        self.failures.panicked(task, name.as_deref(), payload);
    }

    /// Calls a foreign waker. What it panics with is reported, so that the others are called too.
    #[cold]
    fn call(&self, waker: Waker) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            self.report_panic(None, payload);
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("driver", &self.driver)
            .field("scheduler", &self.scheduler)
            .field("source_waits", &self.source_waits)
            .finish_non_exhaustive()
    }
}

/// The loop that runs on this thread.
///
/// # Errors
///
/// [`NoLoop`] when none does.
pub(crate) fn current() -> Result<Rc<Core>, NoLoop> {
    let current = CURRENT.try_with(|current| current.borrow().clone());
    current.ok().flatten().ok_or(NoLoop)
}

/// The loop that runs on this thread, for what makes no sense without one.
pub(crate) fn here(what: &str) -> Rc<Core> {
    current().unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Whether `core` runs on this thread, or none does.
pub(crate) fn may_wait(core: &Core) -> bool {
    let may = CURRENT.try_with(|current| match &*current.borrow() {
        Some(current) => std::ptr::eq(&**current, core),
        None => true,
    });
    may.unwrap_or(true)
}

/// Makes a loop the current one of its thread; dropping it brings back the one before.
#[derive(Debug)]
pub(crate) struct Entered(Option<Rc<Core>>);

impl Entered {
    pub(crate) fn new(core: &Rc<Core>) -> Entered {
        Entered(replace(Some(Rc::clone(core))))
    }

    /// Has no loop be current.
    pub(crate) fn none() -> Entered {
        Entered(replace(None))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = replace(self.0.take());
        drop(left);
    }
}

/// At the end of a thread there may be no place any more to note a loop, which may itself have been
/// in a thread-local; then none is found.
fn replace(next: Option<Rc<Core>>) -> Option<Rc<Core>> {
    CURRENT.try_with(|current| current.replace(next)).ok().flatten()
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}
