//! Shared by the tests.

#![allow(dead_code)] // not every test file needs every helper

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use net::{EventLoop, RunError, TaskInfo, TcpListener, TcpStream};

/// The longest that anything which must come may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Runs `future` on a loop of the kernel, and not for ever.
#[track_caller]
pub(crate) fn run<F: Future + 'static>(event_loop: &EventLoop, future: F) -> F::Output {
    let bounded = async move { net::timeout(PATIENCE, future).await };
    event_loop.run_until(bounded).expect("a run").expect("ended in time")
}

/// Lets every task run until it waits.
#[track_caller]
pub(crate) fn settle(event_loop: &EventLoop) {
    for _ in 0..1000 {
        if event_loop.stats().ready == 0 {
            return;
        }
        event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    }
    panic!("some task never waits");
}

/// Runs `f`, which must panic, and returns what it panicked with.
#[track_caller]
pub(crate) fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("this should have panicked")
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast::<&str>().expect("a text").to_string(),
    }
}

/// The tasks that a run is stuck with.
#[track_caller]
pub(crate) fn stuck<T: Debug>(result: Result<T, RunError>) -> Vec<TaskInfo> {
    match result {
        Err(RunError::Stuck(tasks)) => tasks,
        other => panic!("not stuck: {other:?}"),
    }
}

/// What an `io::Error` carries.
#[track_caller]
pub(crate) fn cause<E: Error + 'static>(error: &io::Error) -> &E {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.unwrap_or_else(|| panic!("another cause: {error:?}"))
}

/// A listener on a free port of this machine.
pub(crate) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0".parse().expect("an address")).expect("a port")
}

/// Two ends of a connection.
pub(crate) async fn connected() -> (TcpStream, TcpStream) {
    let listener = listener();
    let address = listener.local_addr().expect("an address");
    let near = TcpStream::connect(address).await.expect("connect");
    let (far, _) = listener.accept().await.expect("accept");
    (near, far)
}

/// The failures that reach a loop's hook, as text.
pub(crate) fn failures(event_loop: &EventLoop) -> Log<String> {
    let log = Log::default();
    let hook = log.clone();
    event_loop.on_failure(move |failure| hook.push(failure.to_string()));
    log
}

/// What happened, in order.
#[derive(Debug)]
pub(crate) struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn push(&self, entry: T) {
        self.0.borrow_mut().push(entry);
    }

    /// What came since the last look.
    pub(crate) fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Log<T> {
        Log(Rc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Log<T> {
        Log(Rc::default())
    }
}

/// Counts how many of its tokens were dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Rc<Cell<usize>>);

#[derive(Debug)]
pub(crate) struct Token(Rc<Cell<usize>>);

impl Drops {
    pub(crate) fn count(&self) -> usize {
        self.0.get()
    }

    pub(crate) fn token(&self) -> Token {
        Token(self.0.clone())
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Runs a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Holds `value` and never ends.
pub(crate) async fn hold<T>(value: T) {
    std::future::pending::<()>().await;
    drop(value);
}
