//! Wakers: one that is lent for the length of a step, and one in an `Arc` once somebody clones it.
//!
//! Most steps clone no waker, so a step lends one whose data is the scheduler's own [`Frame`], where
//! it has noted whose step it is: no allocation, no counting. The first clone makes the task's
//! [`TaskWaker`]; it is kept with the task, and later steps lend that one, so that `will_wake` holds
//! between a clone and the waker lent. A frame's waker cannot be kept beyond its step, because there
//! is only a reference to it, as long as the resume.
//!
//! `&Waker` is `Sync`: a thread scoped inside a step may clone or wake it. Hence a frame holds
//! nothing but what is immutable or atomic, and each wake looks where it is before it touches a
//! scheduler (see `registry`).
//!
//! The tables are statics of our own, because the one behind [`std::task::Wake`] may exist several
//! times in one program, and then neither `will_wake` nor [`Lent::own`] could rely on its address.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{RawWaker, RawWakerVTable, Waker};

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
        Arc::new(TaskWaker { id, flag: Flag::new(), home: Arc::clone(home) })
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

    /// A wake that gives up the waker. The owner steps the task and then asks whether a waker is out;
    /// if so it sleeps. Were this one given up after that, the owner would sleep for ever. So it
    /// goes first, and then the owner is told, also where an earlier wake has told it already.
    fn wake_and_drop(self: Arc<Self>) {
        if let Some(scheduler) = registry::find(self.home.number) {
            scheduler.wake(self.id);
            return;
        }
        let home = Arc::clone(&self.home);
        home.inbox.post(&self.flag, self.id);
        drop(self);
        home.inbox.announce();
    }
}

/// Whose step it is, and which waker is lent to it. Part of what the clones of a scheduler share.
pub(crate) struct Lent {
    frame: Frame,
    /// The data of the waker lent, if that is a [`TaskWaker`]; null otherwise, and between steps.
    kept: Cell<*const ()>,
}

/// What the clones of a scheduler share, and the waker of the frame in it. That is always the same one,
/// so a leaf that is polled with a waker at this very place knows it, and a step need not make one.
pub(crate) struct Lender<S> {
    shared: Rc<S>,
    /// Never dropped: it holds no count.
    waker: ManuallyDrop<Waker>,
}

/// What a lent waker points to until it is first cloned.
struct Frame {
    /// The id of the task being stepped, or 0: written by the owner, between the steps' user code. It
    /// is atomic because other threads may read it during a step.
    running: AtomicU64,
    home: Arc<Home>,
    /// Whether the end of the step has something to settle: set by the first clone, and from the
    /// start where a [`TaskWaker`] was lent; reset at the end.
    unsettled: AtomicBool,
    /// Made by the first clone; taken at the end of the step.
    made: Mutex<Option<Arc<TaskWaker>>>,
}

impl<S> Lender<S> {
    pub(crate) fn new(shared: Rc<S>, lent: impl FnOnce(&S) -> &Lent) -> Lender<S> {
        let frame = ptr::from_ref(&lent(&shared).frame).cast();
        // SAFETY: the data is what `FRAME` expects: a frame that lives as long as `shared` is borrowed,
        // which it is until this is dropped, and never mutably, since this keeps a count of it. The
        // waker is only lent, with a lifetime that this outlives.
        let waker = ManuallyDrop::new(unsafe { Waker::new(frame, &FRAME) });
        Lender { shared, waker }
    }

    pub(crate) fn downgrade(&self) -> Weak<S> {
        Rc::downgrade(&self.shared)
    }

    /// The frame's waker.
    #[inline]
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }
}

impl<S> Clone for Lender<S> {
    fn clone(&self) -> Lender<S> {
        // SAFETY: as in `new`, with a count of the same frame's owner.
        let waker = unsafe { Waker::new(self.waker.data(), self.waker.vtable()) };
        Lender { shared: Rc::clone(&self.shared), waker: ManuallyDrop::new(waker) }
    }
}

impl<S> Deref for Lender<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.shared
    }
}

impl Lent {
    pub(crate) fn new(home: Arc<Home>) -> Lent {
        let frame = Frame {
            running: AtomicU64::new(0),
            home,
            unsettled: AtomicBool::new(false),
            made: Mutex::new(None),
        };
        Lent { frame, kept: Cell::new(ptr::null()) }
    }

    /// The task being stepped.
    #[inline]
    pub(crate) fn running(&self) -> Option<TaskId> {
        TaskId::from_bits(self.frame.running.load(Relaxed))
    }

