//! Channels between tasks, and between threads and a loop.
//!
//! They are those of the `async-channel` crate, with what the laws of the loop ask for: each value
//! sent or received takes one operation off the budget of its task ([`BUDGET`](crate::BUDGET)), so
//! that who receives from a channel that is never empty gives up the turn; and a task that waits for a
//! value, or for room, is listed as such by [`tasks`](crate::tasks).
//!
//! Both ends may be cloned, and used on any thread: in a loop, under another executor, or in a plain
//! thread with [`send_blocking`](Sender::send_blocking) and [`recv_blocking`](Receiver::recv_blocking).
//! A loop whose tasks wait for channels only takes it that another thread may still send, and never
//! reports [`Stuck`](crate::RunError::Stuck).
//!
//! Nothing is lost in silence. What cannot be sent comes back in the error. A [`send`](Sender::send)
//! dropped before its end drops the value with it: to keep it, use [`try_send`](Sender::try_send). A
//! [`recv`](Receiver::recv) dropped before its end has taken nothing. Values that nobody has received
//! when the last end goes are dropped with the channel.
//!
//! ```
//! use net::channel;
//!
//! let event_loop = net::EventLoop::new()?;
//! let (sender, receiver) = channel::bounded(16);
//! let thread = std::thread::spawn(move || {
//!     for number in 1..=1_000 {
//!         sender.send_blocking(number).expect("somebody receives");
//!     }
//! });
//! let sum = event_loop.run_until(async move {
//!     let mut sum = 0;
//!     while let Ok(number) = receiver.recv().await {
//!         sum += number;
//!     }
//!     sum
//! })?;
//! assert_eq!(sum, 500_500);
//! thread.join().unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use async_channel::{RecvError, SendError, TryRecvError, TrySendError};
use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::ask::Direction;
use crate::core::current;
use crate::fair::{Fair, Turn, What, fair};

/// A channel that holds at most `values` values; then senders wait.
///
/// Costs two allocations, and a wait one more for each end that waits. Receivers share the values:
/// each goes to one of them.
///
/// # Panics
///
/// When `values` is zero.
#[must_use]
pub fn bounded<T>(values: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = async_channel::bounded(values);
    (Sender { inner: sender, name: None }, Receiver::new(receiver, None))
}

/// A channel for one value, which is sent without waiting.
///
/// ```
/// # net::EventLoop::new()?.run_until(async {
/// let (sender, answer) = net::channel::oneshot();
/// std::thread::spawn(move || sender.send(6 * 7));
/// assert_eq!(answer.await, Ok(42));
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn oneshot<T>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    let (sender, receiver) = bounded(1);
    (OneshotSender(sender), OneshotReceiver(Box::pin(receiver)))
}

/// Where values go into a channel. It closes when the last one is dropped, and what it holds can
/// still be received.
pub struct Sender<T> {
    inner: async_channel::Sender<T>,
    name: Option<Cow<'static, str>>,
}

