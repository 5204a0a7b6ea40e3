//! What a task is: its id, its states, and what the scheduler calls in it.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::Waker;

use generator::{Resumable, Step};
use pin_project_lite::pin_project;

use crate::SlabId;

/// What the scheduler steps: a body, and what becomes of its result and of its panic.
///
/// [`spawn`](crate::Scheduler::spawn) makes one of any [`Resumable`] that returns what the scheduler
/// hands out. Write your own to send the result or the panic elsewhere: a group of tasks, a channel.
///
/// ```
/// use std::{cell::RefCell, pin::Pin, rc::Rc, task::Waker};
/// use generator::Step;
/// use sched::{Outcome, Payload, Scheduler, Task};
///
/// struct Fragile(Rc<RefCell<Vec<String>>>);
///
/// impl Task<()> for Fragile {
///     fn resume(self: Pin<&mut Self>, _waker: &Waker) -> Step<(), Option<()>> {
///         panic!("oh")
///     }
///     fn panicked(self: Pin<&mut Self>, payload: Payload) -> Option<Payload> {
///         let text = payload.downcast::<&str>().ok()?;
///         self.0.borrow_mut().push(text.to_string());
///         None
///     }
/// }
///
/// let scheduler = Scheduler::<()>::new();
/// let log = Rc::new(RefCell::new(Vec::new()));
/// let id = scheduler.spawn_task(Fragile(Rc::clone(&log)));
/// assert!(matches!(scheduler.step(), Ok((task, Outcome::Joined)) if task == id));
/// assert_eq!(*log.borrow(), ["oh"]);
/// ```
pub trait Task<Y, T = ()> {
    /// Runs the body to its next yield or to its end; `waker` brings the task back.
    ///
    /// `Complete(Some(value))` becomes [`Outcome::Complete`]; `Complete(None)` says that the result
    /// went elsewhere and becomes [`Outcome::Joined`].
    fn resume(self: Pin<&mut Self>, waker: &Waker) -> Step<Y, Option<T>>;

    /// Told that [`resume`](Task::resume) panicked, just before the task is dropped.
    ///
    /// A payload that it returns becomes [`Outcome::Panicked`]; after `None` the outcome is
    /// [`Outcome::Joined`].
    fn panicked(self: Pin<&mut Self>, payload: Payload) -> Option<Payload> {
        let _ = self;
        Some(payload)
    }
}

/// What one step brought.
#[derive(Debug)]
pub enum Outcome<Y, T> {
    /// The task asks for something, and is parked until it is woken, or queued if it was woken during this step.
    Yielded(Y),
    /// The task returned; it is gone.
    Complete(T),
    /// The task ended and its result or its panic went to somebody else: its [`JoinHandle`](crate::JoinHandle).
    Joined,
    /// The task was cancelled during this step, and is gone.
    Cancelled,
    /// The task panicked, or the destructor of a task that had ended did; it is gone.
    Panicked(Payload),
}

/// What a panic carries.
pub type Payload = Box<dyn Any + Send>;

/// Which task: a number that is used again, and a generation that is not.
///
/// The id of a task that has ended finds nothing, and never another task. The order is by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub(crate) SlabId);

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// In the queue.
    Queued,
    /// Yielded, and not woken since.
    Parked,
    /// Being stepped; also when it is cancelled or woken meanwhile.
    Running,
    /// Its body is gone and the destructor panicked; in the queue, to report that as [`Outcome::Panicked`].
    Failed,
}

/// A task as it comes and goes.
pub(crate) type Body<Y, T> = Pin<Box<dyn Task<Y, T>>>;

pin_project! {
    /// A body whose result and panic go to whoever steps.
    pub(crate) struct Plain<B> {
        #[pin]
        pub(crate) body: B,
    }
}

impl<B, Y, T> Task<Y, T> for Plain<B>
where
    B: for<'w> Resumable<&'w Waker, Yield = Y, Return = T>,
{
    #[inline]
    fn resume(self: Pin<&mut Self>, waker: &Waker) -> Step<Y, Option<T>> {
        match self.project().body.resume(waker) {
            Step::Yielded(value) => Step::Yielded(value),
            Step::Complete(value) => Step::Complete(Some(value)),
        }
    }
}

/// What stands in a task's slot while its body is dropped. It has no size, so that its box allocates nothing.
pub(crate) struct Away;

impl<Y, T> Task<Y, T> for Away {
    fn resume(self: Pin<&mut Self>, _waker: &Waker) -> Step<Y, Option<T>> {
        unreachable!("only tasks whose body is in its slot are in the queue")
    }
}

/// What is left of a task whose destructor panicked: its next step panics with the payload, so that
/// the hot path need not know of it.
pub(crate) struct Failed(pub(crate) Payload);

impl<Y, T> Task<Y, T> for Failed {
    fn resume(mut self: Pin<&mut Self>, _waker: &Waker) -> Step<Y, Option<T>> {
        std::panic::resume_unwind(std::mem::replace(&mut self.0, Box::new(())))
    }
}

impl TaskId {
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0.to_bits()
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<TaskId> {
        SlabId::from_bits(bits).map(TaskId)
    }

    /// The number of the task, small, and used again once the task has ended: an index for side tables.
    pub const fn index(self) -> usize {
        self.0.index()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}
