//! Groups: tasks that end together.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use generator::Step;
use pin_project_lite::pin_project;
use sched::{Payload, Task, TaskId};

use crate::core::{Core, Yielded, here};
use crate::failure::{Cause, message};
use crate::listing::{WaitGuard, WaitKind};
use crate::source::Waiter;
use crate::time::timeout_at;
use crate::trace;

/// Tasks that belong together: the first that fails cancels the others, and dropping the group
/// cancels all.
///
/// Nothing in it outlives it. Tasks may be added at any time until it has failed or is dropped,
/// also by its own members through a [`GroupHandle`].
///
/// ```
/// use std::time::Duration;
/// use net::TaskGroup;
///
/// let (event_loop, _clock) = net::EventLoop::manual();
/// let failed = event_loop.run_until(async {
///     let mut group = TaskGroup::new();
///     group.spawn(async { net::sleep(Duration::from_secs(3600)).await; Ok(()) });
///     group.spawn(async { Err("no such host") });
///     group.wait().await
/// }).unwrap();
/// assert_eq!(failed.unwrap_err().to_string(), "task 2v1 failed: no such host");
/// ```
pub struct TaskGroup<E = io::Error> {
    state: Rc<State<E>>,
}

/// Adds tasks to a [`TaskGroup`] from inside it; keeps nothing alive.
pub struct GroupHandle<E = io::Error>(std::rc::Weak<State<E>>);

/// Why a group has failed.
pub enum GroupError<E> {
    /// A task ended with this error.
    Failed(TaskId, E),
    /// A task panicked.
    Panicked(TaskId, Payload),
    /// The deadline came, and this many tasks had not ended and were cancelled.
    Elapsed(usize),
}

struct State<E> {
    core: Rc<Core>,
    members: RefCell<BTreeSet<TaskId>>,
    errors: RefCell<Vec<GroupError<E>>>,
    policy: Policy<E>,
    stage: Cell<Stage>,
    /// Set while the group cancels members, which it then takes out itself.
    cancelling: Cell<bool>,
    /// At most one: waiting takes the group by `&mut`.
    waiting: RefCell<Option<Waiting>>,
}

/// What becomes of later members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// They run.
    Open,
    /// They are cancelled at once. Set by the first error, unless all are collected, and by the
    /// deadline; ends when the failures are taken.
    Failed,
    /// They are refused, and those of a loop that is gone cancelled. Set when the group is dropped.
    Dropped,
}

/// Who waits until at most so many members are left.
struct Waiting {
    waiter: Waiter,
    left: usize,
    record: Option<WaitGuard>,
}

/// What becomes of a failure.
enum Policy<E> {
    /// It cancels the others, and the group returns it.
    First,
    /// It is kept, and the others go on.
    Collect,
    /// It is reported, and the others go on: a server's connections. The second is told of each that
    /// has ended, after it has been dropped, unless the whole loop is.
    Report(Reporter<E>, Option<Left>),
}

type Reporter<E> = Box<dyn Fn(&Core, GroupError<E>)>;

/// What is called when a member has left its group.
pub(crate) type Left = Rc<dyn Fn()>;

