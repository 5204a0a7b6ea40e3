//! Whose turn is it? The scheduler hands out steps, and nothing calls back into it.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::Waker;
use std::thread;

use generator::{Resumable, Step};

use crate::handle::{Gate, Make};
use crate::inbox::Inbox;
use crate::join;
use crate::registry::{self, Local};
use crate::table::{Found, Table};
use crate::task::Plain;
use crate::turn::Turn;
use crate::waker::{Home, Lender, Lent, TaskWaker};
use crate::{Handle, JoinHandle, Outcome, Payload, Task, TaskId, TaskState};

/// A run queue of tasks that yield `Y` and return `T`.
///
/// A clone is another handle of the same scheduler, as cheap as one of an `Rc`, and like it bound to
/// its thread; for other threads there is [`Handle`]. Every method may be called from inside a step
/// and from a destructor, except that [`step`](Scheduler::step) refuses to nest.
///
/// Dropping the last clone drops the tasks. A task that owns a clone keeps the scheduler, and
/// itself, alive: whoever gives clones to tasks calls [`clear`](Scheduler::clear) at the end.
///
/// ```
/// use std::task::Waker;
/// use generator::{Resumable, Step};
/// use sched::{Outcome, Scheduler};
///
/// struct Countdown(u32);
///
/// impl Resumable<&Waker> for Countdown {
///     type Yield = u32;
///     type Return = &'static str;
///     fn resume(mut self: std::pin::Pin<&mut Self>, _: &Waker) -> Step<u32, &'static str> {
///         if self.0 == 0 {
///             return Step::Complete("lift-off");
///         }
///         self.0 -= 1;
///         Step::Yielded(self.0 + 1)
///     }
/// }
///
/// let scheduler = Scheduler::new();
/// scheduler.spawn(Countdown(2));
/// let mut seen = Vec::new();
/// while let Ok((id, outcome)) = scheduler.step() {
///     match outcome {
///         Outcome::Yielded(number) => {
///             seen.push(number.to_string());
///             scheduler.wake(id);
///         }
///         Outcome::Complete(word) => seen.push(word.to_string()),
///         other => panic!("{other:?}"),
///     }
/// }
/// assert_eq!(seen, ["2", "1", "lift-off"]);
/// ```
pub struct Scheduler<Y, T = ()> {
    shared: Lender<Shared<Y, T>>,
}

/// What a cancellation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cancel {
    /// The task was queued or parked; its body has been dropped.
    Dropped,
    /// The task is being stepped; its body will be dropped at the end of the step.
    Deferred,
    /// The task had ended already; nothing happened.
    Stale,
}

/// Why there was no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepError {
    /// No task is queued. Wait for something, wake a task, step again.
    Idle,
    /// A step is under way: this call came from inside a task.
    Nested,
}

/// A loan of the queue, to wake many tasks; made by [`Scheduler::wakes`].
pub struct Wakes<'a, Y, T = ()> {
    table: RefMut<'a, Table<Y, T>>,
}

impl<Y, T> Wakes<'_, Y, T> {
    /// As [`Scheduler::wake`].
    #[inline]
    pub fn wake(&mut self, id: TaskId) -> bool {
        self.table.wake(id)
    }
}

impl<Y, T> fmt::Debug for Wakes<'_, Y, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wakes").field("ready", &self.table.ready()).finish_non_exhaustive()
    }
}

struct Shared<Y, T> {
    /// Borrowed for the length of one of the table's methods, none of which calls any user's code, or of
    /// a [`Wakes`], which calls none either.
    table: RefCell<Table<Y, T>>,
    /// Says also which task is being stepped, until its body is back in the table or dropped.
    lent: Lent,
    home: Arc<Home>,
    gate: Arc<Gate<Y, T>>,
}

impl<Y: 'static, T: 'static> Scheduler<Y, T> {
    /// Makes a scheduler whose owner never sleeps, or needs no call to get up.
    pub fn new() -> Scheduler<Y, T> {
        Scheduler::with_unpark(|| ())
    }

