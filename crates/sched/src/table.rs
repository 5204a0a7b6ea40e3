//! The tasks and the queue of those whose turn will come. No code of a user runs in here.

use std::mem;
use std::sync::Arc;

use crate::prefetch::prefetch;
use crate::queue::Queue;
use crate::task::{Away, Body, Failed};
use crate::turn::{Resident, Turn};
use crate::waker::TaskWaker;
use crate::{Payload, Slab, TaskId, TaskState};

/// All tasks of a scheduler.
///
/// The queue is first in, first out, and that alone is the fairness law. A cancelled task leaves its
/// entry behind, which its generation gives away; when such entries outnumber the others, they
/// are swept out.
pub(crate) struct Table<Y, T> {
    tasks: Slab<Slot<Y, T>>,
    queue: Queue,
    /// How many entries of the queue are of tasks that are not queued.
    stale: usize,
}

/// What a task takes beside its body: 32 bytes with the slab's entry, whose word holds the state.
pub(crate) struct Slot<Y, T> {
    /// [`Away`] while it is dropped.
    body: Resident<Y, T>,
    /// Made at the first clone.
    waker: Option<Arc<TaskWaker>>,
}

/// What [`Table::cancel`] found.
pub(crate) enum Found<Y, T> {
    /// No task, or one that has ended but for its destructor.
    Nothing,
    /// The task being stepped.
    Running,
    /// A body to be dropped, and then [`Table::remove`]d or [`Table::fail`]ed.
    Body(Body<Y, T>),
}

// The states of a task, in its word. That a task is being stepped is not among them: the scheduler
// knows which one is. From the beginning of its step it counts as parked, so a wake queues it at once,
// behind those who are ready at that moment; and so a step that yields has nothing to write down.

/// Set at spawn, and when a parked task is woken; ends with the task's turn, or with its end if it was
/// being stepped when it was woken.
const QUEUED: u32 = 0;
/// As `QUEUED`, and the body is a [`Failed`]: set when a destructor has panicked.
const FAILED: u32 = 1;
/// Set when the task's turn comes; ends with a wake.
const PARKED: u32 = 2;
/// Being stepped, and to be dropped afterwards: set by a cancellation, and final.
const CANCELLED: u32 = 3;
/// Set while the body is dropped, before the slot is freed: the task counts as gone.
const ENDING: u32 = 4;

impl<Y, T> Table<Y, T> {
    pub(crate) const fn new() -> Table<Y, T> {
        Table { tasks: Slab::new(), queue: Queue::new(), stale: 0 }
    }

    /// Takes in a task and queues it.
    pub(crate) fn insert(&mut self, body: Body<Y, T>) -> TaskId {
        let body = Resident::new(body);
        let id = TaskId(self.tasks.insert(Slot { body, waker: None }));
        self.queue.push(id);
        id
    }

    /// Takes in a task that has failed before it was made.
    pub(crate) fn insert_failed(&mut self, payload: Payload) {
        let id = self.insert(Box::pin(Failed(payload)));
        if let Some((_, state)) = self.tasks.entry(id.0) {
            *state = FAILED;
        }
    }

