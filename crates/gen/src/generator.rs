//! A generator made from an `async` body.

use core::fmt;
use core::mem::{self, ManuallyDrop};
use core::pin::Pin;
use core::task::{Poll, Waker};

use crate::airlock::{Airlock, Key, Slot};
use crate::misuse::misuse;
use crate::{Co, Generator, Refused, Resumable, State, Step};

/// A generator: an `async` body that yields through its [`Co`].
///
/// `F` is the body, `Y` what it yields, `R` what it is resumed with; it returns `F::Output`.
///
/// The compiler turns the body into a state machine. A `Gen` is that machine and one number, without any
/// allocation: pin it on the stack with [`pin!`](core::pin::pin), or box it where it must be moved or stored.
/// Making one costs an atomic increment; a resume costs what the same machine written by hand costs when it is
/// inlined, and no allocation in any case.
///
/// ```
/// use core::pin::pin;
/// use generator::{Gen, Generator, Step};
///
/// // The mean so far, for every number sent.
/// let mut average = pin!(Gen::new(|co| async move {
///     let (mut count, mut sum, mut average) = (0.0, 0.0, None);
///     while let Some(x) = co.yield_(average).await {
///         count += 1.0;
///         sum += x;
///         average = Some(sum / count);
///     }
///     sum
/// }));
/// assert_eq!(average.as_mut().start()?, Step::Yielded(None)); // next(gener)
/// assert_eq!(average.as_mut().send(Some(4.0))?, Step::Yielded(Some(4.0)));
/// assert_eq!(average.as_mut().send(Some(5.0))?, Step::Yielded(Some(4.5)));
/// assert_eq!(average.as_mut().send(None)?, Step::Complete(9.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The first resume
///
/// No yield waits for the value of the first resume. [`start`](Generator::start) brings none, and
/// [`send`](Generator::send) gives it back. [`resume`](Resumable::resume) passes it in: the body takes it with
/// [`Co::received`], and if it does not, the value is dropped at the first yield.
///
/// # Iteration
///
/// A generator that takes nothing (`R = ()`) is an [`Iterator`] where it is pinned: as `Pin<&mut Gen<_, _>>`, as
/// `Pin<Box<Gen<_, _>>>` (feature `alloc`, on by default), or as it is when its body is `Unpin`. The iterator is
/// fused, and drops the return value as Python's `for` does. It is also a task: a `Resumable<&Waker>`, for a
/// scheduler that resumes tasks with their waker.
///
/// # Threads
///
/// A generator stays on the thread that made it. That two of its values change hands without a lock rests on it.
///
/// ```compile_fail,E0277
/// let g = generator::Gen::<_, i32, ()>::new(async |co| co.yield_(1).await);
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(g));
/// });
/// ```
pub struct Gen<F, Y, R = ()> {
    pub(crate) key: Key<Y, R>,
    /// Dropped once the key says closed; an `Option` would say it twice, in eight bytes more.
    pub(crate) body: ManuallyDrop<F>,
}

impl<F: Future, Y, R> Gen<F, Y, R> {
    /// Makes a generator; the body does not run before the first resume.
    ///
    /// `body` gets the generator's [`Co`] and returns what is run: mostly `|co| async move { … }` or
    /// `async |co| { … }`.
    pub fn new<B: FnOnce(Co<Y, R>) -> F>(body: B) -> Gen<F, Y, R> {
        let key = Key::fresh();
        let body = ManuallyDrop::new(body(Co::new(&key)));
        Gen { key, body }
    }

    /// Runs to the next yield or to the end, with `slot` in the airlock.
    ///
    /// No flag says "running": nobody can look, as `self` is borrowed exclusively, and a panic closes.
    #[inline]
    fn run(self: Pin<&mut Self>, slot: Slot<Y, R>) -> Step<Y, F::Output> {
        let mut guard = CloseOnUnwind(self);
        let Some((key, body)) = guard.0.as_mut().open() else {
            misuse("a closed generator was resumed: it has returned, panicked or been closed")
        };
        key.mark_used();
        let airlock = Airlock::new(key, slot);
        match (airlock.admit(body), airlock.into_leaving()) {
            (Poll::Pending, Some(value)) => {
                mem::forget(guard);
                Step::Yielded(value)
            }
            (Poll::Ready(value), None) => {
                drop(guard);
                Step::Complete(value)
            }
            (Poll::Pending, None) => misuse(AWAITED_ANOTHER),
            (Poll::Ready(_), Some(_)) => misuse(RETURNED_PAST_A_YIELD),
        }
    }
}

impl<F: Future, Y, R> Resumable<R> for Gen<F, Y, R> {
    type Yield = Y;
    type Return = F::Output;

    /// Runs to the next yield or to the end.
    ///
    /// # Panics
    ///
    /// When the generator is closed; when the body panics; when the body awaits something other than a yield
    /// of its own [`Co`] and that is not ready; when the body returns in the step in which a yield, dropped
    /// since, had handed out its value. Each leaves the generator closed.
    #[inline]
    fn resume(self: Pin<&mut Self>, value: R) -> Step<Y, F::Output> {
        self.run(Slot::Received(value))
    }
}

/// A generator that takes nothing can be a scheduler's task.
///
/// The body does not see the waker. What it yields says what it waits for; whoever resumes it arranges that.
impl<F: Future, Y> Resumable<&Waker> for Gen<F, Y> {
    type Yield = Y;
    type Return = F::Output;

    #[inline]
    fn resume(self: Pin<&mut Self>, _: &Waker) -> Step<Y, F::Output> {
        self.run(Slot::Received(()))
    }
}

impl<F: Future, Y, R> Generator<R> for Gen<F, Y, R> {
    #[inline]
    fn state(&self) -> State {
        self.key.state()
    }

    fn start(self: Pin<&mut Self>) -> Result<Step<Y, F::Output>, Refused<()>> {
        match self.state() {
            State::Created => Ok(self.run(Slot::Empty)),
            state => Err(Refused { value: (), state }),
        }
    }

    fn close(self: Pin<&mut Self>) {
        self.drop_body();
    }
}

impl<F: Future, Y, R> fmt::Debug for Gen<F, Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gen").field("state", &self.state()).finish()
    }
}

/// Closes the generator unless forgotten, so that a resume pays for it only when it unwinds.
struct CloseOnUnwind<'a, F, Y, R>(Pin<&'a mut Gen<F, Y, R>>);

impl<F, Y, R> Drop for CloseOnUnwind<'_, F, Y, R> {
    fn drop(&mut self) {
        self.0.as_mut().drop_body();
    }
}

const AWAITED_ANOTHER: &str = "a generator body awaited something other than a yield of its own `Co`; nothing would ever wake it";

const RETURNED_PAST_A_YIELD: &str =
    "a generator body dropped a yield whose value had left, and returned before the next resume";
