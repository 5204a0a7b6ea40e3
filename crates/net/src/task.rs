//! Tasks: futures and generators in the loop's queue, and the handles that wait for them.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use generator::{Resumable, Step};
use pin_project_lite::pin_project;
pub use sched::JoinError;
use sched::{Cancel, TaskId};

use crate::ask::Ask;
use crate::core::{Core, Yielded, here};
use crate::grants::Place;
use crate::listing::{WaitGuard, WaitKind};
use crate::trace;

/// Adds a task to the loop that runs on this thread.
///
/// The task belongs to the loop: it goes on when the handle is dropped, and is dropped with the
/// loop. A task that must not outlive a piece of code belongs in a [`TaskGroup`](crate::TaskGroup).
/// Costs two allocations: the future's box and what it shares with its handle.
///
/// # Panics
///
/// Outside a loop.
///
/// ```
/// # net::EventLoop::new()?.run_until(async {
/// let handle = net::spawn(async { 6 * 7 });
/// assert_eq!(handle.await.unwrap(), 42);
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    spawn_on(&here("spawn"), future)
}

/// Adds a generator as a task to the loop that runs on this thread: what it yields is granted, and it
/// is resumed with `Ok(())`, or with the error that says why its ask was refused or timed out.
///
/// # Panics
///
/// Outside a loop.
///
/// ```
/// use generator::Gen;
/// use net::{Ask, TcpListener, TcpStream, spawn_generator};
///
/// /// The note's `client`.
/// fn client(mut socket: TcpStream) {
///     spawn_generator(Gen::new(async move |co: net::Co| {
///         loop {
///             co.yield_(Ask::read(&socket)).await?; // yield ('read', client_socket)
///             let mut request = [0; 4096];
///             if socket.try_read(&mut request)? == 0 {
///                 return std::io::Result::Ok(());
///             }
///             co.yield_(Ask::write(&socket)).await?; // yield ('write', client_socket)
///             socket.try_write(b"Hello world\n")?;
///         }
///     }));
/// }
///
/// # net::EventLoop::new()?.run_until(async {
/// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
/// let address = listener.local_addr()?;
/// spawn_generator(Gen::new(async move |co: net::Co| {
///     loop {
///         co.yield_(Ask::read(&listener)).await?; // yield ('read', server_socket)
///         client(listener.try_accept()?.0);
///     }
///     #[allow(unreachable_code)]
///     std::io::Result::Ok(())
/// }));
/// let mut visitor = TcpStream::connect(address).await?;
/// visitor.write_all(b"hi").await?;
/// assert_eq!(visitor.chunk().await?.as_deref(), Some(&b"Hello world\n"[..]));
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn spawn_generator<G>(generator: G) -> JoinHandle<G::Return>
where
    G: Resumable<io::Result<()>, Yield = Ask> + 'static,
{
    spawn_generator_on(&here("spawn_generator"), generator)
}

/// What a generator task yields its asks through.
pub type Co = generator::Co<Ask, io::Result<()>>;

/// Gives up the turn: comes back after every task that is ready now has had a step.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for the result of a task; it need not be waited for, and dropping it cancels nothing. A
/// panic that nobody takes from it goes to [`on_failure`](crate::EventLoop::on_failure).
///
/// # Errors
///
/// It resolves to [`JoinError`] when the task was cancelled or panicked.
pub struct JoinHandle<T> {
    inner: sched::JoinHandle<T>,
    core: Rc<Core>,
    wait: Option<WaitGuard>,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(inner: sched::JoinHandle<T>, core: Rc<Core>) -> JoinHandle<T> {
        JoinHandle { inner, core, wait: None }
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.inner.id()
    }

    /// Names the task in [`tasks`](crate::EventLoop::tasks) and in reports of its failure.
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> JoinHandle<T> {
        if !self.inner.is_finished() {
            self.core.records.name(self.inner.id(), name.into());
        }
        self
    }

    /// Whether the task has ended in one way or another.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Cancels the task: its body is dropped where it stands, at once unless it is the one that
    /// runs. Returns whether there was something left to cancel.
    pub fn cancel(&self) -> bool {
        let cancelled = self.inner.cancel();
        if cancelled == Cancel::Dropped {
            self.core.forget_name(self.inner.id());
        }
        cancelled != Cancel::Stale
    }

