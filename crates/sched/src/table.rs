//! The tasks and the queue of those whose turn will come. No code of a user runs in here.

use std::mem;
use std::sync::Arc;

use crate::prefetch::prefetch;
use crate::queue::Queue;
use crate::task::{Away, Body, Failed};
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
    /// [`Away`] while it is stepped or dropped.
    body: Body<Y, T>,
    /// Made at the first clone; with the step while there is one.
    waker: Option<Arc<TaskWaker>>,
}

/// A task taken out for one step.
pub(crate) struct Turn<Y, T> {
    pub(crate) id: TaskId,
    pub(crate) body: Body<Y, T>,
    pub(crate) waker: Option<Arc<TaskWaker>>,
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

// The states of a task, in its word.

/// Set at spawn, and when a parked task is woken; ends with the task's turn.
const QUEUED: u32 = 0;
/// As `QUEUED`, and the body is a [`Failed`]: set when a destructor has panicked.
const FAILED: u32 = 1;
/// Set after a step that yielded; ends with a wake.
const PARKED: u32 = 2;
/// Set for the length of a step.
const RUNNING: u32 = 3;
/// As `RUNNING`, and to be queued afterwards: set by a wake.
const WOKEN: u32 = 4;
/// As `RUNNING`, and to be dropped afterwards: set by a cancellation, and final.
const CANCELLED: u32 = 5;
/// Set while the body is dropped, before the slot is freed: the task counts as gone.
const ENDING: u32 = 6;

impl<Y, T> Table<Y, T> {
    pub(crate) const fn new() -> Table<Y, T> {
        Table {
            tasks: Slab::new(),
            queue: Queue::new(),
            stale: 0,
        }
    }

    /// Takes in a task and queues it.
    pub(crate) fn insert(&mut self, body: Body<Y, T>) -> TaskId {
        let id = TaskId(self.tasks.insert(Slot { body, waker: None }));
        self.push(id);
        id
    }

    /// Takes in a task that has failed before it was made.
    pub(crate) fn insert_failed(&mut self, payload: Payload) {
        let id = self.insert(Box::pin(Failed(payload)));
        if let Some((_, state)) = self.tasks.entry(id.0) {
            *state = FAILED;
        }
    }

    /// Takes out the task whose turn it is.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Turn<Y, T>> {
        if self.queue.done().is_multiple_of(BATCH) && self.queue.left() >= PREFETCH_FROM {
            self.look_ahead();
        }
        loop {
            let id = self.queue.pop()?;
            if let Some((slot, state)) = self.tasks.entry(id.0)
                && matches!(*state, QUEUED | FAILED)
            {
                *state = RUNNING;
                let body = mem::replace(&mut slot.body, away());
                let waker = slot.waker.take();
                return Some(Turn { id, body, waker });
            }
            self.stale -= 1;
        }
    }

