//! Which schedulers live on this thread.
//!
//! A waker carries its scheduler's number, which is never used again. If the number is listed here,
//! this is the scheduler's thread, and the task is woken at once; otherwise the wake goes through the
//! inbox. Numbers, because neither an address nor a `ThreadId` says whether the scheduler still lives.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use crate::{Cancel, TaskId};

/// A scheduler, whatever its tasks yield and return.
pub(crate) trait Local {
    fn wake(&self, id: TaskId) -> bool;
    fn cancel(&self, id: TaskId) -> Cancel;
    fn own(&self, waker: &Waker) -> Option<TaskId>;
}

/// A number that no scheduler had before.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Lists a scheduler as living on this thread. Without a list, at the thread's end, its wakes go through its inbox.
pub(crate) fn join(number: u64, scheduler: Weak<dyn Local>) {
    let _ = HERE.try_with(|here| here.borrow_mut().push((number, scheduler)));
}

/// Takes a scheduler off the list.
pub(crate) fn leave(number: u64) {
    let _ = HERE.try_with(|here| here.borrow_mut().retain(|entry| entry.0 != number));
}

/// The scheduler, if it lives on this thread.
#[inline]
pub(crate) fn find(number: u64) -> Option<Rc<dyn Local>> {
    let found = HERE.try_with(|here| {
        let here = here.borrow();
        here.iter().find(|entry| entry.0 == number)?.1.upgrade()
    });
    found.ok().flatten()
}

thread_local! {
    /// No code but this file's runs while it is borrowed.
    static HERE: RefCell<Vec<(u64, Weak<dyn Local>)>> = const { RefCell::new(Vec::new()) };
}
