//! The loop's own errors. Where the kernel speaks, its `io::Error` stands; these travel inside
//! one, as its cause, wherever an operation on a socket returns `io::Result`.

use std::fmt;
use std::io;

use sched::TaskId;

use crate::ask::Direction;
use crate::listing::TaskInfo;

/// No event loop runs on this thread: sockets, timers and tasks are made inside
/// [`EventLoop::run`](crate::EventLoop::run), or within [`EventLoop::enter`](crate::EventLoop::enter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoLoop;

/// Somebody else waits for this socket in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyWaiting {
    /// The direction both want.
    pub direction: Direction,
    /// The task that waits; `None` where only a foreign waker is known.
    pub first: Option<TaskId>,
    /// The task that was refused; `None` where only a foreign waker is known.
    pub second: Option<TaskId>,
}

/// A socket was used where its loop cannot bring the user back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongLoop {
    /// Another loop runs on this thread.
    Other,
    /// The socket's loop has been dropped.
    Gone,
}

/// Why a run ended without all tasks having ended.
#[derive(Debug)]
pub enum RunError {
    /// The selector failed.
    Io(io::Error),
    /// Every task waits for something that cannot come: no source, timer, handle or waker is left
    /// that could bring one back.
    Stuck(Vec<TaskInfo>),
    /// The loop already runs: a task may not run its own loop.
    Nested,
    /// The future that was run was cancelled from inside.
    Cancelled,
}

impl fmt::Display for NoLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no event loop runs on this thread: call this inside `EventLoop::run` or `EventLoop::enter`")
    }
}

impl fmt::Display for AlreadyWaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Read => "read from",
            Direction::Write => "write to",
        };
        let name = |task: Option<TaskId>| match task {
            Some(task) => format!("task {task}"),
            None => "a foreign waker".to_owned(),
        };
        let (first, second) = (name(self.first), name(self.second));
        write!(f, "{first} already waits to {direction} this socket; {second} was refused")
    }
}

impl fmt::Display for WrongLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of("socket"))
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Io(error) => write!(f, "waiting for events: {error}"),
            RunError::Nested => f.write_str("this event loop already runs"),
            RunError::Cancelled => f.write_str("the future that was run has been cancelled"),
            RunError::Stuck(tasks) => {
                f.write_str("every task waits for something that cannot come:")?;
                tasks.iter().try_for_each(|task| write!(f, "\n  {task}"))
            }
        }
    }
}

impl WrongLoop {
    /// What is wrong with using `what`, a socket or a timer.
    pub(crate) fn of(self, what: &str) -> String {
        match self {
            WrongLoop::Other => {
                format!("this {what} belongs to another event loop than the one that runs here")
            }
            WrongLoop::Gone => format!("the event loop of this {what} has been dropped"),
        }
    }
}

impl std::error::Error for NoLoop {}
impl std::error::Error for AlreadyWaiting {}
impl std::error::Error for WrongLoop {}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Io(error) => Some(error),
            RunError::Stuck(_) | RunError::Nested | RunError::Cancelled => None,
        }
    }
}

impl From<NoLoop> for io::Error {
    fn from(error: NoLoop) -> io::Error {
        io::Error::new(io::ErrorKind::NotConnected, error)
    }
}

impl From<AlreadyWaiting> for io::Error {
    fn from(error: AlreadyWaiting) -> io::Error {
        io::Error::new(io::ErrorKind::ResourceBusy, error)
    }
}

impl From<WrongLoop> for io::Error {
    fn from(error: WrongLoop) -> io::Error {
        io::Error::new(io::ErrorKind::NotConnected, error)
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> RunError {
        RunError::Io(error)
    }
}

impl From<RunError> for io::Error {
    fn from(error: RunError) -> io::Error {
        match error {
            RunError::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}
