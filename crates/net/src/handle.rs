//! Bringing work into a loop from other threads.

use std::fmt;
use std::rc::Rc;

use sched::SpawnError;

use crate::core::{Core, Yielded};
use crate::task::FutureTask;

/// Spawns tasks into a loop from any thread. While one exists, the loop takes it that something
/// may still come, and does not report that it is stuck.
#[derive(Clone)]
pub struct Handle(sched::Handle<Yielded>);

impl Handle {
    pub(crate) fn new(core: &Rc<Core>) -> Handle {
        Handle(core.scheduler.handle())
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
        self.0.spawn_with(make, |make| FutureTask { future: make() })
    }

    /// Ends the loop's wait, so that it makes a turn.
    pub fn unpark(&self) {
        self.0.unpark();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
