//! What a task can ask the loop for: the whole vocabulary of a yield.

use std::rc::Rc;
use std::time::Instant;

use crate::core::Core;
use crate::source::Source;

/// What a generator task yields. The loop grants it and resumes the task with `Ok(())`, or with
/// the error that says why it was not granted.
///
/// A future that is pending has noted itself where it waits, so its ask is always [`Ask::Park`].
#[derive(Debug)]
pub enum Ask {
    /// My turn again, after everybody who is ready now.
    Turn,
    /// Bring me back when a source is ready; [`Ask::read`] and [`Ask::write`] make one.
    Ready(Wanted),
    /// Bring me back at this moment, never earlier.
    Until(Instant),
    /// Bring me back when my waker is called.
    Park,
}

/// Readiness of a source in one direction, with an optional deadline.
#[derive(Debug)]
pub struct Wanted {
    pub(crate) source: Rc<Source>,
    /// The source's loop.
    pub(crate) core: Rc<Core>,
    pub(crate) direction: Direction,
    pub(crate) deadline: Option<Instant>,
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the program: data, a connection to accept, the end of the stream.
    Read = 0,
    /// Out of the program: room to send, the end of a connection attempt.
    Write = 1,
}

/// What a generator can wait for: a listener, a stream or a half of one, a datagram socket, and on
/// Unix a `Pollable`.
///
/// It cannot be implemented elsewhere.
pub trait Awaitable: sealed::Sealed {
    /// Readiness of this socket in `direction`, without a deadline.
    fn wanted(&self, direction: Direction) -> Wanted;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl Ask {
    /// The note's `yield ('read', sock)`.
    pub fn read(socket: &impl Awaitable) -> Ask {
        Ask::ready(socket, Direction::Read, None)
    }

    /// The note's `yield ('write', sock)`.
    pub fn write(socket: &impl Awaitable) -> Ask {
        Ask::ready(socket, Direction::Write, None)
    }

    /// Readiness of `socket`, or [`TimedOut`](std::io::ErrorKind::TimedOut) once `deadline` has
    /// come.
    ///
    /// ```
    /// use std::time::Duration;
    /// use generator::Gen;
    /// use net::{Ask, Direction, EventLoop, TcpListener, now};
    ///
    /// let event_loop = EventLoop::new()?;
    /// let task = Gen::new(|co| async move {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let soon = now() + Duration::from_millis(5);
    ///     co.yield_(Ask::ready(&listener, Direction::Read, soon)).await
    /// });
    /// let mut handle = event_loop.spawn_generator(task);
    /// event_loop.run()?;
    /// let nobody_came = handle.try_join().unwrap().unwrap().unwrap_err();
    /// assert_eq!(nobody_came.kind(), std::io::ErrorKind::TimedOut);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ready(
        socket: &impl Awaitable,
        direction: Direction,
        deadline: impl Into<Option<Instant>>,
    ) -> Ask {
        Ask::Ready(Wanted { deadline: deadline.into(), ..socket.wanted(direction) })
    }
}