    /// Begins the next turn of this lap, if there is one, and not a stale entry in its place.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Turn<Y, T>> {
        if self.queue.is_long() {
            self.look_ahead();
        }
        let id = self.queue.peek()?;
        let turn = self.begin(id)?;
        self.queue.advance();
        Some(turn)
    }

    /// As [`next`](Table::next), past stale entries and into the next lap.
    pub(crate) fn next_odd(&mut self) -> Option<Turn<Y, T>> {
        loop {
            let id = self.queue.pop()?;
            if let Some(turn) = self.begin(id) {
                return Some(turn);
            }
            self.stale -= 1;
        }
    }

    #[inline]
    fn begin(&mut self, id: TaskId) -> Option<Turn<Y, T>> {
        let (slot, state) = self.tasks.entry(id.0)?;
        if !matches!(*state, QUEUED | FAILED) {
            return None;
        }
        *state = PARKED;
        Some(slot.body.turn(id, slot.waker.as_ref()))
    }

    #[inline(always)]
    pub(crate) fn wake(&mut self, id: TaskId) -> bool {
        let Some(state) = self.tasks.word_mut(id.0) else {
            return false;
        };
        if *state == PARKED {
            *state = QUEUED;
            self.queue.push(id);
            return true;
        }
        *state == QUEUED
    }

    /// Takes in a wake from another thread. The flag comes first: see `inbox`.
    pub(crate) fn wake_from_afar(&mut self, id: TaskId) -> bool {
        if let Some(Slot { waker: Some(waker), .. }) = self.tasks.get(id.0) {
            waker.lower_flag();
        }
        self.wake(id)
    }

    /// Cancels a task; `running` is the one that is being stepped.
    pub(crate) fn cancel(&mut self, id: TaskId, running: Option<TaskId>) -> Found<Y, T> {
        let Some((slot, state)) = self.tasks.entry(id.0) else {
            return Found::Nothing;
        };
        let was_queued = *state == QUEUED;
        let found = match *state {
            PARKED | QUEUED if running == Some(id) => {
                *state = CANCELLED;
                Found::Running
            }
            PARKED | QUEUED => {
                *state = ENDING;
                Found::Body(mem::replace(&mut slot.body, away()).into_body())
            }
            CANCELLED => Found::Running,
            _ => Found::Nothing,
        };
        if was_queued {
            self.stale += 1;
            self.sweep();
        }
        found
    }

    /// Keeps the waker that was made during a step, and says whether the task was cancelled meanwhile.
    pub(crate) fn settle(&mut self, id: TaskId, made: Option<Arc<TaskWaker>>) -> bool {
        let Some((slot, state)) = self.tasks.entry(id.0) else {
            return false;
        };
        if made.is_some() {
            slot.waker = made;
        }
        *state == CANCELLED
    }

    /// Says that the task which was stepped has ended, and hands over its body to be dropped.
    pub(crate) fn end(&mut self, id: TaskId) -> Body<Y, T> {
        let Some((slot, state)) = self.tasks.entry(id.0) else {
            unreachable!("nothing frees the slot of the task being stepped");
        };
        let was_queued = mem::replace(state, ENDING) == QUEUED;
        let body = mem::replace(&mut slot.body, away()).into_body();
        self.stale += usize::from(was_queued);
        body
    }

    /// Frees the slot of a task whose body is dropped.
    pub(crate) fn remove(&mut self, id: TaskId) -> Option<Slot<Y, T>> {
        self.tasks.remove(id.0)
    }

    /// Queues what a task's destructor panicked with.
    pub(crate) fn fail(&mut self, id: TaskId, payload: Payload) {
        if let Some((slot, state)) = self.tasks.entry(id.0) {
            slot.body = Resident::new(Box::pin(Failed(payload)));
            *state = FAILED;
            self.queue.push(id);
        }
    }

    /// The waker of a task that is not being stepped, made by `make` if there is none yet.
    pub(crate) fn waker(
        &mut self,
        id: TaskId,
        make: impl FnOnce() -> Arc<TaskWaker>,
    ) -> Option<Arc<TaskWaker>> {
        let (slot, state) = self.tasks.entry(id.0)?;
        matches!(*state, QUEUED | PARKED).then(|| Arc::clone(slot.waker.get_or_insert_with(make)))
    }

    /// Whether somebody else holds a clone of the waker of a task that is not being stepped.
    pub(crate) fn wakers_out(&self) -> bool {
        let mut wakers = self.tasks.iter().filter_map(|(_, slot)| slot.waker.as_ref());
        wakers.any(|waker| Arc::strong_count(waker) > 1)
    }

    /// Where a task is, if it is not being stepped.
    pub(crate) fn state(&self, id: TaskId) -> Option<TaskState> {
        match self.tasks.word(id.0)? {
            QUEUED => Some(TaskState::Queued),
            PARKED => Some(TaskState::Parked),
            CANCELLED => Some(TaskState::Running),
            FAILED => Some(TaskState::Failed),
            _ => None,
        }
    }

    pub(crate) fn ids(&self) -> Vec<TaskId> {
        let ids = self.tasks.iter().map(|(id, _)| TaskId(id));
        ids.filter(|&id| self.state(id).is_some()).collect()
    }

    /// Takes all bodies out.
    pub(crate) fn into_bodies(self) -> impl Iterator<Item = Body<Y, T>> {
        self.tasks.into_values().map(|slot| slot.body.into_body())
    }

    pub(crate) const fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn ready(&self) -> usize {
        self.queue.len() - self.stale
    }

    /// Asks for the slot and the body whose turns come soon. Among very many tasks each step would
    /// otherwise wait for memory, first for the slot and then for the body. Where slot follows slot,
    /// the processor sees for itself what comes next.
    #[inline(never)]
    fn look_ahead(&self) {
        let soon = (self.queue.ahead(BODY_AHEAD), self.queue.ahead(BODY_AHEAD + 1));
        let (Some(id), Some(next)) = soon else { return };
        if id.index() + 1 == next.index() {
            return;
        }
        if let Some(slot) = self.tasks.get(id.0) {
            prefetch(slot.body.place());
        }
        if let Some(id) = self.queue.ahead(SLOT_AHEAD) {
            prefetch(self.tasks.place(id.0));
        }
    }

    /// Sweeps stale entries out of the queue once they outnumber the others, so that spawning and
    /// cancelling without a step does not fill it; each entry pays for its own removal.
    fn sweep(&mut self) {
        let live = self.ready();
        if self.stale > live {
            let tasks = &self.tasks;
            self.queue.retain(|id| matches!(tasks.word(id.0), Some(QUEUED | FAILED)));
            // A task that was queued, cancelled, and queued again by its destructor's panic has two.
            self.stale = self.queue.len() - live;
        }
    }
}

/// How many turns before its own a task's body is asked for: about as long as memory takes.
const BODY_AHEAD: usize = 8;

/// How many turns before its own a task's slot is asked for; it must be there to find the body.
const SLOT_AHEAD: usize = 2 * BODY_AHEAD;

/// A body that stands for one elsewhere; no allocation.
fn away<Y, T>() -> Resident<Y, T> {
    Resident::new(Box::pin(Away))
}