    /// Makes a scheduler that calls `unpark` on the sending thread after a wake or a spawn from there.
    ///
    /// It should make the owner call [`step`](Scheduler::step) or [`drain`](Scheduler::drain) soon;
    /// like [`Thread::unpark`](std::thread::Thread::unpark), it must also work when it comes just
    /// before the owner goes to sleep. A panic in it goes to whoever sent.
    pub fn with_unpark(unpark: impl Fn() + Send + Sync + 'static) -> Scheduler<Y, T> {
        let number = registry::number();
        let home = Arc::new(Home { number, inbox: Inbox::new(Box::new(unpark)) });
        let shared = Rc::new(Shared {
            table: RefCell::new(Table::new()),
            lent: Lent::new(Arc::clone(&home)),
            gate: Arc::new(Gate::new(Arc::clone(&home))),
            home,
        });
        registry::join(number, Rc::downgrade(&shared) as Weak<dyn Local>);
        Scheduler { shared: Lender::new(shared, |shared| &shared.lent) }
    }

    /// Limits how many spawns from other threads may wait to be taken in, at first
    /// [`SPAWN_LIMIT`](crate::SPAWN_LIMIT); those beyond it are refused with the closure given back.
    pub fn set_spawn_limit(&self, tasks: usize) {
        self.shared.gate.set_limit(tasks);
    }

    /// Takes in a task and queues it. Costs one allocation, of the body, and at most 56 bytes beside it.
    ///
    /// The body is resumed with the task's waker. It is a [`Resumable`] of every `&Waker`; a future is
    /// one by [`generator::FromFuture`].
    ///
    /// # Panics
    ///
    /// With 2³² − 1 tasks at a time.
    pub fn spawn<B>(&self, body: B) -> TaskId
    where
        B: for<'w> Resumable<&'w Waker, Yield = Y, Return = T> + 'static,
    {
        self.spawn_task(Plain { body })
    }

    /// Takes in a task whose result, of any type, goes to the [`JoinHandle`]. Its steps end with [`Outcome::Joined`].
    ///
    /// # Panics
    ///
    /// With 2³² − 1 tasks at a time.
    pub fn spawn_join<B, O>(&self, body: B) -> JoinHandle<O>
    where
        B: for<'w> Resumable<&'w Waker, Yield = Y, Return = O> + 'static,
        O: 'static,
    {
        let (task, cell) = join::pair(body, self.shared.downgrade() as Weak<dyn Local>);
        JoinHandle::new(self.spawn_task(task), cell)
    }

    /// Takes in a task that decides itself what becomes of its result and its panic: see [`Task`].
    ///
    /// # Panics
    ///
    /// With 2³² − 1 tasks at a time.
    pub fn spawn_task(&self, task: impl Task<Y, T> + 'static) -> TaskId {
        let body = Box::pin(task);
        self.shared.table.borrow_mut().insert(body)
    }

    /// Runs the task whose turn it is up to its next yield, and says what it asked for or how it ended.
    ///
    /// Where one lap of the queue ends and the next begins, it first takes in what other threads have
    /// sent, if there is anything: see [`drain`](Scheduler::drain).
    ///
    /// # Errors
    ///
    /// [`StepError::Idle`] when no task is queued; [`StepError::Nested`] when called from inside a step.
    // Inlined because a program has one loop that calls it, and a sixth of a step is the call.
    #[inline(always)]
    pub fn step(&self) -> Result<(TaskId, Outcome<Y, T>), StepError> {
        let shared = &*self.shared;
        if shared.lent.running().is_some() {
            return Err(StepError::Nested);
        }
        let next = shared.table.borrow_mut().next();
        let Some(turn) = next.or_else(|| shared.next_odd()) else {
            return Err(StepError::Idle);
        };
        let id = turn.id;
        shared.lent.set_running(Some(id));
        // What the step brings goes around `catch_unwind` and not through it: packing it together
        // with the panic that did not happen would cost every step a dozen instructions.
        let mut step = None;
        let caught = catch_unwind(AssertUnwindSafe(|| {
            step = Some(turn.run(&shared.lent, self.shared.waker()));
        }));
        let value = match (caught, step) {
            (Ok(()), Some(Step::Yielded(value))) => value,
            (caught, step) => return Ok((id, shared.finish(id, caught.map(|()| step)))),
        };
        if shared.lent.is_unsettled() && shared.settle(id) {
            return Ok((id, shared.finish(id, Ok(Some(Step::Yielded(value))))));
        }
        shared.lent.set_running(None);
        Ok((id, Outcome::Yielded(value)))
    }

