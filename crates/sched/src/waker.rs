//! Wakers: one on the stack for the length of a step, and one in an `Arc` once somebody clones it.
//!
//! Most steps clone no waker, so a step passes one whose data is a [`Frame`] on its stack: no
//! allocation, no counting. The first clone makes the task's [`TaskWaker`]; it is kept with the task,
//! and later steps pass that one, so that `will_wake` holds between a clone and the waker passed.
//!
//! `&Waker` is `Sync`: a thread scoped inside a step may clone or wake it. Hence a frame holds
//! nothing but what is immutable or atomic, and each wake looks where it is before it touches a
//! scheduler (see `registry`).
//!
//! The tables are statics of our own, because the one behind [`std::task::Wake`] may exist several
//! times in one program, and then neither `will_wake` nor [`Lent::is`] could rely on its address.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::thread;

use crate::TaskId;
use crate::inbox::{Flag, Inbox};
use crate::registry;

/// The sending side of one scheduler: its number, and its inbox.
pub(crate) struct Home {
    pub(crate) number: u64,
    pub(crate) inbox: Inbox<TaskId>,
}

/// What clones of a task's waker share.
pub(crate) struct TaskWaker {
    id: TaskId,
    flag: Flag,
    home: Arc<Home>,
}

impl TaskWaker {
    pub(crate) fn new(id: TaskId, home: &Arc<Home>) -> Arc<TaskWaker> {
        Arc::new(TaskWaker {
            id,
            flag: Flag::new(),
            home: Arc::clone(home),
        })
    }

    /// Lets the next wake from another thread through.
    pub(crate) fn lower_flag(&self) {
        self.flag.lower();
    }

    pub(crate) fn into_waker(self: Arc<TaskWaker>) -> Waker {
        // SAFETY: the data is what `TASK` expects, a counted pointer of an `Arc<TaskWaker>`, whose
        // count passes to the waker. A `TaskWaker` is `Send` and `Sync`, as all its fields are.
        unsafe { Waker::new(Arc::into_raw(self).cast(), &TASK) }
    }

    fn wake(&self) {
        match registry::find(self.home.number) {
            Some(scheduler) => {
                scheduler.wake(self.id);
            }
            None => self.home.inbox.wake(&self.flag, self.id),
        }
    }
}

/// The waker that a step has lent to its task, to be recognised.
pub(crate) struct Lent {
    data: Cell<*const ()>,
    /// Null between steps, which no waker's is.
    table: Cell<*const RawWakerVTable>,
}

/// What a lent waker points to until it is first cloned.
struct Frame<'a> {
    id: TaskId,
    home: &'a Arc<Home>,
    made: OnceLock<Arc<TaskWaker>>,
}

impl Lent {
    pub(crate) const fn new() -> Lent {
        Lent {
            data: Cell::new(ptr::null()),
            table: Cell::new(ptr::null()),
        }
    }

    /// Calls `step` with the task's waker, and catches its panic. `kept` is the task's waker, if there
    /// is one already; the second result is one if `step` cloned the waker for the first time.
    #[inline(always)]
    pub(crate) fn during<R>(
        &self,
        id: TaskId,
        home: &Arc<Home>,
        kept: Option<&Arc<TaskWaker>>,
        step: impl FnOnce(&Waker) -> R,
    ) -> (thread::Result<R>, Option<Arc<TaskWaker>>) {
        let frame = ManuallyDrop::new(Frame {
            id,
            home,
            made: OnceLock::new(),
        });
        let (data, table): (*const (), &'static RawWakerVTable) = match kept {
            Some(task) => (Arc::as_ptr(task).cast(), &TASK),
            None => ((&raw const *frame).cast(), &FRAME),
        };
        self.data.set(data);
        self.table.set(table);
        // SAFETY: the data is what the table expects: a frame, or an `Arc`'s pointer. Both outlive the
        // waker, which this function only lends, and which holds no count that its drop could give back.
        let waker = ManuallyDrop::new(unsafe { Waker::new(data, table) });
        let result = catch_unwind(AssertUnwindSafe(|| step(&waker)));
        self.table.set(ptr::null());
        // The look first: to move the frame out costs as much as the rest of the step.
        if frame.made.get().is_none() {
            return (result, None);
        }
        (result, ManuallyDrop::into_inner(frame).made.into_inner())
    }

