//! What the loop tells a subscriber of the `tracing` crate; without the feature `tracing`, nothing of it
//! is there.
//!
//! Every task has a span `task`, which is entered at each of its steps, and every connection of a
//! server a span `connection` inside that of its task. A task's span has no parent: tasks that spawn
//! one another without end would keep each other's spans.

#[cfg(feature = "tracing")]
mod spans;
#[cfg(feature = "tracing")]
pub(crate) use spans::{connection, spawn, task};

/// An event, with its level, its fields and what it says.
macro_rules! event {
    ($level:ident, $($field:tt)+) => {{
        #[cfg(feature = "tracing")]
        {
            tracing::event!(tracing::Level::$level, $($field)+);
        }
    }};
}
pub(crate) use event;

/// A task's body with its span.
#[cfg(not(feature = "tracing"))]
#[inline(always)]
pub(crate) fn task<B>(body: B) -> B {
    body
}

/// Hands a task's body to `take_in`, which gives it a number.
#[cfg(not(feature = "tracing"))]
#[inline(always)]
pub(crate) fn spawn<B, T>(
    body: B,
    take_in: impl FnOnce(B) -> T,
    _id: impl FnOnce(&T) -> sched::TaskId,
) -> T {
    take_in(body)
}

/// What serves a connection, with its span.
#[cfg(not(feature = "tracing"))]
#[inline(always)]
pub(crate) fn connection<A, F>(_peer: A, future: F) -> F {
    future
}
