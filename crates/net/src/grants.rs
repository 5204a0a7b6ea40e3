//! Granting what generator tasks ask for, and taking it back when they end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use sched::TaskId;

use crate::ask::{Direction, Wanted};
use crate::core::Core;
use crate::error::WrongLoop;
use crate::source::{Source, Waiter};
use crate::timers::{Timer, TimerId};

/// What generator tasks have to be told at their next resume; the tasks that are not in it have
/// simply got what they asked for.
#[derive(Debug, Default)]
pub(crate) struct Grants(RefCell<HashMap<TaskId, Grant>>);

#[derive(Debug)]
enum Grant {
    /// The ask was refused.
    Refused(io::Error),
    /// A moment was asked for.
    Until(TimerId),
    /// Readiness was asked for with a deadline; whichever came first decides.
    Deadline(TimerId),
}

/// The socket that a generator waits for, and in which direction.
pub(crate) type Place = (Rc<Source>, Direction);

impl Core {
    /// The note's `to_read[sock] = task`: the next event of the source brings the task back, or
    /// the deadline does. What is ready already costs a turn and nothing else.
    pub(crate) fn grant_ready(&self, task: TaskId, wanted: Wanted) {
        let Wanted { source, core, direction, deadline } = wanted;
        if source.is_ready(direction) {
            self.scheduler.wake(task);
            return;
        }
        let refused = match self.refusal(&core, &source) {
            Some(refused) => Err(refused),
            None => self.wait(&source, direction, Waiter::Task(task)),
        };
        let grant = match refused {
            Err(error) => {
                self.scheduler.wake(task);
                Grant::Refused(error)
            }
            Ok(()) => {
                let Some(deadline) = deadline else { return };
                Grant::Deadline(self.set_timer(task, deadline))
            }
        };
        self.grants.0.borrow_mut().insert(task, grant);
    }

    /// The deadline brings the task back.
    pub(crate) fn grant_until(&self, task: TaskId, deadline: Instant) {
        let timer = self.set_timer(task, deadline);
        self.grants.0.borrow_mut().insert(task, Grant::Until(timer));
    }

    fn set_timer(&self, task: TaskId, deadline: Instant) -> TimerId {
        let timer = Timer { waiter: Waiter::Task(task), since: self.stamp() };
        self.timers.borrow_mut().set(deadline, timer)
    }

    /// Why no event of `source`, which belongs to `core`, can bring a task of this loop back.
    fn refusal(&self, core: &Core, source: &Source) -> Option<io::Error> {
        if core.is_closed() {
            return Some(WrongLoop::Gone.into());
        }
        if !std::ptr::eq(core, self) {
            return Some(WrongLoop::Other.into());
        }
        source.is_forgotten().then(closed)
    }

    /// What became of the last ask of `task`, which waits at `place` if it asked for a socket;
    /// `None` if it is still waiting, and something else woke it.
    pub(crate) fn settle(&self, task: TaskId, place: Option<&Place>) -> Option<io::Result<()>> {
        let waits =
            place.is_some_and(|(source, direction)| source.waiting_task(*direction) == Some(task));
        let mut grants = self.grants.0.borrow_mut();
        let set = |timer: &TimerId| self.timers.borrow().is_set(*timer);
        let pending = match grants.get(&task) {
            None => waits,
            Some(Grant::Refused(_)) => false,
            Some(Grant::Until(timer)) => set(timer),
            Some(Grant::Deadline(timer)) => waits && set(timer),
        };
        if pending {
            return None;
        }
        let grant = grants.remove(&task);
        drop(grants);
        Some(self.outcome(task, place, grant))
    }

    fn outcome(&self, task: TaskId, place: Option<&Place>, grant: Option<Grant>) -> io::Result<()> {
        if let Some(Grant::Refused(error)) = grant {
            return Err(error);
        }
        let Some((source, direction)) = place else {
            return Ok(());
        };
        if let Some(Grant::Deadline(timer)) = grant {
            self.timers.borrow_mut().cancel(timer);
            if source.waiting_task(*direction) == Some(task) {
                self.end_wait(source, *direction);
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        if source.is_forgotten() { Err(closed()) } else { Ok(()) }
    }

    /// Takes back what a task asked for that ends without being resumed.
    pub(crate) fn abandon(&self, task: TaskId, place: Option<&Place>) {
        let grant = self.grants.0.borrow_mut().remove(&task);
        if let Some(Grant::Until(timer) | Grant::Deadline(timer)) = grant {
            self.timers.borrow_mut().cancel(timer);
        }
        if let Some((source, direction)) = place
            && source.waiting_task(*direction) == Some(task)
        {
            self.end_wait(source, *direction);
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket that the task waited for was closed")
}