impl<E: 'static> TaskGroup<E> {
    /// An empty group in the loop that runs here.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    #[must_use]
    pub fn new() -> TaskGroup<E> {
        TaskGroup::with(Policy::First)
    }

    /// An empty group that lets the others run on when one fails; [`TaskGroup::wait_all`] returns
    /// every failure.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    #[must_use]
    pub fn collecting() -> TaskGroup<E> {
        TaskGroup::with(Policy::Collect)
    }

    /// An empty group whose failures touch nobody else, and go to the loop's hook, but for errors that
    /// `claims` says are its own business. `left` is called for each member that has ended.
    pub(crate) fn reporting(
        claims: impl Fn(&E) -> bool + 'static,
        left: Option<Left>,
    ) -> TaskGroup<E>
    where
        E: Error,
    {
        let reporter = move |core: &Core, error| match error {
            GroupError::Failed(_, error) if claims(&error) => {}
            other => report(core, other),
        };
        TaskGroup::with(Policy::Report(Box::new(reporter), left))
    }

    fn with(policy: Policy<E>) -> TaskGroup<E> {
        let core = here("TaskGroup");
        TaskGroup {
            state: Rc::new(State {
                core,
                members: RefCell::default(),
                errors: RefCell::default(),
                policy,
                stage: Cell::new(Stage::Open),
                cancelling: Cell::new(false),
                waiting: RefCell::default(),
            }),
        }
    }

    /// Adds a task. In a group that has failed it is cancelled at once, before its first step, as
    /// its siblings were: the future is dropped and not given back.
    pub fn spawn<F>(&self, future: F) -> TaskId
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        self.state.spawn(future)
    }

    /// As [`TaskGroup::spawn`], with a name for listings and reports.
    pub fn spawn_named<F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> TaskId
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        let task = self.state.spawn(future);
        self.state.name(task, name.into());
        task
    }

    /// What members use to add further ones.
    #[must_use]
    pub fn handle(&self) -> GroupHandle<E> {
        GroupHandle(Rc::downgrade(&self.state))
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.members.borrow().len()
    }

    /// Whether `task` is one of the group that has not ended.
    pub(crate) fn contains(&self, task: TaskId) -> bool {
        self.state.members.borrow().contains(&task)
    }

    /// Whether every task has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cancels every task; the group can be used again.
    pub fn cancel(&self) {
        self.state.cancel();
    }

    /// Cancels one task, which is no failure of the group. Returns whether it is one of the group's
    /// that had not ended.
    pub fn cancel_task(&self, task: TaskId) -> bool {
        self.state.cancel_task(task)
    }

    /// Waits until every task has ended.
    ///
    /// # Errors
    ///
    /// The first failure, after the others have been cancelled. Dropping this future cancels
    /// nothing.
    pub async fn wait(&mut self) -> Result<(), GroupError<E>> {
        first(self.wait_all().await)
    }

    /// As [`TaskGroup::wait`], until `deadline` at most: what has not ended then is cancelled.
    ///
    /// # Errors
    ///
    /// As there, or [`GroupError::Elapsed`].
    ///
    /// # Panics
    ///
    /// Outside a loop.
    ///
    /// ```
    /// use std::time::Duration;
    /// use net::{GroupError, TaskGroup, now, sleep};
    ///
    /// let (event_loop, _clock) = net::EventLoop::manual();
    /// event_loop.run_until(async {
    ///     let mut group = TaskGroup::<()>::new();
    ///     for seconds in [1, 60, 3600] {
    ///         group.spawn(async move { Ok(sleep(Duration::from_secs(seconds)).await) });
    ///     }
    ///     let ended = group.wait_until(now() + Duration::from_secs(5)).await;
    ///     assert!(matches!(ended, Err(GroupError::Elapsed(2))));
    /// }).unwrap();
    /// ```
    pub async fn wait_until(&mut self, deadline: Instant) -> Result<(), GroupError<E>> {
        first(self.wait_all_until(deadline).await)
    }

    /// Waits until every task has ended, and returns every failure in the order in which they
    /// came; more than one only from a [`collecting`](TaskGroup::collecting) group.
    pub async fn wait_all(&mut self) -> Vec<GroupError<E>> {
        self.until(0).await;
        self.state.reopen()
    }

    /// As [`TaskGroup::wait_all`], until `deadline` at most: what has not ended then is cancelled,
    /// and the last failure is [`GroupError::Elapsed`].
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn wait_all_until(&mut self, deadline: Instant) -> Vec<GroupError<E>> {
        if timeout_at(deadline, self.until(0)).await.is_ok() {
            return self.state.reopen();
        }
        let cancelled = self.len();
        // What destructors add is cancelled as well.
        self.state.stage.set(Stage::Failed);
        self.state.cancel();
        let mut failures = self.state.reopen();
        failures.push(GroupError::Elapsed(cancelled));
        failures
    }

    /// Waits until at most `left` tasks have not ended.
    pub(crate) async fn until(&self, left: usize) {
        Until { state: &self.state, left, waits: false }.await;
    }
}

impl<E: 'static> GroupHandle<E> {
    /// Adds a task to the group.
    ///
    /// # Errors
    ///
    /// Gives the future back when the group is gone.
    pub fn spawn<F>(&self, future: F) -> Result<TaskId, F>
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        match self.0.upgrade() {
            Some(state) if state.stage.get() != Stage::Dropped => Ok(state.spawn(future)),
            _ => Err(future),
        }
    }

    /// As [`GroupHandle::spawn`], with a name for listings and reports.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn spawn_named<F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Result<TaskId, F>
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        let task = self.spawn(future)?;
        if let Some(state) = self.0.upgrade() {
            state.name(task, name.into());
        }
        Ok(task)
    }

    /// As [`TaskGroup::cancel_task`].
    pub fn cancel_task(&self, task: TaskId) -> bool {
        self.0.upgrade().is_some_and(|state| state.cancel_task(task))
    }
}