    /// Queues a task that is parked or being stepped, behind all that are ready at this moment. A task
    /// that is queued already stays where it is.
    ///
    /// Says whether the task will have a step on account of this or an earlier wake: not when it has
    /// ended or is cancelled.
    // Inlined as `step` is: in a loop they are the whole of the work.
    #[inline(always)]
    pub fn wake(&self, id: TaskId) -> bool {
        self.shared.table.borrow_mut().wake(id)
    }

    /// Wakes many tasks in a row, without a look at each whether the queue is in use.
    ///
    /// For as long as the [`Wakes`] lives the queue is borrowed, and any other method of the scheduler, its
    /// clones and wakers of its tasks panics on this thread; other threads are not concerned. So run nobody
    /// else's code meanwhile.
    ///
    /// ```
    /// use generator::FromFuture;
    /// use sched::{Outcome, Scheduler};
    ///
    /// let scheduler: Scheduler<(), ()> = Scheduler::new();
    /// let ids: Vec<_> =
    ///     (0..3).map(|_| scheduler.spawn(FromFuture::new(std::future::pending()))).collect();
    /// while let Ok((_, Outcome::Yielded(()))) = scheduler.step() {}
    /// let mut wakes = scheduler.wakes();
    /// for &id in &ids {
    ///     assert!(wakes.wake(id));
    /// }
    /// drop(wakes);
    /// assert_eq!(scheduler.ready(), 3);
    /// ```
    #[inline]
    pub fn wakes(&self) -> Wakes<'_, Y, T> {
        Wakes { table: self.shared.table.borrow_mut() }
    }

    /// Ends a task. If it is queued or parked, its body is dropped before this returns, and no step
    /// tells of it; if it is being stepped, the body is dropped when the step ends, with
    /// [`Outcome::Cancelled`] unless it ended by itself.
    ///
    /// When the destructor panics, the next step that is the task's brings [`Outcome::Panicked`].
    pub fn cancel(&self, id: TaskId) -> Cancel {
        self.shared.cancel(id)
    }

    /// The waker of a task, to wake it from anywhere. The first one of a task costs an allocation.
    pub fn waker(&self, id: TaskId) -> Option<Waker> {
        if self.state(id) == Some(TaskState::Running) {
            return Some(self.shared.lent.to_waker());
        }
        let make = || TaskWaker::new(id, &self.shared.home);
        let waker = self.shared.table.borrow_mut().waker(id, make);
        waker.map(TaskWaker::into_waker)
    }

    /// The task being stepped, up to the end of its destructor if it ends.
    #[inline]
    pub fn running(&self) -> Option<TaskId> {
        self.shared.lent.running()
    }

    /// The task being stepped, if `waker` is the very one that this step passed to it.
    ///
    /// So a leaf may note the id, which costs nothing, where otherwise it would have to clone the
    /// waker. Two loads and two comparisons.
    #[inline]
    pub fn own(&self, waker: &Waker) -> Option<TaskId> {
        self.shared.lent.own(self.shared.waker(), waker)
    }

    /// Takes in wakes and spawns that came from other threads, and says how many tasks that queued
    /// or found queued. Costs a load when nothing came.
    ///
    /// Every lap of the queue begins with this, so only an owner that wants to know whether
    /// it may sleep has to call it. What arrives meanwhile is left for the next call. Inside a step
    /// it does nothing and returns 0. The closures of spawns run here; for one that panics, the
    /// outcome of the new task's first step is [`Outcome::Panicked`].
    pub fn drain(&self) -> usize {
        if self.running().is_some() || !self.shared.home.inbox.arrived() {
            return 0;
        }
        self.shared.take_in()
    }

    /// A handle for other threads.
    pub fn handle(&self) -> Handle<Y, T> {
        Handle::new(Arc::clone(&self.shared.gate))
    }

    /// How many tasks are queued.
    #[inline]
    pub fn ready(&self) -> usize {
        self.shared.table.borrow().ready()
    }

    /// How many tasks there are. One whose destructor runs at the moment counts.
    pub fn len(&self) -> usize {
        self.shared.table.borrow().len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the task is there still.
    pub fn contains(&self, id: TaskId) -> bool {
        self.state(id).is_some()
    }

    /// Where the task is in its life; nothing once it has ended.
    pub fn state(&self, id: TaskId) -> Option<TaskState> {
        let state = self.shared.table.borrow().state(id)?;
        if self.running() == Some(id) {
            return Some(TaskState::Running);
        }
        Some(state)
    }

    /// The tasks that are there now, in the order of their numbers.
    pub fn ids(&self) -> Vec<TaskId> {
        self.shared.table.borrow().ids()
    }

    /// Cancels every task, and those that their destructors spawn, up to 16 generations of them.
    ///
    /// Afterwards only such tasks are left whose destructor panicked, to say so at their next step;
    /// inside a step also the one being stepped, until the step ends.
    pub fn clear(&self) {
        for _ in 0..CLEAR_ROUNDS {
            let cancel = |id| self.cancel(id) == Cancel::Dropped;
            if self.ids().into_iter().filter(|&id| cancel(id)).count() == 0 {
                break;
            }
        }
    }

    /// Cancels every task, as [`clear`](Scheduler::clear), and takes in nothing more from other
    /// threads: what waits to be taken in is dropped, and what comes later refused.
    pub fn close(&self) {
        self.shared.home.inbox.close();
        for make in self.shared.gate.close() {
            // Its destructor is the sender's code.
            let _ = contain(make);
        }
        self.clear();
    }

    /// Whether something outside might still wake or spawn a task: a clone of the waker of a living
    /// task, a [`Handle`], something that they sent and that is not taken in yet, or, inside a step,
    /// the task's own waker.
    ///
    /// If not, and no task is queued, only the owner can bring one back. A waker that one task holds
    /// of another counts as outside. Takes time in proportion to the number of tasks.
    pub fn wakers_out(&self) -> bool {
        let shared = &*self.shared;
        let out =
            self.running().is_some() || shared.gate.is_held() || shared.table.borrow().wakers_out();
        // Whoever dropped the last waker may have called it before: the fence makes that visible.
        fence(Ordering::Acquire);
        out || shared.home.inbox.arrived()
    }
}

