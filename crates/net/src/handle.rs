//! Bringing work into a loop from other threads.

use std::fmt;
use std::rc::Rc;

use sched::SpawnError;

use crate::core::{Core, Yielded};
use crate::driver::Home;
use crate::remote::{self, RemoteJoinHandle};
use crate::task::FutureTask;
use crate::trace;

/// Spawns tasks into a loop from any thread. While one exists, the loop takes it that something
/// may still come, and does not report that it is stuck.
#[derive(Clone)]
pub struct Handle {
    inner: sched::Handle<Yielded>,
    home: Home,
}

impl Handle {
    pub(crate) fn new(core: &Rc<Core>) -> Handle {
        Handle { inner: core.scheduler.handle(), home: Home::here() }
    }

    /// Runs `make` on the loop's thread and spawns the future that it returns.
    ///
    /// # Errors
    ///
    /// Gives `make` back when as many spawns are outstanding as
    /// [`set_spawn_limit`](crate::EventLoop::set_spawn_limit) allows, or when
    /// the loop is gone.
    ///
    /// ```
    /// let event_loop = net::EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// let thread = std::thread::spawn(move || {
    ///     handle.spawn(|| async { println!("on the loop's thread") }).map_err(drop)
    /// });
    /// thread.join().unwrap().unwrap();
    /// event_loop.turn(None)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn<M, F>(&self, make: M) -> Result<(), SpawnError<M>>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        self.inner.spawn_with(make, |make| trace::task(FutureTask { future: make() }))
    }

    /// As [`Handle::spawn`], with the result for whoever waits on this thread or another. The task
    /// belongs to the loop, as any other.
    ///
    /// # Errors
    ///
    /// As [`Handle::spawn`].
    ///
    /// ```
    /// use futures_lite::future::block_on; // any executor
    ///
    /// let event_loop = net::EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// let thread = std::thread::spawn(move || {
    ///     let tasks = handle.spawn_join(|| async { net::tasks().len() }).expect("room for one");
    ///     block_on(tasks)
    /// });
    /// event_loop.turn(None)?;
    /// assert_eq!(thread.join().unwrap().unwrap(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn_join<M, F>(&self, make: M) -> Result<RemoteJoinHandle<F::Output>, SpawnError<M>>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let (handle, remote) = remote::pair(self.home);
        self.inner.spawn_with(make, |make| trace::task(FutureTask { future: remote.run(make) }))?;
        Ok(handle)
    }

    /// Ends the loop's wait, so that it makes a turn.
    pub fn unpark(&self) {
        self.inner.unpark();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