impl<E: 'static> State<E> {
    fn spawn<F>(self: &Rc<Self>, future: F) -> TaskId
    where
        F: Future<Output = Result<(), E>> + 'static,
    {
        let member = Member { future, exit: Exit(Rc::clone(self)) };
        let task = trace::spawn(member, |member| self.core.scheduler.spawn_task(member), |id| *id);
        self.members.borrow_mut().insert(task);
        if self.stage.get() != Stage::Open || self.core.is_closed() {
            self.cancel_member(task);
        }
        task
    }

    #[cold]
    fn ended(&self, result: Result<(), E>) {
        if let (Err(error), Some(task)) = (result, self.core.scheduler.running()) {
            self.fail(GroupError::Failed(task, error));
        }
    }

    fn fail(&self, error: GroupError<E>) {
        match self.policy {
            _ if self.stage.get() == Stage::Dropped => self.unclaimed(error),
            Policy::Report(ref report, _) => report(&self.core, error),
            Policy::Collect => self.errors.borrow_mut().push(error),
            Policy::First => {
                self.errors.borrow_mut().push(error);
                self.stage.set(Stage::Failed);
                self.cancel();
            }
        }
    }
}

impl<E> State<E> {
    fn name(&self, task: TaskId, name: Cow<'static, str>) {
        if self.core.scheduler.contains(task) {
            self.core.records.name(task, name);
        }
    }

    /// Gives the failures out, and lets new members run.
    fn reopen(&self) -> Vec<GroupError<E>> {
        self.stage.set(Stage::Open);
        self.errors.take()
    }

    fn cancel_task(&self, task: TaskId) -> bool {
        let is_member = self.members.borrow().contains(&task);
        if is_member {
            self.cancel_member(task);
        }
        is_member
    }

    /// Cancels the members, all but the one that runs, which ends with its step.
    fn cancel(&self) {
        let members: Vec<TaskId> = self.members.borrow().iter().copied().collect();
        members.into_iter().for_each(|task| self.cancel_member(task));
    }

    fn cancel_member(&self, task: TaskId) {
        let before = self.cancelling.replace(true);
        let cancelled = self.core.scheduler.cancel(task);
        self.cancelling.set(before);
        if cancelled == sched::Cancel::Dropped {
            self.core.forget_name(task);
            self.left(task);
        }
    }

    fn left(&self, task: TaskId) {
        self.members.borrow_mut().remove(&task);
        self.tell();
        if let Policy::Report(_, Some(left)) = &self.policy {
            left();
        }
    }

    /// Brings back who waits, if few enough members are left.
    fn tell(&self) {
        let members = self.members.borrow().len();
        let waiting = self.waiting.borrow_mut().take_if(|waiting| {
            if let Some(record) = &waiting.record {
                record.change(WaitKind::Group(members));
            }
            members <= waiting.left
        });
        if let Some(waiting) = waiting {
            drop(waiting.record);
            self.core.bring_back(waiting.waiter);
        }
    }

    /// A failure that nobody can be given any more goes to the loop's hook; an error as such only,
    /// since its type need not be one that can be shown.
    fn unclaimed(&self, error: GroupError<E>) {
        match error {
            GroupError::Failed(task, error) => {
                self.core.report(Some(task), Cause::Unread);
                drop(error);
            }
            GroupError::Panicked(task, payload) => self.core.report_panic(Some(task), payload),
            // It is returned where it is made.
            GroupError::Elapsed(_) => {}
        }
    }
}

impl<E> Drop for TaskGroup<E> {
    fn drop(&mut self) {
        self.state.stage.set(Stage::Dropped);
        self.state.cancel();
        for error in self.state.errors.take() {
            self.state.unclaimed(error);
        }
    }
}

pin_project! {
    /// A task of a group: it hands its failure to the group.
    struct Member<F, E> {
        #[pin]
        future: F,
        exit: Exit<E>,
    }
}

