//! Spawning from other threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use generator::Resumable;

use crate::Task;
use crate::task::{Body, Plain};
use crate::waker::Home;

/// A way into a [`Scheduler`](crate::Scheduler) from any thread.
///
/// It does not keep the scheduler alive. A task's own waker, from
/// [`Scheduler::waker`](crate::Scheduler::waker) or [`Context::waker`](std::task::Context::waker), is
/// the way to wake it from elsewhere.
///
/// ```
/// use generator::FromFuture;
/// use sched::{Outcome, Scheduler};
///
/// let owner = std::thread::current();
/// let scheduler = Scheduler::<(), u32>::with_unpark(move || owner.unpark());
/// let handle = scheduler.handle();
/// let sender = std::thread::spawn(move || {
///     handle.spawn(|| FromFuture::new(async { 42 })).is_ok()
/// });
/// let answer = loop {
///     match scheduler.step() {
///         Ok((_, Outcome::Complete(answer))) => break answer,
///         Ok(_) => (),
///         Err(_) => std::thread::park(),
///     }
/// };
/// assert_eq!(answer, 42);
/// assert!(sender.join().unwrap());
/// ```
pub struct Handle<Y, T = ()> {
    gate: Arc<Gate<Y, T>>,
}

/// Why a spawn from another thread was refused; the closure comes back.
pub enum SpawnError<F> {
    /// As many spawns as the limit allows wait to be taken in.
    Full(F),
    /// The scheduler is gone.
    Closed(F),
}

/// Where spawns wait until the scheduler takes them in.
///
/// A lock, unlike for wakes: they are rarer and allocate anyway, and so the limit is exact, and a
/// closure is either taken over before the scheduler goes or given back, never stranded.
pub(crate) struct Gate<Y, T> {
    home: Arc<Home>,
    /// How many handles there are.
    handles: AtomicUsize,
    /// No user's code runs while it is locked.
    waiting: Mutex<Waiting<Y, T>>,
}

/// Makes a body on the scheduler's thread.
pub(crate) type Make<Y, T> = Box<dyn FnOnce() -> Body<Y, T> + Send>;

struct Waiting<Y, T> {
    makes: VecDeque<Make<Y, T>>,
    limit: usize,
    closed: bool,
}

/// How many spawns from other threads may wait to be taken in, unless
/// [`set_spawn_limit`](crate::Scheduler::set_spawn_limit) says otherwise: 1,024 tasks.
pub const SPAWN_LIMIT: usize = 1024;

impl<Y: 'static, T: 'static> Handle<Y, T> {
    pub(crate) fn new(gate: Arc<Gate<Y, T>>) -> Handle<Y, T> {
        gate.handles.fetch_add(1, Ordering::Relaxed);
        Handle { gate }
    }

    /// Sends a closure that makes a task's body on the scheduler's thread, so that the body itself
    /// need not be `Send`.
    ///
    /// A closure that the scheduler has not taken in when it is dropped is dropped with it.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Full`] when the limit is reached, [`SpawnError::Closed`] when the scheduler is gone.
    pub fn spawn<F, B>(&self, make: F) -> Result<(), SpawnError<F>>
    where
        F: FnOnce() -> B + Send + 'static,
        B: for<'w> Resumable<&'w Waker, Yield = Y, Return = T> + 'static,
    {
        self.gate.send(make, |make| Box::new(|| Box::pin(Plain { body: make() })))
    }

    /// Sends `seed` and a closure that makes a task's body of it on the scheduler's thread; a
    /// refusal gives the seed back.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Handle::spawn).
    pub fn spawn_with<S, F, B>(&self, seed: S, make: F) -> Result<(), SpawnError<S>>
    where
        S: Send + 'static,
        F: FnOnce(S) -> B + Send + 'static,
        B: for<'w> Resumable<&'w Waker, Yield = Y, Return = T> + 'static,
    {
        self.gate.send(seed, |seed| Box::new(|| Box::pin(Plain { body: make(seed) })))
    }

    /// Sends a closure that makes a [`Task`] on the scheduler's thread.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Handle::spawn).
    pub fn spawn_task<F, K>(&self, make: F) -> Result<(), SpawnError<F>>
    where
        F: FnOnce() -> K + Send + 'static,
        K: Task<Y, T> + 'static,
    {
        self.gate.send(make, |make| Box::new(|| Box::pin(make())))
    }

    /// Calls the scheduler's unpark hook, unless the scheduler is gone.
    pub fn unpark(&self) {
        self.gate.home.inbox.unpark();
    }

    /// Whether the scheduler is gone.
    pub fn is_closed(&self) -> bool {
        self.gate.home.inbox.is_closed()
    }
}

impl<Y, T> Gate<Y, T> {
    pub(crate) fn new(home: Arc<Home>) -> Gate<Y, T> {
        let waiting = Waiting { makes: VecDeque::new(), limit: SPAWN_LIMIT, closed: false };
        Gate { home, handles: AtomicUsize::new(0), waiting: Mutex::new(waiting) }
    }

    pub(crate) fn set_limit(&self, tasks: usize) {
        self.lock().limit = tasks;
    }

    /// Takes out all that wait.
    pub(crate) fn take(&self) -> VecDeque<Make<Y, T>> {
        std::mem::take(&mut self.lock().makes)
    }

    /// Takes out all that wait, and refuses what comes later.
    pub(crate) fn close(&self) -> VecDeque<Make<Y, T>> {
        self.lock().closed = true;
        self.take()
    }

    /// Whether there are handles that could still send.
    pub(crate) fn is_held(&self) -> bool {
        self.handles.load(Ordering::Acquire) > 0
    }

    fn send<F>(&self, make: F, wrap: impl FnOnce(F) -> Make<Y, T>) -> Result<(), SpawnError<F>> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(SpawnError::Closed(make));
        }
        if waiting.makes.len() >= waiting.limit {
            return Err(SpawnError::Full(make));
        }
        waiting.makes.push_back(wrap(make));
        drop(waiting);
        self.home.inbox.announce();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<Y, T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Y, T> Clone for Handle<Y, T> {
    fn clone(&self) -> Handle<Y, T> {
        self.gate.handles.fetch_add(1, Ordering::Relaxed);
        Handle { gate: Arc::clone(&self.gate) }
    }
}

impl<Y, T> Drop for Handle<Y, T> {
    /// The owner may sleep because there was a handle: with the last one it has to look again.
    fn drop(&mut self) {
        if self.gate.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.gate.home.inbox.unpark();
        }
    }
}

impl<Y, T> fmt::Debug for Handle<Y, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("closed", &self.gate.home.inbox.is_closed()).finish()
    }
}

impl<F> SpawnError<F> {
    /// Gives the closure back.
    pub fn into_inner(self) -> F {
        match self {
            SpawnError::Full(make) | SpawnError::Closed(make) => make,
        }
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnError::Full(_) => "Full(..)",
            SpawnError::Closed(_) => "Closed(..)",
        })
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnError::Full(_) => "too many spawns wait for the scheduler",
            SpawnError::Closed(_) => "the scheduler is gone",
        })
    }
}

impl<F> std::error::Error for SpawnError<F> {}