    #[inline]
    pub(crate) fn set_running(&self, id: Option<TaskId>) {
        self.frame.running.store(id.map_or(0, TaskId::to_bits), Relaxed);
    }

    /// Calls `step` with the running task's waker: `kept`, which was made for a clone, if there is
    /// one, otherwise `frame`, this frame's.
    ///
    /// # Safety
    ///
    /// `kept` is what `Arc::as_ptr` or `Arc::into_raw` gave, and not made of a reference, which would
    /// not reach the counts; and the `Arc` lives until this returns.
    #[inline(always)]
    pub(crate) unsafe fn during<R>(
        &self,
        frame: &Waker,
        kept: Option<NonNull<TaskWaker>>,
        step: impl FnOnce(&Waker) -> R,
    ) -> R {
        let made;
        let waker = match kept {
            None => frame,
            Some(task) => {
                // SAFETY: the caller promises that the `Arc` lives; the waker made here is only lent,
                // and its drop, which would give back a count, never comes.
                made = ManuallyDrop::new(unsafe { Waker::new(self.keep(task), &TASK) });
                &made
            }
        };
        step(waker)
    }

    /// Has the step that is under way settled at its end.
    pub(crate) fn unsettle(&self) {
        self.frame.unsettled.store(true, Relaxed);
    }

    /// Whether the end of the step has something to settle.
    #[inline]
    pub(crate) fn is_unsettled(&self) -> bool {
        self.frame.unsettled.load(Acquire)
    }

    /// Ends the loan. Gives out the task's waker if the step has made the first.
    pub(crate) fn settle(&self) -> Option<Arc<TaskWaker>> {
        self.kept.set(ptr::null());
        self.frame.unsettled.store(false, Relaxed);
        self.frame.made().take()
    }

    /// The running task, if `waker` is the one lent to it: `frame` itself, or one alike.
    #[inline]
    pub(crate) fn own(&self, frame: &Waker, waker: &Waker) -> Option<TaskId> {
        if ptr::eq(waker, frame) { self.running() } else { self.own_alike(waker) }
    }

    /// The running task, if `waker` has the data and the table of the one lent to it.
    #[inline(never)]
    pub(crate) fn own_alike(&self, waker: &Waker) -> Option<TaskId> {
        let kept = waker.data() == self.kept.get() && ptr::eq(waker.vtable(), &TASK);
        let frame = ptr::from_ref(&self.frame).cast();
        let framed = waker.data() == frame && ptr::eq(waker.vtable(), &FRAME);
        if kept || framed { self.running() } else { None }
    }

    /// A clone of the waker lent at this moment; only for during a step.
    pub(crate) fn to_waker(&self) -> Waker {
        if self.kept.get().is_null() {
            return self.frame.task().into_waker();
        }
        // SAFETY: the pointer was lent by `during` and is reset before that ends; until then there is
        // an `Arc` behind it. The waker made here gives back no count.
        let waker = ManuallyDrop::new(unsafe { Waker::new(self.kept.get(), &TASK) });
        Waker::clone(&waker)
    }

    #[cold]
    fn keep(&self, task: NonNull<TaskWaker>) -> *const () {
        let data = task.as_ptr().cast_const().cast();
        self.kept.set(data);
        self.unsettle();
        data
    }
}

impl Frame {
    fn task(&self) -> Arc<TaskWaker> {
        let id = TaskId::from_bits(self.running.load(Relaxed)).expect("a frame is lent by a step");
        let mut made = self.made();
        self.unsettled.store(true, Release);
        Arc::clone(made.get_or_insert_with(|| TaskWaker::new(id, &self.home)))
    }

    fn made(&self) -> MutexGuard<'_, Option<Arc<TaskWaker>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
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
    unsafe { Arc::from_raw(data.cast::<TaskWaker>()) }.wake_and_drop();
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
    // SAFETY: as the caller promises. Other threads get at frames too, but all their fields are `Sync`.
    let task = unsafe { &*data.cast::<Frame>() }.task();
    RawWaker::new(Arc::into_raw(task).cast(), &TASK)
}

/// # Safety
///
/// `data` points to a living [`Frame`].
unsafe fn frame_wake(data: *const ()) {
    // SAFETY: as for `frame_clone`.
    let frame = unsafe { &*data.cast::<Frame>() };
    match (registry::find(frame.home.number), TaskId::from_bits(frame.running.load(Relaxed))) {
        (Some(scheduler), Some(id)) => {
            scheduler.wake(id);
        }
        _ => frame.task().wake(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wakers_share_may_cross_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<TaskWaker>();
        crosses::<Frame>();
    }
}
