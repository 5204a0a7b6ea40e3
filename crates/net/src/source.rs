//! A socket as the loop sees it: what the driver said of it, and who waits for it.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::task::Waker;

use sched::TaskId;

use crate::ask::Direction;
use crate::core::Arrivals;
use crate::deadlines::Limits;
use crate::driver::{Key, Readiness, Socket};

/// A socket with its registration, the readiness seen and not yet used up, and one waiter per
/// direction.
pub(crate) struct Source {
    pub(crate) socket: Socket,
    /// Set once, right after registering.
    pub(crate) key: Cell<Option<Key>>,
    /// Set while a simulation watches it.
    #[cfg(feature = "sim")]
    pub(crate) registered: Cell<bool>,
    /// Level backends only: the directions that the driver watches now.
    pub(crate) armed: Cell<Readiness>,
    /// What the driver reported, OR-ed together, minus what an operation found used up.
    ready: Cell<Readiness>,
    /// The directions in which somebody waits; the slots of the others are empty.
    waited: Cell<Readiness>,
    /// [`SHARED`], [`LEFT`] and [`SERVED`], in one byte.
    marks: Cell<u8>,
    slots: [Slot; 2],
    /// How long its waits may last; none until the first limit is set.
    limits: OnceCell<Box<Limits>>,
}

/// The mark of a source in which a second leaf waited with the waiter of a first one. It is never
/// cleared: from then on the end of one leaf's wait may be the end of the other's.
const SHARED: u8 = 4;

/// The mark for a direction, to read or to write, in which the wait, if there is one, was left by a
/// poll function: nobody ends it by dropping a leaf, and it gives way to the next one. Set by
/// [`Source::leave`]; cleared where another wait begins, but not on the short way of a leaf: poll functions
/// have the socket to themselves (`&mut`), so that nobody can come to such a leaf's wait.
const LEFT: [u8; 2] = [1, 2];

/// The mark of a connection that a server has handed to its handler: once the server stops, it may
/// end its waits to read. It is never cleared.
const SERVED: u8 = 8;

/// Who waits in one direction: exactly one of `task` and `foreign` while somebody does.
#[derive(Default)]
struct Slot {
    task: Cell<Option<TaskId>>,
    /// Made for the first foreign waker, and kept for the next.
    foreign: Cell<Option<Box<Foreign>>>,
    /// When the wait began, in nanoseconds of the loop's time.
    since: Cell<u64>,
}

/// A waker that is not the loop's own.
struct Foreign {
    /// `None` while nobody waits.
    waker: Option<Waker>,
    /// Which wait it is, among all of the loop's with foreign wakers.
    number: u64,
}

/// Who is to be brought back.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// A task of this loop.
    Task(TaskId),
    /// A waker that something between the leaf and the loop holds.
    Foreign(Waker),
}

impl Waiter {
    /// Whether both bring back the same one.
    pub(crate) fn is_same(&self, other: &Waiter) -> bool {
        match (self, other) {
            (Waiter::Task(task), Waiter::Task(other)) => task == other,
            (Waiter::Foreign(waker), Waiter::Foreign(other)) => waker.will_wake(other),
            _ => false,
        }
    }
}

impl Source {
    /// `ready` is what is known without asking: a connected socket can be written to.
    pub(crate) fn new(socket: Socket, ready: Readiness) -> Source {
        Source {
            socket,
            key: Cell::default(),
            #[cfg(feature = "sim")]
            registered: Cell::default(),
            armed: Cell::default(),
            ready: Cell::new(ready),
            waited: Cell::default(),
            marks: Cell::default(),
            slots: Default::default(),
            limits: OnceCell::new(),
        }
    }

    #[inline]
    pub(crate) fn is_ready(&self, direction: Direction) -> bool {
        self.ready.get().intersects(direction.flag())
    }