/// Takes a member out of its group when it ends by itself: then it is the running task up to the
/// end of its destructor. One that the group cancels is taken out by the group. Otherwise the loop
/// ends, and every member with it.
struct Exit<E>(Rc<State<E>>);

impl<E> Drop for Exit<E> {
    fn drop(&mut self) {
        let state = &self.0;
        if state.cancelling.get() {
            return;
        }
        match state.core.scheduler.running() {
            Some(task) => state.left(task),
            None => {
                state.members.borrow_mut().clear();
                state.tell();
            }
        }
    }
}

impl<F, E> Task<Yielded> for Member<F, E>
where
    F: Future<Output = Result<(), E>>,
    E: 'static,
{
    #[inline]
    fn resume(self: Pin<&mut Self>, waker: &Waker) -> Step<Yielded, Option<()>> {
        let this = self.project();
        match this.future.poll(&mut Context::from_waker(waker)) {
            Poll::Pending => Step::Yielded(Yielded::Parked),
            Poll::Ready(result) => {
                this.exit.0.ended(result);
                Step::Complete(None)
            }
        }
    }

    fn panicked(self: Pin<&mut Self>, payload: Payload) -> Option<Payload> {
        let state = &self.exit.0;
        match state.core.scheduler.running() {
            Some(task) => {
                state.fail(GroupError::Panicked(task, payload));
                None
            }
            None => Some(payload),
        }
    }
}

fn report<E: Error + 'static>(core: &Core, error: GroupError<E>) {
    match error {
        GroupError::Failed(task, error) => core.report(Some(task), Cause::Error(&error)),
        GroupError::Panicked(task, payload) => core.report_panic(Some(task), payload),
        GroupError::Elapsed(_) => {}
    }
}

fn first<E>(mut failures: Vec<GroupError<E>>) -> Result<(), GroupError<E>> {
    if failures.is_empty() { Ok(()) } else { Err(failures.swap_remove(0)) }
}

/// Waits until a group has at most so many members left.
struct Until<'a, E> {
    state: &'a State<E>,
    left: usize,
    /// Whether it has noted itself in the group.
    waits: bool,
}

impl<E> Future for Until<'_, E> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.state;
        let members = state.members.borrow().len();
        if members <= self.left {
            return state.core.spend(cx);
        }
        let (waiter, left) = (state.core.waiter(cx), self.left);
        let before = state.waiting.take().and_then(|before| before.record);
        let record = state.core.wait_on(before, cx, WaitKind::Group(members));
        state.waiting.replace(Some(Waiting { waiter, left, record }));
        self.waits = true;
        Poll::Pending
    }
}

impl<E> Drop for Until<'_, E> {
    fn drop(&mut self) {
        if self.waits {
            let waiting = self.state.waiting.take();
            drop(waiting);
        }
    }
}

impl<E: 'static> Default for TaskGroup<E> {
    fn default() -> TaskGroup<E> {
        TaskGroup::new()
    }
}

impl<E> Clone for GroupHandle<E> {
    fn clone(&self) -> GroupHandle<E> {
        GroupHandle(self.0.clone())
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup").field("members", &self.state.members).finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for GroupHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupHandle")
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Failed(task, error) => write!(f, "Failed({task}, {error:?})"),
            GroupError::Panicked(task, payload) => {
                write!(f, "Panicked({task}, {:?})", message(&**payload))
            }
            GroupError::Elapsed(cancelled) => write!(f, "Elapsed({cancelled})"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Failed(task, error) => write!(f, "task {task} failed: {error}"),
            GroupError::Panicked(task, payload) => {
                write!(f, "task {task} panicked: {}", message(&**payload))
            }
            GroupError::Elapsed(cancelled) => {
                write!(f, "the time allowed has elapsed: tasks cancelled: {cancelled}")
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for GroupError<E> {}

/// The error of the task that failed, as it is: so a group can be part of an operation that fails as
/// its tasks do.
impl From<GroupError<io::Error>> for io::Error {
    fn from(error: GroupError<io::Error>) -> io::Error {
        match error {
            GroupError::Failed(_, error) => error,
            GroupError::Panicked(..) => io::Error::other(error.to_string()),
            GroupError::Elapsed(_) => io::Error::new(io::ErrorKind::TimedOut, error.to_string()),
        }
    }
}
