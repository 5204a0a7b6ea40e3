//! The spans of tasks and connections.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use generator::{Resumable, Step};
use pin_project_lite::pin_project;
use sched::{Payload, Task, TaskId};
use tracing::field::{Empty, display};
use tracing::{Level, Span, event, info_span};

use crate::core::current;

pin_project! {
    /// A task's body with its span.
    pub(crate) struct Traced<B> {
        #[pin]
        body: B,
        // Dropped after the body.
        life: Life,
    }
}

/// A task as its span knows it.
struct Life {
    span: Span,
    /// Whether the span has been told the task's number: by who spawned it, otherwise by its first step.
    numbered: bool,
    /// Whether it has had a step.
    begun: bool,
    end: End,
}

/// How the task has ended, if it is dropped now.
#[derive(Clone, Copy)]
enum End {
    /// Between steps.
    Cancelled,
    /// During a step, which sets another one when it ends.
    Panicked,
    /// After its last step.
    Complete,
}

/// A body with its span, for the tasks that other threads spawn.
pub(crate) fn task<B>(body: B) -> Traced<B> {
    let span = info_span!(parent: None, "task", id = Empty, name = Empty);
    Traced { body, life: Life { span, numbered: false, begun: false, end: End::Cancelled } }
}

/// Hands a body with its span to `take_in`, and says which task it has become.
pub(crate) fn spawn<B, T>(
    body: B,
    take_in: impl FnOnce(Traced<B>) -> T,
    id: impl FnOnce(&T) -> TaskId,
) -> T {
    let mut traced = task(body);
    traced.life.numbered = true;
    let span = traced.life.span.clone();
    let taken = take_in(traced);
    let id = id(&taken);
    span.record("id", display(id));
    event!(Level::DEBUG, task = %id, "spawned");
    taken
}

pin_project! {
    /// What serves a connection, with its span.
    pub(crate) struct Served<A: Display, F> {
        #[pin]
        future: F,
        // Dropped after the future, which owns the stream.
        connection: Connection<A>,
    }
}

/// A connection as its span knows it.
struct Connection<A: Display> {
    peer: A,
    /// None before the first poll, which makes it, inside the span of the task.
    span: Span,
}

/// What serves a connection, in a span of its own.
pub(crate) fn connection<A: Display, F: Future>(peer: A, future: F) -> Served<A, F> {
    Served { future, connection: Connection { peer, span: Span::none() } }
}

impl<A: Display, F: Future> Future for Served<A, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Connection { peer, span } = this.connection;
        if span.is_none() {
            *span = info_span!("connection", %peer);
        }
        span.in_scope(|| this.future.poll(cx))
    }
}

impl<A: Display> Drop for Connection<A> {
    fn drop(&mut self) {
        event!(parent: &self.span, Level::DEBUG, peer = %self.peer, "closed");
    }
}

impl Life {
    fn step<Y, T>(&mut self, resume: impl FnOnce() -> Step<Y, T>) -> Step<Y, T> {
        if !self.begun {
            self.begin();
        }
        let entered = self.span.enter();
        self.end = End::Panicked;
        let step = resume();
        self.end = match step {
            Step::Yielded(_) => End::Cancelled,
            Step::Complete(_) => End::Complete,
        };
        drop(entered);
        step
    }

    fn begin(&mut self) {
        self.begun = true;
        let Ok(core) = current() else { return };
        let Some(task) = core.scheduler.running() else { return };
        if !self.numbered {
            self.span.record("id", display(task));
        }
        if let Some(name) = core.records.named(task) {
            self.span.record("name", &*name);
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let end = match self.end {
            End::Cancelled => "cancelled",
            End::Panicked => "panicked",
            End::Complete => "complete",
        };
        event!(parent: &self.span, Level::DEBUG, end, "ended");
    }
}

impl<'w, B: Resumable<&'w Waker>> Resumable<&'w Waker> for Traced<B> {
    type Yield = B::Yield;
    type Return = B::Return;

    fn resume(self: Pin<&mut Self>, waker: &'w Waker) -> Step<B::Yield, B::Return> {
        let this = self.project();
        this.life.step(|| this.body.resume(waker))
    }
}

impl<Y, T, B: Task<Y, T>> Task<Y, T> for Traced<B> {
    fn resume(self: Pin<&mut Self>, waker: &Waker) -> Step<Y, Option<T>> {
        let this = self.project();
        this.life.step(|| this.body.resume(waker))
    }

    fn panicked(self: Pin<&mut Self>, payload: Payload) -> Option<Payload> {
        self.project().body.panicked(payload)
    }
}