    /// Takes in a report of the driver, and brings back those who waited for it. Runs under borrows of
    /// the driver and the queue, so foreign wakers, which run any code, are only collected.
    #[inline(always)]
    pub(crate) fn report(&self, readiness: Readiness, arrivals: &mut Arrivals<'_>) {
        self.ready.set(self.ready.get() | readiness);
        let awaited = readiness & self.waited.get();
        if awaited == Readiness::READ
            && let Some(task) = self.take_task(Direction::Read)
        {
            arrivals.end_task_wait(task);
        } else if !awaited.is_empty() {
            self.report_odd(awaited, arrivals);
        }
    }

    /// Apart, because few wait to write, and few with a foreign waker.
    #[cold]
    #[inline(never)]
    fn report_odd(&self, awaited: Readiness, arrivals: &mut Arrivals<'_>) {
        for direction in Direction::BOTH {
            if awaited.intersects(direction.flag()) {
                match self.take_waiter(direction) {
                    Some(Waiter::Task(task)) => arrivals.end_task_wait(task),
                    Some(Waiter::Foreign(waker)) => arrivals.end_foreign_wait(waker),
                    None => {}
                }
            }
        }
    }

    /// Has the next operation try, though nothing was reported.
    pub(crate) fn seem_ready(&self, direction: Direction) {
        self.ready.set(self.ready.get() | direction.flag());
    }

    #[inline]
    pub(crate) fn limits(&self) -> Option<&Limits> {
        self.limits.get().map(Box::as_ref)
    }

    pub(crate) fn limits_or_none_yet(&self) -> &Limits {
        self.limits.get_or_init(Limits::none_yet)
    }

    /// An operation would have blocked: the next one waits for a new report.
    #[inline]
    pub(crate) fn used_up(&self, direction: Direction) {
        let spent = match direction {
            Direction::Read => Readiness::READ | odd(),
            Direction::Write => Readiness::WRITE,
        };
        self.ready.set(self.ready.get().without(spent));
    }

    /// What an operation found used up says nothing of the next one, which finds out for itself.
    pub(crate) fn assume_ready(&self, direction: Direction) {
        self.ready.set(self.ready.get() | direction.flag());
    }

    /// A read brought less than was asked for. On TCP that means "empty" unless the last report
    /// carried something besides data: behind an urgent byte or a hangup the kernel keeps bytes
    /// without a further edge.
    #[inline]
    pub(crate) fn short_read(&self) {
        let ready = self.ready.get();
        if !ready.intersects(odd()) {
            self.ready.set(ready.without(Readiness::READ));
        }
    }

    /// Whether it was taken out of its loop, or never got in: nothing will be reported of it.
    pub(crate) fn is_forgotten(&self) -> bool {
        #[cfg(feature = "sim")]
        if self.registered.get() {
            return false;
        }
        self.key.get().is_none()
    }

    /// Whether somebody waits in `direction`.
    #[inline]
    pub(crate) fn is_waited(&self, direction: Direction) -> bool {
        self.waited.get().intersects(direction.flag())
    }

    /// Every direction in which somebody waits.
    pub(crate) fn waited(&self) -> Readiness {
        self.waited.get()
    }

    #[inline]
    pub(crate) fn waiting_task(&self, direction: Direction) -> Option<TaskId> {
        self.slots[direction as usize].task.get()
    }

    /// Whether `waker` brings back who waits in `direction` already.
    pub(crate) fn is_waiting(&self, direction: Direction, waker: &Waker) -> bool {
        self.foreign(direction, |known, _| known.will_wake(waker)).unwrap_or(false)
    }

    /// The number of the wait in `direction`, if a foreign waker waits there.
    pub(crate) fn foreign_wait(&self, direction: Direction) -> Option<u64> {
        self.foreign(direction, |_, number| number)
    }

    fn foreign<T>(&self, direction: Direction, look: impl FnOnce(&Waker, u64) -> T) -> Option<T> {
        let slot = &self.slots[direction as usize].foreign;
        let known = slot.take()?;
        let seen = known.waker.as_ref().map(|waker| look(waker, known.number));
        slot.set(Some(known));
        seen
    }

    /// Says that a server has handed it to a handler.
    pub(crate) fn serve(&self) {
        self.marks.set(self.marks.get() | SERVED);
    }

