//! Results of tasks for whoever waits for them.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use generator::{Resumable, Step};
use pin_project_lite::pin_project;

use crate::registry::Local;
use crate::{Cancel, Payload, Task, TaskId};

/// Waits for a task's result: a future for inside a task, and methods for outside.
///
/// Made by [`Scheduler::spawn_join`](crate::Scheduler::spawn_join). Dropping it cancels nothing; the
/// result is then dropped with the task. Polled with the waker that the task's own scheduler passed,
/// it notes the polling task's id; any other waker it clones.
///
/// Polled again after it gave out the result, it says [`JoinError::Taken`].
///
/// ```
/// use generator::FromFuture;
/// use sched::{Outcome, Scheduler};
///
/// let scheduler = Scheduler::new();
/// let six = scheduler.spawn_join(FromFuture::new(async { 6 }));
/// scheduler.spawn(FromFuture::new(async { six.await.unwrap() * 7 }));
/// let mut results = Vec::new();
/// while let Ok((_, outcome)) = scheduler.step() {
///     if let Outcome::Complete(result) = outcome {
///         results.push(result);
///     }
/// }
/// assert_eq!(results, [42]);
/// ```
pub struct JoinHandle<O> {
    id: TaskId,
    cell: Rc<JoinCell<O>>,
}

/// Why a join brings no result.
pub enum JoinError {
    /// The task was cancelled, or its scheduler is gone.
    Cancelled,
    /// The task panicked.
    Panicked(Payload),
    /// The result has been given out before.
    Taken,
}

/// What the task and its handle share. Everything is moved in and out, so nothing is ever borrowed.
pub(crate) struct JoinCell<O> {
    scheduler: Weak<dyn Local>,
    result: Cell<Stage<O>>,
    waiter: Cell<Waiter>,
}

enum Stage<O> {
    Pending,
    /// Set by the task, once.
    Done(Result<O, JoinError>),
    /// Set by the handle, when it gives the result out.
    Taken,
}

/// Whom to wake; set by the handle, cleared by the task.
enum Waiter {
    Nobody,
    Task(TaskId),
    Foreign(Waker),
}

pin_project! {
    /// The task side: a body, and then, because it has to be dropped after it, the news of its end.
    pub(crate) struct Joined<B, O> {
        #[pin]
        body: B,
        end: End<O>,
    }
}

struct End<O>(Rc<JoinCell<O>>);

/// A task of `body`, and what its handle shares with it.
pub(crate) fn pair<B, O>(body: B, scheduler: Weak<dyn Local>) -> (Joined<B, O>, Rc<JoinCell<O>>) {
    let cell = Rc::new(JoinCell {
        scheduler,
        result: Cell::new(Stage::Pending),
        waiter: Cell::new(Waiter::Nobody),
    });
    (Joined { body, end: End(Rc::clone(&cell)) }, cell)
}

impl<O> JoinHandle<O> {
    pub(crate) fn new(id: TaskId, cell: Rc<JoinCell<O>>) -> JoinHandle<O> {
        JoinHandle { id, cell }
    }

    /// The task.
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// Whether the task has ended, by itself, by a panic or by a cancellation.
    pub fn is_finished(&self) -> bool {
        self.cell.is_done()
    }

    /// Cancels the task: see [`Scheduler::cancel`](crate::Scheduler::cancel).
    pub fn cancel(&self) -> Cancel {
        match self.cell.scheduler.upgrade() {
            Some(scheduler) => scheduler.cancel(self.id),
            None => Cancel::Stale,
        }
    }

    /// The result, if the task has ended; afterwards the error [`JoinError::Taken`].
    pub fn try_join(&mut self) -> Option<Result<O, JoinError>> {
        self.cell.take()
    }
}

impl<O> Future for JoinHandle<O> {
    type Output = Result<O, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.cell.take() {
            return Poll::Ready(result);
        }
        self.cell.note(cx.waker());
        // Once more, because the clone of a foreign waker may have run anything.
        self.cell.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<O> Drop for JoinHandle<O> {
    fn drop(&mut self) {
        self.cell.waiter.replace(Waiter::Nobody);
    }
}

impl<O> JoinCell<O> {
    fn is_done(&self) -> bool {
        let stage = self.result.replace(Stage::Pending);
        let done = !matches!(stage, Stage::Pending);
        self.result.set(stage);
        done
    }