    /// Puts a task back after a step that yielded, unless it was cancelled meanwhile.
    #[inline]
    pub(crate) fn park(
        &mut self,
        id: TaskId,
        body: Body<Y, T>,
        waker: Option<Arc<TaskWaker>>,
    ) -> Result<(), Body<Y, T>> {
        let Some((slot, state)) = self.tasks.entry(id.0) else {
            return Err(body);
        };
        if *state == CANCELLED {
            return Err(body);
        }
        // What is overwritten has nothing to drop; `forget` spares the look.
        mem::forget(mem::replace(&mut slot.body, body));
        mem::forget(mem::replace(&mut slot.waker, waker));
        if *state == WOKEN {
            *state = QUEUED;
            self.push(id);
        } else {
            *state = PARKED;
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn wake(&mut self, id: TaskId) -> bool {
        let Some((_, state)) = self.tasks.entry(id.0) else {
            return false;
        };
        match *state {
            PARKED => {
                *state = QUEUED;
                self.push(id);
                true
            }
            RUNNING => {
                *state = WOKEN;
                true
            }
            QUEUED | WOKEN => true,
            _ => false,
        }
    }

    /// Takes in a wake from another thread. The flag comes first: see `inbox`.
    pub(crate) fn wake_from_afar(&mut self, id: TaskId) -> bool {
        if let Some(Slot {
            waker: Some(waker), ..
        }) = self.tasks.get(id.0)
        {
            waker.lower_flag();
        }
        self.wake(id)
    }

    pub(crate) fn cancel(&mut self, id: TaskId) -> Found<Y, T> {
        let Some((slot, state)) = self.tasks.entry(id.0) else {
            return Found::Nothing;
        };
        match mem::replace(state, ENDING) {
            PARKED => Found::Body(mem::replace(&mut slot.body, away())),
            QUEUED => {
                let body = mem::replace(&mut slot.body, away());
                self.stale += 1;
                self.sweep();
                Found::Body(body)
            }
            RUNNING | WOKEN | CANCELLED => {
                *state = CANCELLED;
                Found::Running
            }
            other => {
                *state = other;
                Found::Nothing
            }
        }
    }

    /// Says that the task which was stepped has ended, and that its body is about to be dropped.
    pub(crate) fn end(&mut self, id: TaskId) {
        if let Some((_, state)) = self.tasks.entry(id.0) {
            *state = ENDING;
        }
    }

    /// Frees the slot of a task whose body is dropped.
    pub(crate) fn remove(&mut self, id: TaskId) -> Option<Slot<Y, T>> {
        self.tasks.remove(id.0)
    }

    /// Queues what a task's destructor panicked with.
    pub(crate) fn fail(&mut self, id: TaskId, payload: Payload) {
        if let Some((slot, state)) = self.tasks.entry(id.0) {
            slot.body = Box::pin(Failed(payload));
            *state = FAILED;
            self.push(id);
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
        let mut wakers = self
            .tasks
            .iter()
            .filter_map(|(_, slot)| slot.waker.as_ref());
        wakers.any(|waker| Arc::strong_count(waker) > 1)
    }

    pub(crate) fn state(&self, id: TaskId) -> Option<TaskState> {
        match self.tasks.word(id.0)? {
            QUEUED => Some(TaskState::Queued),
            PARKED => Some(TaskState::Parked),
            RUNNING | WOKEN | CANCELLED => Some(TaskState::Running),
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
        self.tasks.into_values().map(|slot| slot.body)
    }

    pub(crate) const fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn ready(&self) -> usize {
        self.queue.len() - self.stale
    }

    /// Asks for the slots and the bodies whose turns come soon. Among very many tasks each step would
    /// otherwise wait for memory, first for the slot and then for the body. Where slot follows slot,
    /// the processor sees for itself what comes next.
    #[inline(never)]
    fn look_ahead(&self) {
        let soon = self.queue.ahead(BATCH);
        let (Some(bodies), Some(slots)) = (soon.get(..=BATCH), soon.get(BATCH..2 * BATCH)) else {
            return;
        };
        for (pair, later) in bodies.windows(2).zip(slots) {
            if pair[0].index() + 1 != pair[1].index() {
                prefetch(self.tasks.place(later.0));
                if let Some(slot) = self.tasks.get(pair[0].0) {
                    prefetch(&raw const *slot.body);
                }
            }
        }
    }

    #[inline]
    fn push(&mut self, id: TaskId) {
        self.queue.push(id);
    }

    /// Sweeps stale entries out of the queue once they outnumber the others, so that spawning and
    /// cancelling without a step does not fill it; each entry pays for its own removal.
    fn sweep(&mut self) {
        let live = self.ready();
        if self.stale > live {
            let tasks = &self.tasks;
            self.queue
                .retain(|id| matches!(tasks.word(id.0), Some(QUEUED | FAILED)));
            // A task that was queued, cancelled, and queued again by its destructor's panic has two.
            self.stale = self.queue.len() - live;
        }
    }
}

/// With how many queued tasks it pays to look ahead: about what no longer fits the second cache.
const PREFETCH_FROM: usize = 16_384;

/// For how many tasks at a time to look ahead. The memory of a body is asked for one batch before its
/// turn, which is about as long as memory takes, and that of its slot two batches before.
const BATCH: usize = 8;

/// A body that stands for one elsewhere; no allocation.
fn away<Y, T>() -> Body<Y, T> {
    Box::pin(Away)
}
