//! Bodies made of closures.

#![allow(dead_code)]

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Waker;

use generator::{Resumable, Step};
use sched::{Outcome, Scheduler, TaskId};

/// A body whose every resume calls a closure.
pub(crate) struct Act<F>(F);

pub(crate) fn act<Y, T, F: FnMut(&Waker) -> Step<Y, T> + Unpin>(resume: F) -> Act<F> {
    Act(resume)
}

impl<Y, T, F: FnMut(&Waker) -> Step<Y, T> + Unpin> Resumable<&Waker> for Act<F> {
    type Yield = Y;
    type Return = T;

    fn resume(mut self: Pin<&mut Self>, waker: &Waker) -> Step<Y, T> {
        (self.0)(waker)
    }
}

/// A body that yields a number of times.
pub(crate) fn yields(mut times: u32) -> impl for<'w> Resumable<&'w Waker, Yield = (), Return = ()> {
    act(move |_| {
        if times == 0 {
            return Step::Complete(());
        }
        times -= 1;
        Step::Yielded(())
    })
}

/// A body that owns something and never ends.
pub(crate) fn holding<V: Unpin>(
    value: V,
) -> impl for<'w> Resumable<&'w Waker, Yield = (), Return = ()> {
    act(move |_| {
        let _ = &value;
        Step::Yielded(())
    })
}

/// Calls a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A panic without a message on stderr.
pub(crate) fn quiet_panic<R>(payload: &'static str) -> R {
    std::panic::resume_unwind(Box::new(payload))
}

/// What a panic of [`quiet_panic`] said.
pub(crate) fn said(payload: &sched::Payload) -> &'static str {
    payload.downcast_ref::<&str>().copied().unwrap_or("?")
}

/// Steps until nothing is queued; what the steps brought, in short.
pub(crate) fn run(scheduler: &Scheduler<(), ()>) -> Vec<(TaskId, &'static str)> {
    let mut seen = Vec::new();
    while let Ok((id, outcome)) = scheduler.step() {
        seen.push((id, short(&outcome)));
    }
    seen
}

pub(crate) fn short<Y, T>(outcome: &Outcome<Y, T>) -> &'static str {
    match outcome {
        Outcome::Yielded(_) => "yielded",
        Outcome::Complete(_) => "complete",
        Outcome::Joined => "joined",
        Outcome::Cancelled => "cancelled",
        Outcome::Panicked(payload) => said(payload),
    }
}

/// Something shared to write to from bodies and destructors.
pub(crate) fn log<V>() -> Rc<RefCell<Vec<V>>> {
    Rc::new(RefCell::new(Vec::new()))
}