    /// The task's waker, for whoever is to bring it back from [`Ask::Park`]; `None` once it has
    /// ended. A task that waits for something else stays where it is.
    #[must_use]
    pub fn waker(&self) -> Option<Waker> {
        self.core.scheduler.waker(self.inner.id())
    }

    /// The result, once the task has ended and unless it was taken before.
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        self.inner.try_join()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_finished() {
            ready!(self.core.spend(cx));
        }
        let polled = Pin::new(&mut self.inner).poll(cx);
        let before = self.wait.take();
        if polled.is_pending() {
            let kind = WaitKind::Join(self.inner.id());
            self.wait = self.core.wait_on(before, cx, kind);
        }
        polled
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(Err(JoinError::Panicked(payload))) = self.inner.try_join() {
            self.core.report_panic(Some(self.inner.id()), payload);
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("task", &self.inner.id())
            .field("finished", &self.inner.is_finished())
            .finish()
    }
}

pub(crate) fn spawn_generator_on<G>(core: &Rc<Core>, generator: G) -> JoinHandle<G::Return>
where
    G: Resumable<io::Result<()>, Yield = Ask> + 'static,
{
    let body = GeneratorTask::new(Rc::clone(core), generator);
    let take_in = |body| core.scheduler.spawn_join(body);
    JoinHandle::new(trace::spawn(body, take_in, sched::JoinHandle::id), Rc::clone(core))
}

pub(crate) fn spawn_on<F: Future + 'static>(core: &Rc<Core>, future: F) -> JoinHandle<F::Output> {
    let take_in = |body| core.scheduler.spawn_join(body);
    let inner = trace::spawn(FutureTask { future }, take_in, sched::JoinHandle::id);
    JoinHandle::new(inner, Rc::clone(core))
}

pin_project! {
    /// A future as a task: whatever it waits for, it has noted itself there.
    pub(crate) struct FutureTask<F> {
        #[pin]
        pub(crate) future: F,
    }
}

impl<F: Future> Resumable<&Waker> for FutureTask<F> {
    type Yield = Yielded;
    type Return = F::Output;

    #[inline]
    fn resume(self: Pin<&mut Self>, waker: &Waker) -> Step<Yielded, F::Output> {
        match self.project().future.poll(&mut Context::from_waker(waker)) {
            Poll::Ready(value) => Step::Complete(value),
            Poll::Pending => Step::Yielded(Yielded::Parked),
        }
    }
}

pin_project! {
    /// A generator as a task: resumed with what became of its last ask.
    pub(crate) struct GeneratorTask<G> {
        #[pin]
        generator: G,
        asked: Asked,
    }
}

/// What a generator waits for, to be taken back if it ends there.
struct Asked {
    core: Rc<Core>,
    /// Set with the first ask.
    task: Option<TaskId>,
    place: Option<Place>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.core.abandon(task, self.place.as_ref());
        }
    }
}

impl<G> GeneratorTask<G> {
    pub(crate) fn new(core: Rc<Core>, generator: G) -> GeneratorTask<G> {
        GeneratorTask { generator, asked: Asked { core, task: None, place: None } }
    }
}

impl<G> Resumable<&Waker> for GeneratorTask<G>
where
    G: Resumable<io::Result<()>, Yield = Ask>,
{
    type Yield = Yielded;
    type Return = G::Return;

    fn resume(self: Pin<&mut Self>, _waker: &Waker) -> Step<Yielded, G::Return> {
        let this = self.project();
        let asked = this.asked;
        let granted = match asked.task {
            Some(task) => asked.core.settle(task, asked.place.as_ref()),
            None => Some(Ok(())),
        };
        let Some(granted) = granted else {
            return Step::Yielded(Yielded::Parked);
        };
        asked.place = None;
        match this.generator.resume(granted) {
            Step::Complete(value) => Step::Complete(value),
            Step::Yielded(ask) => {
                asked.task = asked.core.scheduler.running();
                if let Ask::Ready(wanted) = &ask {
                    asked.place = Some((Rc::clone(&wanted.source), wanted.direction));
                }
                asked.core.asked.set(Some(ask));
                Step::Yielded(Yielded::Asked)
            }
        }
    }
}
