//! Results of tasks for whoever waits on another thread.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::core::current;
use crate::driver::{Home, block};
use crate::relay::{Receiver, Sender, relay};
use crate::task::JoinError;

/// Waits for the result of a task from any thread; made by
/// [`Handle::spawn_join`](crate::Handle::spawn_join).
///
/// It is a future for any executor, and [`join`](RemoteJoinHandle::join) and
/// [`join_timeout`](RemoteJoinHandle::join_timeout) are for threads without one. Dropping it cancels
/// nothing; the result is then dropped on the loop's thread. A panic of the task that comes while
/// this exists is for this alone to tell.
///
/// # Errors
///
/// It resolves to [`JoinError`]: `Panicked`; `Cancelled`, also when the loop has been dropped, so that
/// nobody waits for ever; `Taken` when the result has been given out before.
pub struct RemoteJoinHandle<T> {
    result: Receiver<Result<T, JoinError>>,
    /// Whether the result has been given out.
    taken: bool,
    /// Sends the wish to cancel; its drop tells the task that none will come.
    cancel: Sender<()>,
    home: Home,
}

impl<T> RemoteJoinHandle<T> {
    /// Waits, blocking this thread, until the task has ended.
    ///
    /// # Errors
    ///
    /// As above.
    ///
    /// # Panics
    ///
    /// On the loop's own thread, unless the task has ended: nobody would run it.
    ///
    /// ```
    /// let event_loop = net::EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// let thread = std::thread::spawn(move || {
    ///     let answer = handle.spawn_join(|| async { 6 * 7 }).expect("room for one");
    ///     answer.join()
    /// });
    /// event_loop.turn(None)?;
    /// assert_eq!(thread.join().unwrap().unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn join(mut self) -> Result<T, JoinError> {
        self.block(None).expect("without a timeout there is an end")
    }

    /// As [`RemoteJoinHandle::join`], for at most `timeout`; `None` when the task goes on then.
    ///
    /// # Panics
    ///
    /// As [`RemoteJoinHandle::join`].
    pub fn join_timeout(&mut self, timeout: Duration) -> Option<Result<T, JoinError>> {
        self.block(Some(timeout))
    }

    /// The result, if the task has ended; afterwards the error [`JoinError::Taken`].
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        match self.result.take() {
            Poll::Ready(ended) => Some(self.give(ended)),
            Poll::Pending => None,
        }
    }

    /// Whether the task has ended in one way or another.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !self.result.is_awaited()
    }

    /// Cancels the task: its body is dropped on the loop's thread, where it stands, when its next
    /// turn comes, which this brings about. A task that ends before keeps its result.
    pub fn cancel(&self) {
        // Refused when it was sent before, or the task has ended.
        let _ = self.cancel.send(());
    }

    fn block(&mut self, timeout: Option<Duration>) -> Option<Result<T, JoinError>> {
        assert!(
            self.is_finished() || !self.home.is_here(),
            "a task cannot be waited for on the thread that has to run it: await the handle"
        );
        let ended = block(timeout, |waker| self.result.poll(waker))?;
        Some(self.give(ended))
    }

    fn give(&mut self, ended: Option<Result<T, JoinError>>) -> Result<T, JoinError> {
        let nothing = if self.taken { JoinError::Taken } else { JoinError::Cancelled };
        self.taken = true;
        ended.unwrap_or(Err(nothing))
    }
}

impl<T> Future for RemoteJoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// In a task it takes one operation off the budget. A listing shows the wait as one for a waker.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Ok(core) = current()
            && core.spend(cx).is_pending()
        {
            return Poll::Pending;
        }
        self.result.poll(cx.waker()).map(|ended| self.give(ended))
    }
}

impl<T> fmt::Debug for RemoteJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJoinHandle").field("finished", &self.is_finished()).finish()
    }
}

/// A handle for a task of the loop at `home`, and what the task needs of it.
pub(crate) fn pair<T>(home: Home) -> (RemoteJoinHandle<T>, Remote<T>) {
    let (sender, result) = relay();
    let (cancel, cancelled) = relay();
    let handle = RemoteJoinHandle { result, taken: false, cancel, home };
    (handle, Remote { result: sender, cancelled })
}

/// The task's side of a [`RemoteJoinHandle`].
pub(crate) struct Remote<T> {
    result: Sender<Result<T, JoinError>>,
    cancelled: Receiver<()>,
}

impl<T> Remote<T> {
    /// Runs the future of `make` until it ends or is cancelled, and tells the handle once it has been
    /// dropped. A panic that the handle does not take is that of the task.
    pub(crate) async fn run<M, F>(self, make: M)
    where
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        let Remote { result, mut cancelled } = self;
        let ended = {
            let mut body = pin!(async { make().await });
            std::future::poll_fn(|cx| {
                if let Poll::Ready(Some(())) = cancelled.poll(cx.waker()) {
                    return Poll::Ready(Err(JoinError::Cancelled));
                }
                match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))) {
                    Ok(polled) => polled.map(Ok),
                    Err(payload) => Poll::Ready(Err(JoinError::Panicked(payload))),
                }
            })
            .await
        };
        if let Err(Err(JoinError::Panicked(payload))) = result.send(ended) {
            resume_unwind(payload);
        }
    }
}