    pub(crate) fn is_served(&self) -> bool {
        self.marks.get() & SERVED != 0
    }

    pub(crate) fn share(&self) {
        self.marks.set(self.marks.get() | SHARED);
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.marks.get() & SHARED != 0
    }

    /// Whether a poll function left the wait in `direction`.
    #[inline]
    pub(crate) fn is_left(&self, direction: Direction) -> bool {
        self.marks.get() & LEFT[direction as usize] != 0 && self.is_waited(direction)
    }

    /// Says that a poll function left the wait in `direction`.
    #[cfg(feature = "futures-io")]
    pub(crate) fn leave(&self, direction: Direction) {
        self.marks.set(self.marks.get() | LEFT[direction as usize]);
    }

    /// Says that somebody else begins a wait in `direction`.
    pub(crate) fn begin(&self, direction: Direction) {
        self.marks.set(self.marks.get() & !LEFT[direction as usize]);
    }

    /// Begins a wait in a direction in which nobody waits.
    #[inline]
    pub(crate) fn note_task(&self, direction: Direction, task: TaskId, now: u64) {
        let slot = &self.slots[direction as usize];
        slot.task.set(Some(task));
        slot.since.set(now);
        self.waited.set(self.waited.get() | direction.flag());
    }

    /// As [`Source::note_task`], for a waker that is not the loop's own.
    pub(crate) fn note_foreign(&self, direction: Direction, waker: Waker, number: u64, now: u64) {
        let slot = &self.slots[direction as usize];
        let foreign = Foreign { waker: Some(waker), number };
        slot.foreign.set(Some(match slot.foreign.take() {
            Some(mut kept) => {
                *kept = foreign;
                kept
            }
            None => Box::new(foreign),
        }));
        slot.since.set(now);
        self.waited.set(self.waited.get() | direction.flag());
    }

    /// Ends the wait in `direction` and says who waited.
    pub(crate) fn take_waiter(&self, direction: Direction) -> Option<Waiter> {
        match self.take_task(direction) {
            Some(task) => Some(Waiter::Task(task)),
            None => self.take_foreign(direction).map(Waiter::Foreign),
        }
    }

    /// Ends the wait in `direction`; without a task, [`Source::take_foreign`] says who waited.
    #[inline]
    pub(crate) fn take_task(&self, direction: Direction) -> Option<TaskId> {
        self.waited.set(self.waited.get().without(direction.flag()));
        self.slots[direction as usize].task.take()
    }

    #[cold]
    pub(crate) fn take_foreign(&self, direction: Direction) -> Option<Waker> {
        let slot = &self.slots[direction as usize].foreign;
        let mut kept = slot.take()?;
        let waker = kept.waker.take();
        slot.set(Some(kept));
        waker
    }

    pub(crate) fn since(&self, direction: Direction) -> u64 {
        self.slots[direction as usize].since.get()
    }

    /// Says that the wait in `direction` goes on from an earlier one.
    pub(crate) fn began(&self, direction: Direction, since: u64) {
        self.slots[direction as usize].since.set(since);
    }

    /// Who waits in `direction`, and since when: no task for a foreign waker.
    pub(crate) fn wait(&self, direction: Direction) -> Option<(Option<TaskId>, u64)> {
        let slot = &self.slots[direction as usize];
        self.is_waited(direction).then(|| (slot.task.get(), slot.since.get()))
    }
}

impl Direction {
    pub(crate) const BOTH: [Direction; 2] = [Direction::Read, Direction::Write];

    #[inline]
    pub(crate) fn flag(self) -> Readiness {
        match self {
            Direction::Read => Readiness::READ,
            Direction::Write => Readiness::WRITE,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("socket", &self.socket)
            .field("ready", &self.ready.get())
            .field("waited", &self.waited.get())
            .finish_non_exhaustive()
    }
}

/// What makes a short read prove nothing.
#[inline]
fn odd() -> Readiness {
    Readiness::PRIORITY | Readiness::ERROR | Readiness::HANGUP | Readiness::READ_HANGUP
}
