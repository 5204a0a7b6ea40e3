//! Failures that nobody claims: they reach a hook and are counted.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::io::Write;
use std::rc::Rc;

use sched::TaskId;

use crate::trace;

/// A failure that no join handle and no group claimed.
#[derive(Debug)]
pub struct Failure<'a> {
    /// The task that failed; `None` for a foreign waker that panicked when a socket or timer of
    /// the loop called it.
    pub task: Option<TaskId>,
    /// The task's name, if it has one.
    pub name: Option<&'a str>,
    /// What went wrong.
    pub cause: Cause<'a>,
}

/// How a task failed.
#[derive(Debug)]
pub enum Cause<'a> {
    /// It panicked, with this payload.
    Panic(&'a (dyn Any + Send)),
    /// It ended with this error.
    Error(&'a (dyn Error + 'static)),
    /// It ended with an error, of a type that may not be shown, in a group that was dropped before
    /// anybody asked.
    Unread,
    /// A server could not accept; the task is the one that accepts.
    Accept(&'a std::io::Error),
}

pub(crate) type Hook = Rc<dyn Fn(&Failure<'_>)>;

/// Where failures go.
#[derive(Default)]
pub(crate) struct Failures {
    hook: RefCell<Option<Hook>>,
    count: Cell<u64>,
}

impl Failures {
    pub(crate) fn hook(&self, hook: Hook) {
        let before = self.hook.replace(Some(hook));
        drop(before);
    }

    /// The hook may hold what belongs to the loop, and must not outlive it.
    pub(crate) fn take_hook(&self) -> Option<Hook> {
        self.hook.take()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    pub(crate) fn report(&self, failure: &Failure<'_>) {
        self.count.set(self.count.get() + 1);
        trace::event!(ERROR, "{failure}");
        let hook = self.hook.borrow().clone();
        match hook {
            Some(hook) => hook(failure),
            None => {
                // Standard error may be closed; there is nowhere else to say so.
                let _ = writeln!(std::io::stderr(), "{failure}");
            }
        }
    }

    pub(crate) fn panicked(
        &self,
        task: Option<TaskId>,
        name: Option<&str>,
        payload: Box<dyn Any + Send>,
    ) {
        self.report(&Failure { task, name, cause: Cause::Panic(&*payload) });
        // A payload is user data; its destructor may panic as well.
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(payload)));
        if let Err(second) = dropped {
            std::mem::forget(second);
        }
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures").field("count", &self.count).finish_non_exhaustive()
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            Some(task) => write!(f, "task {task}")?,
            None => f.write_str("a waker")?,
        }
        if let Some(name) = self.name {
            write!(f, " ({name})")?;
        }
        match self.cause {
            Cause::Panic(payload) => write!(f, " panicked: {}", message(payload)),
            Cause::Error(error) => write!(f, " failed: {error}"),
            Cause::Unread => f.write_str(" failed in a group that was dropped"),
            Cause::Accept(error) => write!(f, " cannot accept: {error}"),
        }
    }
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is not text")
}