impl<T> Sender<T> {
    /// Names the channel in the listing of tasks that wait through this end and its later clones. A
    /// name that is not a literal is copied at each operation.
    #[must_use]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Sender<T> {
        Sender { name: Some(name.into()), ..self }
    }

    /// Sends `value`, and waits until there is room for it.
    ///
    /// # Errors
    ///
    /// Gives the value back when the channel is closed.
    pub fn send(&self, value: T) -> Fair<async_channel::Send<'_, T>> {
        fair(self.inner.send(value)).waiting(What::Channel(Direction::Write, self.name.clone()))
    }

    /// Sends `value` if there is room now.
    ///
    /// # Errors
    ///
    /// Gives the value back when the channel is full or closed.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.inner.try_send(value)
    }

    /// Sends `value` from a plain thread, which sleeps until there is room.
    ///
    /// # Errors
    ///
    /// Gives the value back when the channel is closed.
    ///
    /// # Panics
    ///
    /// Inside a task: it would stop the whole loop, which may be the one that receives.
    pub fn send_blocking(&self, value: T) -> Result<(), SendError<T>> {
        refuse_in_task("send_blocking");
        self.inner.send_blocking(value)
    }

    /// Waits until every receiver is gone, or one end has closed the channel.
    pub fn closed(&self) -> Fair<async_channel::Closed<'_, T>> {
        fair(self.inner.closed()).named("a channel to be closed")
    }

    /// Closes the channel at both ends; what it holds can still be received. Returns whether it was
    /// open.
    pub fn close(&self) -> bool {
        self.inner.close()
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

pin_project! {
    /// Where values come out of a channel. It closes when the last one is dropped.
    ///
    /// It is also a `Stream` of the `futures-core` crate, which ends when the channel is closed and
    /// empty; as such it has to be pinned.
    pub struct Receiver<T> {
        #[pin]
        inner: async_channel::Receiver<T>,
        name: Option<Cow<'static, str>>,
        turn: Turn,
    }
}

impl<T> Receiver<T> {
    fn new(inner: async_channel::Receiver<T>, name: Option<Cow<'static, str>>) -> Receiver<T> {
        let turn = Turn::new(What::Channel(Direction::Read, name.clone()));
        Receiver { inner, name, turn }
    }

    /// Names the channel in the listing of tasks that wait through this end and its later clones. A
    /// name that is not a literal is copied at each operation.
    #[must_use]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Receiver<T> {
        Receiver::new(self.inner, Some(name.into()))
    }

    /// Waits for the next value.
    ///
    /// # Errors
    ///
    /// When the channel is closed and empty.
    pub fn recv(&self) -> Fair<async_channel::Recv<'_, T>> {
        fair(self.inner.recv()).waiting(What::Channel(Direction::Read, self.name.clone()))
    }

    /// The next value, if there is one now.
    ///
    /// # Errors
    ///
    /// When the channel is empty; the error tells whether it is closed as well.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.inner.try_recv()
    }

    /// Waits for the next value in a plain thread, which sleeps until it comes.
    ///
    /// # Errors
    ///
    /// When the channel is closed and empty.
    ///
    /// # Panics
    ///
    /// Inside a task: it would stop the whole loop, which may be the one that sends.
    pub fn recv_blocking(&self) -> Result<T, RecvError> {
        refuse_in_task("recv_blocking");
        self.inner.recv_blocking()
    }

    /// Closes the channel at both ends; what it holds can still be received. Returns whether it was
    /// open.
    pub fn close(&self) -> bool {
        self.inner.close()
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// How many values the channel holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether the channel holds no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        this.turn.poll(cx, |cx| this.inner.poll_next(cx))
    }
}

/// Sends the one value of a [`oneshot`].
#[derive(Debug)]
pub struct OneshotSender<T>(Sender<T>);

impl<T> OneshotSender<T> {
    /// Sends the value; there is always room.
    ///
    /// # Errors
    ///
    /// Gives the value back when nobody can receive it any more.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        self.0.try_send(value).map_err(|refused| SendError(refused.into_inner()))
    }

    /// Waits until the receiver is gone: nobody wants the value any more.
    pub fn closed(&self) -> Fair<async_channel::Closed<'_, T>> {
        self.0.closed()
    }

    /// Whether the receiver is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// Waits for the one value of a [`oneshot`]; by reference, too, where it may lose a race.
///
/// # Errors
///
/// It resolves to [`RecvError`] when the sender was dropped, or the value received before.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct OneshotReceiver<T>(Pin<Box<Receiver<T>>>);

impl<T> OneshotReceiver<T> {
    /// The value, if it has been sent.
    ///
    /// # Errors
    ///
    /// When it has not; the error tells whether it still may.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// Waits for the value in a plain thread, which sleeps until it comes.
    ///
    /// # Errors
    ///
    /// When the sender was dropped.
    ///
    /// # Panics
    ///
    /// Inside a task, as [`Receiver::recv_blocking`].
    pub fn recv_blocking(self) -> Result<T, RecvError> {
        self.0.recv_blocking()
    }
}

impl<T> Future for OneshotReceiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll_next(cx).map(|value| value.ok_or(RecvError))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { inner: self.inner.clone(), name: self.name.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver::new(self.inner.clone(), self.name.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("name", &self.name).finish_non_exhaustive()
    }
}

fn refuse_in_task(what: &str) {
    let in_task = current().is_ok_and(|core| core.scheduler.running().is_some());
    assert!(!in_task, "{what} inside a task would stop the event loop");
}