    fn take(&self) -> Option<Result<O, JoinError>> {
        match self.result.replace(Stage::Taken) {
            Stage::Done(result) => Some(result),
            Stage::Taken => Some(Err(JoinError::Taken)),
            Stage::Pending => {
                self.result.set(Stage::Pending);
                None
            }
        }
    }

    fn note(&self, waker: &Waker) {
        let own = self.scheduler.upgrade().and_then(|scheduler| scheduler.own(waker));
        let waiter = match (own, self.waiter.replace(Waiter::Nobody)) {
            (Some(id), _) => Waiter::Task(id),
            (None, Waiter::Foreign(known)) if known.will_wake(waker) => Waiter::Foreign(known),
            (None, _) => Waiter::Foreign(waker.clone()),
        };
        self.waiter.set(waiter);
    }

    /// Stores the result and wakes who waits; gives the result back if there is one already.
    fn finish(&self, result: Result<O, JoinError>) -> Result<(), Result<O, JoinError>> {
        if self.is_done() {
            return Err(result);
        }
        self.result.set(Stage::Done(result));
        match self.waiter.replace(Waiter::Nobody) {
            Waiter::Nobody => (),
            Waiter::Task(id) => {
                if let Some(scheduler) = self.scheduler.upgrade() {
                    scheduler.wake(id);
                }
            }
            Waiter::Foreign(waker) => waker.wake(),
        }
        Ok(())
    }
}

impl<B, O, Y, T> Task<Y, T> for Joined<B, O>
where
    B: for<'w> Resumable<&'w Waker, Yield = Y, Return = O>,
{
    fn resume(self: Pin<&mut Self>, waker: &Waker) -> Step<Y, Option<T>> {
        let this = self.project();
        match this.body.resume(waker) {
            Step::Yielded(value) => Step::Yielded(value),
            Step::Complete(value) => {
                // A task completes once, so the cell is free.
                let _ = this.end.0.finish(Ok(value));
                Step::Complete(None)
            }
        }
    }

    /// The payload goes to the handle, unless there is none any more, or the panic came after the
    /// result, from a waker.
    fn panicked(self: Pin<&mut Self>, payload: Payload) -> Option<Payload> {
        if Rc::strong_count(&self.end.0) == 1 {
            return Some(payload);
        }
        match self.end.0.finish(Err(JoinError::Panicked(payload))) {
            Err(Err(JoinError::Panicked(payload))) => Some(payload),
            _ => None,
        }
    }
}

impl<O> Drop for End<O> {
    fn drop(&mut self) {
        // Refused, and rightly, when the task ended by itself.
        let _ = self.0.finish(Err(JoinError::Cancelled));
    }
}

impl JoinError {
    /// The payload, if the task panicked.
    ///
    /// # Errors
    ///
    /// Any other error comes back.
    pub fn into_panic(self) -> Result<Payload, JoinError> {
        match self {
            JoinError::Panicked(payload) => Ok(payload),
            other => Err(other),
        }
    }

    /// What the panic said, if it said it in words.
    fn message(&self) -> Option<&str> {
        let JoinError::Panicked(payload) = self else {
            return None;
        };
        let literal = payload.downcast_ref::<&str>().copied();
        literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.message()) {
            (JoinError::Cancelled, _) => f.write_str("the task was cancelled"),
            (JoinError::Taken, _) => f.write_str("the task's result was taken before"),
            (JoinError::Panicked(_), Some(message)) => write!(f, "the task panicked: {message}"),
            (JoinError::Panicked(_), None) => f.write_str("the task panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled => f.write_str("Cancelled"),
            JoinError::Taken => f.write_str("Taken"),
            JoinError::Panicked(_) => {
                f.debug_tuple("Panicked").field(&self.message().unwrap_or("..")).finish()
            }
        }
    }
}

impl std::error::Error for JoinError {}

/// For tasks whose own errors are those of input and output, so that `?` passes both on. What a task
/// panicked with is left as a message.
///
/// ```
/// fn joined(ended: Result<u8, sched::JoinError>) -> std::io::Result<u8> {
///     Ok(ended?)
/// }
/// let error = joined(Err(sched::JoinError::Cancelled)).unwrap_err();
/// assert_eq!(error.to_string(), "the task was cancelled");
/// ```
impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> std::io::Error {
        std::io::Error::other(error.to_string())
    }
}

impl<O> fmt::Debug for JoinHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id)
            .field("finished", &self.is_finished())
            .finish()
    }
}
