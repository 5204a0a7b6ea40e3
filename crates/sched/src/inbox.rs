//! The way in from other threads: flag, push, unpark, drain.
//!
//! A waking thread raises the task's flag, and if it was down pushes the task's id, says that
//! something has arrived, and calls the hook. The owner lowers "arrived", pops ids, and lowers each
//! flag *before* it wakes the task. So a task has at most one id in the queue, and no wake is lost:
//!
//! *The flag.* Thread W writes what the task shall see and raises the flag; the owner O has popped
//! the id of an earlier wake. If W finds the flag up, then O has not lowered it yet, and O's swap,
//! which reads what W's swap wrote, sees everything that W wrote before: the step that follows will
//! too. If W finds it down, it pushes again. A plain store in O's place would lower the flag
//! without seeing what W wrote.
//!
//! *Going to sleep.* O drains, finds nothing, and sleeps in a way that an earlier call of the hook
//! prevents or ends. W calls the hook last, so either O's drain sees the push, or the hook comes
//! after it.
//!
//! This file knows no other of the crate, so that the test under loom can include it as it is.

#[cfg(not(all(loom, test)))]
use {
    crossbeam_queue::SegQueue,
    std::sync::atomic::{AtomicBool, Ordering},
};

#[cfg(all(loom, test))]
use {
    loom::sync::atomic::{AtomicBool, Ordering},
    stand_in::SegQueue,
};

/// What other threads have sent and the owner has not taken in yet.
pub(crate) struct Inbox<I> {
    /// Whether something may be there: written by the senders after each push, lowered before the owner looks.
    arrived: AtomicBool,
    /// Whether the owner is gone. Set once; from then on nothing is taken in.
    closed: AtomicBool,
    woken: SegQueue<I>,
    unpark: Box<dyn Fn() + Send + Sync>,
}

/// Whether a wake of one task is on its way: raised by the first waking thread, lowered by the owner.
pub(crate) struct Flag(AtomicBool);

impl<I> Inbox<I> {
    pub(crate) fn new(unpark: Box<dyn Fn() + Send + Sync>) -> Inbox<I> {
        Inbox {
            arrived: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            woken: SegQueue::new(),
            unpark,
        }
    }

    /// Sends `id` to the owner, unless an earlier sending under the same flag is still on its way.
    pub(crate) fn wake(&self, flag: &Flag, id: I) {
        if self.post(flag, id) {
            self.announce();
        }
    }

    /// The first half of [`Inbox::wake`]: says whether the other half, to announce it, is to follow.
    pub(crate) fn post(&self, flag: &Flag, id: I) -> bool {
        let posts = !self.is_closed() && !flag.0.swap(true, Ordering::AcqRel);
        if posts {
            self.woken.push(id);
        }
        posts
    }

    /// Says that something has arrived, here or elsewhere, and calls the hook.
    pub(crate) fn announce(&self) {
        // A swap, and not a store, so that the owner's swap, which reads only the last of several
        // of these, synchronises with all of them.
        self.arrived.swap(true, Ordering::AcqRel);
        self.unpark();
    }

    /// Calls the hook, unless the owner is gone.
    pub(crate) fn unpark(&self) {
        if !self.is_closed() {
            (self.unpark)();
        }
    }

    /// Whether there may be something to take in: one load.
    #[inline]
    pub(crate) fn arrived(&self) -> bool {
        self.arrived.load(Ordering::Acquire)
    }

    /// Hands over the ids that are there now; the caller lowers the flag of each before it wakes the task.
    ///
    /// What is pushed meanwhile waits for the next time, or a busy sender could hold the owner here.
    pub(crate) fn take(&self, mut each: impl FnMut(I)) {
        if self.arrived.swap(false, Ordering::AcqRel) {
            for _ in 0..self.woken.len() {
                self.woken.pop().into_iter().for_each(&mut each);
            }
        }
    }

    /// Whether the owner is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Says that the owner is gone. Ids that still come in lie there until the inbox is dropped, one a flag.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl Flag {
    pub(crate) fn new() -> Flag {
        Flag(AtomicBool::new(false))
    }

    pub(crate) fn lower(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }
}

/// Loom cannot see into crossbeam's queue; this one makes its points of interleaving visible.
#[cfg(all(loom, test))]
mod stand_in {
    use std::collections::VecDeque;

    pub(crate) struct SegQueue<T>(loom::sync::Mutex<VecDeque<T>>);

    impl<T> SegQueue<T> {
        pub(crate) fn new() -> SegQueue<T> {
            SegQueue(loom::sync::Mutex::new(VecDeque::new()))
        }

        pub(crate) fn push(&self, value: T) {
            self.0.lock().unwrap().push_back(value);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.0.lock().unwrap().pop_front()
        }

        pub(crate) fn len(&self) -> usize {
            self.0.lock().unwrap().len()
        }
    }
}