    /// Whether `waker` is the one lent at this moment: the same data and the same table.
    #[inline]
    pub(crate) fn is(&self, waker: &Waker) -> bool {
        waker.data() == self.data.get() && ptr::eq(waker.vtable(), self.table.get())
    }

    /// A clone of the waker lent at this moment.
    pub(crate) fn to_waker(&self) -> Option<Waker> {
        // SAFETY: a table is set only while `during` runs, together with its data, both of which are
        // good until it resets the table; the waker made here gives back no count.
        let waker =
            unsafe { ManuallyDrop::new(Waker::new(self.data.get(), self.table.get().as_ref()?)) };
        Some(Waker::clone(&waker))
    }
}

impl Frame<'_> {
    fn task(&self) -> &Arc<TaskWaker> {
        self.made.get_or_init(|| TaskWaker::new(self.id, self.home))
    }
}

/// The table of wakers whose data is the pointer of an `Arc<TaskWaker>`.
static TASK: RawWakerVTable =
    RawWakerVTable::new(task_clone, task_wake, task_wake_by_ref, task_drop);

/// The table of wakers whose data is a [`Frame`]. They are only lent: nobody owns one, so there is
/// nothing to drop, and a wake by value is one by reference.
static FRAME: RawWakerVTable = RawWakerVTable::new(frame_clone, frame_wake, frame_wake, |_| ());

/// # Safety
///
/// `data` is a pointer of a living `Arc<TaskWaker>`.
unsafe fn task_clone(data: *const ()) -> RawWaker {
    // SAFETY: as the caller promises.
    unsafe { Arc::increment_strong_count(data.cast::<TaskWaker>()) };
    RawWaker::new(data, &TASK)
}

/// # Safety
///
/// `data` is a pointer of an `Arc<TaskWaker>`, and one count of it is the caller's to give away.
unsafe fn task_wake(data: *const ()) {
    // SAFETY: as the caller promises.
    unsafe { Arc::from_raw(data.cast::<TaskWaker>()) }.wake();
}

/// # Safety
///
/// `data` is a pointer of a living `Arc<TaskWaker>`.
unsafe fn task_wake_by_ref(data: *const ()) {
    // SAFETY: as the caller promises.
    unsafe { &*data.cast::<TaskWaker>() }.wake();
}

/// # Safety
///
/// `data` is a pointer of an `Arc<TaskWaker>`, and one count of it is the caller's to give away.
unsafe fn task_drop(data: *const ()) {
    // SAFETY: as the caller promises.
    drop(unsafe { Arc::from_raw(data.cast::<TaskWaker>()) });
}

/// # Safety
///
/// `data` points to a living [`Frame`].
unsafe fn frame_clone(data: *const ()) -> RawWaker {
    // SAFETY: as the caller promises. Frames are shared between threads by reference only, and all
    // their fields are `Sync`.
    let task = Arc::clone(unsafe { &*data.cast::<Frame<'_>>() }.task());
    RawWaker::new(Arc::into_raw(task).cast(), &TASK)
}

/// # Safety
///
/// `data` points to a living [`Frame`].
unsafe fn frame_wake(data: *const ()) {
    // SAFETY: as for `frame_clone`.
    let frame = unsafe { &*data.cast::<Frame<'_>>() };
    match registry::find(frame.home.number) {
        Some(scheduler) => {
            scheduler.wake(frame.id);
        }
        None => frame.task().wake(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wakers_share_may_cross_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<TaskWaker>();
        crosses::<Frame<'_>>();
    }
}
