//! A bounded pool of threads for what blocks.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Threads that a loop has at a time for what blocks, unless
/// [`set_unblock_threads`](crate::EventLoop::set_unblock_threads) says otherwise.
pub const UNBLOCK_THREADS: usize = 32;

/// How long a thread for what blocks waits for its next closure before it ends.
pub const UNBLOCK_IDLE: Duration = Duration::from_secs(10);

/// Work for another thread. Dropped without having been called, it tells who waits for it.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A place in the line of jobs that no thread has taken; it finds nothing once one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

/// Threads that one loop has started, and the jobs that wait for one. Dropping it waits for nobody:
/// jobs that wait are dropped, and each thread ends after the job that it does.
pub(crate) struct Threads(Arc<Shared>);

struct Shared {
    /// No job runs, and none is dropped, while it is locked.
    state: Mutex<State>,
    /// Signalled when there is a job for a thread without one, or threads shall end.
    changed: Condvar,
    /// How long a thread waits for its next job before it ends.
    patience: Duration,
}

struct State {
    /// First in, first out: places are given out in order.
    line: BTreeMap<Place, Job>,
    next: u64,
    /// Threads that there may be; those beyond it end after their job.
    limit: usize,
    /// Threads that there are.
    threads: usize,
    /// Threads that wait for a job.
    idle: usize,
    /// Set when the loop goes.
    closed: bool,
}

impl Threads {
    /// None at first, and [`UNBLOCK_THREADS`] at most.
    pub(crate) fn new(patience: Duration) -> Threads {
        let limit = UNBLOCK_THREADS;
        let state =
            State { line: BTreeMap::new(), next: 0, limit, threads: 0, idle: 0, closed: false };
        Threads(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), patience }))
    }

    /// Puts `job` in the line, and starts a thread for it when none is free and there may be more.
    ///
    /// # Errors
    ///
    /// When the threads have been closed; when there is no thread at all, and the system refuses to
    /// start one. While there is one, the job waits for that.
    pub(crate) fn enter(&self, job: Job) -> io::Result<Place> {
        let mut state = self.0.lock();
        if state.closed {
            drop(state);
            return Err(io::Error::other("the event loop of these threads has been dropped"));
        }
        let place = Place(state.next);
        state.next += 1;
        state.line.insert(place, job);
        if state.line.len() <= state.idle {
            self.0.changed.notify_one();
        }
        drop(state);
        match self.start_one() {
            Err(error) if !self.0.has_threads() => {
                drop(self.withdraw(place));
                Err(io::Error::other(NoThread(error)))
            }
            _ => Ok(place),
        }
    }

    /// Takes a job out of the line; `None` when a thread has taken it.
    pub(crate) fn withdraw(&self, place: Place) -> Option<Job> {
        self.0.lock().line.remove(&place)
    }

    /// Changes how many threads there may be.
    pub(crate) fn set_limit(&self, threads: usize) {
        let missing = {
            let mut state = self.0.lock();
            state.limit = threads;
            self.0.changed.notify_all();
            state.line.len().saturating_sub(state.idle)
        };
        for _ in 0..missing {
            // Jobs for which none can be started now wait for the threads that there are.
            if !self.start_one().unwrap_or(false) {
                break;
            }
        }
    }

    /// Has every thread end after the job that it does, and returns those that wait, for the caller
    /// to drop.
    pub(crate) fn close(&self) -> impl Iterator<Item = Job> + use<> {
        let mut state = self.0.lock();
        state.closed = true;
        self.0.changed.notify_all();
        std::mem::take(&mut state.line).into_values()
    }

    /// Starts a thread if there is more to do than threads without a job, and says whether it did.
    fn start_one(&self) -> io::Result<bool> {
        {
            let mut state = self.0.lock();
            if state.line.len() <= state.idle || state.threads >= state.limit {
                return Ok(false);
            }
            state.threads += 1;
        }
        let shared = Arc::clone(&self.0);
        let started = thread::Builder::new().name(NAME.to_owned()).spawn(move || shared.serve());
        if started.is_err() {
            self.0.lock().threads -= 1;
        }
        started.map(|_| true)
    }
}