impl<Y, T> Local for Shared<Y, T> {
    fn wake(&self, id: TaskId) -> bool {
        self.table.borrow_mut().wake(id)
    }

    fn cancel(&self, id: TaskId) -> Cancel {
        let found = self.table.borrow_mut().cancel(id, self.lent.running());
        match found {
            Found::Nothing => Cancel::Stale,
            Found::Running => {
                self.lent.unsettle();
                Cancel::Deferred
            }
            Found::Body(body) => {
                self.bury(id, body);
                Cancel::Dropped
            }
        }
    }

    fn own(&self, waker: &Waker) -> Option<TaskId> {
        self.lent.own_alike(waker)
    }
}

impl<Y, T> Shared<Y, T> {
    /// Finishes a step that did not bring the task back to the table. Away from the straight path, and
    /// not inlined, so that what it needs is not saved and made room for at each step.
    #[inline(never)]
    fn finish(&self, id: TaskId, result: StepResult<Y, T>) -> Outcome<Y, T> {
        self.settle(id);
        let mut body = self.table.borrow_mut().end(id);
        let outcome = match result {
            Ok(None) => unreachable!("a resume either returns or panics"),
            Ok(Some(Step::Complete(value))) => value.map_or(Outcome::Joined, Outcome::Complete),
            // It was cancelled meanwhile; or it would be parked.
            Ok(Some(Step::Yielded(value))) => match contain(value) {
                Ok(()) => Outcome::Cancelled,
                Err(payload) => Outcome::Panicked(payload),
            },
            Err(payload) => {
                let task = body.as_mut();
                let told = catch_unwind(AssertUnwindSafe(|| task.panicked(payload)));
                told.unwrap_or_else(Some).map_or(Outcome::Joined, Outcome::Panicked)
            }
        };
        self.bury(id, body);
        self.lent.set_running(None);
        outcome
    }