impl Shared {
    /// What a thread does.
    fn serve(&self) {
        while let Some(job) = self.next() {
            // Closures hand their panics to who waits for them. What comes here is of a destructor, or
            // of a waker, and nobody is left to be told; its own destructor may panic as well.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(job)) {
                std::mem::forget(payload);
            }
        }
    }

    /// The next job, once there is one; `None` when the thread shall end, which is noted already.
    ///
    /// Whoever puts a job in the line while this thread counts as idle relies on it: so it looks at
    /// the line once more when its patience has ended.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let mut patient = true;
        while !state.closed && state.threads <= state.limit {
            if let Some((_, job)) = state.line.pop_first() {
                return Some(job);
            }
            if !patient {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, self.patience);
            let (guard, ended) = waited.unwrap_or_else(PoisonError::into_inner);
            (state, patient) = (guard, !ended.timed_out());
            state.idle -= 1;
        }
        state.threads -= 1;
        None
    }

    fn has_threads(&self) -> bool {
        self.lock().threads > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        drop(self.close());
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Threads")
            .field("limit", &state.limit)
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("waiting", &state.line.len())
            .finish()
    }
}

/// No thread could be started, and there is none to wait for.
#[derive(Debug)]
struct NoThread(io::Error);

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no thread for what blocks, and none can be started: {}", self.0)
    }
}

impl std::error::Error for NoThread {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// What debuggers and process listings call the threads; Linux shows fifteen bytes.
const NAME: &str = "net-unblock";

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::RefCell;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// What must come comes within this time.
    const LIMIT: Duration = Duration::from_secs(20);

    /// Sends when it is dropped.
    struct Tells(Sender<()>);

    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    thread_local! {
        static END: RefCell<Option<Tells>> = const { RefCell::new(None) };
    }

    /// A job that has its thread tell its end, and who hears it.
    fn tells_end() -> (Job, Receiver<()>) {
        let (sender, end) = channel();
        (Box::new(move || END.set(Some(Tells(sender)))), end)
    }

    /// Waits until the only thread has nothing to do.
    fn until_idle(threads: &Threads) {
        let start = std::time::Instant::now();
        let is_idle = |state: &State| state.idle == 1 && state.line.is_empty();
        while !is_idle(&threads.0.lock()) {
            assert!(start.elapsed() < LIMIT, "{threads:?}");
            thread::yield_now();
        }
    }

    #[test]
    fn a_thread_without_jobs_ends_and_another_one_takes_its_place() {
        let threads = Threads::new(Duration::from_millis(1));
        for _ in 0..20 {
            let (job, end) = tells_end();
            threads.enter(job).unwrap();
            end.recv_timeout(LIMIT).expect("it ends when its patience does");
            assert!(!threads.0.has_threads());
        }
    }

    #[test]
    fn no_job_is_left_lying_when_a_thread_loses_its_patience() {
        let threads = Threads::new(Duration::ZERO);
        for _ in 0..5_000 {
            let (done, ended) = channel();
            threads.enter(Box::new(move || done.send(()).unwrap())).unwrap();
            ended.recv_timeout(LIMIT).expect("somebody does it");
        }
    }

    #[test]
    fn patient_threads_end_when_they_are_closed() {
        let threads = Threads::new(Duration::MAX);
        let (job, end) = tells_end();
        threads.enter(job).unwrap();
        until_idle(&threads);
        drop(threads);
        end.recv_timeout(LIMIT).expect("it ends");
    }

    #[test]
    fn one_thread_does_what_it_can_do_alone() {
        let threads = Threads::new(LIMIT);
        let (job, end) = tells_end();
        threads.enter(job).unwrap();
        for _ in 0..1_000 {
            // Once it has nothing to do, it is who is called.
            until_idle(&threads);
            threads.enter(Box::new(|| {})).unwrap();
            assert_eq!(threads.0.lock().threads, 1);
        }
        drop(threads);
        end.recv_timeout(LIMIT).expect("it ends");
    }
}