    /// Drops the body of a task that has ended, then frees its slot; or leaves there what the destructor panicked with.
    fn bury<B>(&self, id: TaskId, body: B) {
        match contain(body) {
            Ok(()) => {
                let slot = self.table.borrow_mut().remove(id);
                drop(slot);
            }
            Err(payload) => self.table.borrow_mut().fail(id, payload),
        }
    }

    /// Ends the loan of the waker, and says whether the task was cancelled during its step.
    #[cold]
    fn settle(&self, id: TaskId) -> bool {
        let made = self.lent.settle();
        self.table.borrow_mut().settle(id, made)
    }

    /// The next turn where it is not simply the next of this lap.
    #[cold]
    #[inline(never)]
    fn next_odd(&self) -> Option<Turn<Y, T>> {
        if self.home.inbox.arrived() {
            self.take_in();
        }
        self.table.borrow_mut().next_odd()
    }

    #[cold]
    fn take_in(&self) -> usize {
        let mut queued = 0;
        self.home
            .inbox
            .take(|id| queued += usize::from(self.table.borrow_mut().wake_from_afar(id)));
        for make in self.gate.take() {
            self.make(make);
            queued += 1;
        }
        queued
    }

    fn make(&self, make: Make<Y, T>) {
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(body) => {
                self.table.borrow_mut().insert(body);
            }
            Err(payload) => self.table.borrow_mut().insert_failed(payload),
        }
    }
}

impl<Y, T> Drop for Shared<Y, T> {
    /// Drops the tasks, every one, and then goes on with the first panic of a destructor.
    fn drop(&mut self) {
        registry::leave(self.home.number);
        self.home.inbox.close();
        // exit(3) in a step drops the thread-locals of its thread, and with one of them this: the body
        // that called it is still in use.
        if let Some(id) = self.lent.running() {
            mem::forget(self.table.get_mut().remove(id));
        }
        let spawns = self.gate.close().into_iter().map(contain);
        let bodies = mem::replace(self.table.get_mut(), Table::new()).into_bodies().map(contain);
        let panics: Vec<Payload> = spawns.chain(bodies).filter_map(Result::err).collect();
        if let Some(payload) = panics.into_iter().next()
            && !thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}

impl<Y, T> Clone for Scheduler<Y, T> {
    fn clone(&self) -> Scheduler<Y, T> {
        Scheduler { shared: self.shared.clone() }
    }
}

impl<Y: 'static, T: 'static> Default for Scheduler<Y, T> {
    fn default() -> Scheduler<Y, T> {
        Scheduler::new()
    }
}

impl<Y, T> fmt::Debug for Scheduler<Y, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.shared.table.borrow();
        f.debug_struct("Scheduler")
            .field("tasks", &table.len())
            .field("ready", &table.ready())
            .field("running", &self.shared.lent.running())
            .finish()
    }
}

impl Cancel {
    /// Whether there was a task to cancel.
    pub fn found(self) -> bool {
        self != Cancel::Stale
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StepError::Idle => "no task is queued",
            StepError::Nested => "a step is under way already",
        })
    }
}

impl std::error::Error for StepError {}

/// What one resume brought.
type StepResult<Y, T> = thread::Result<Option<Step<Y, Option<T>>>>;

/// Drops a value of a user's type, whose destructor may panic.
fn contain<V>(value: V) -> Result<(), Payload> {
    catch_unwind(AssertUnwindSafe(|| drop(value)))
}

/// How often [`Scheduler::clear`] looks for tasks that destructors have spawned.
const CLEAR_ROUNDS: usize = 16;
