//! Python's generator protocol as traits: start, send, throw, close and the state.

use core::ops::DerefMut;
use core::pin::Pin;

use crate::{Refused, Resumable, Step};

/// Where a generator stands: Python's `inspect.getgeneratorstate`.
///
/// ```
/// use core::pin::pin;
/// use generator::{Gen, Generator, State};
///
/// let mut g = pin!(Gen::new(|co| async move {
///     assert_eq!(co.state().await, State::Running); // only the body can see this
///     co.yield_(1).await
/// }));
/// assert_eq!(g.state(), State::Created);
/// assert_eq!(g.as_mut().start()?.yielded(), Some(1));
/// assert_eq!(g.state(), State::Suspended);
/// assert_eq!(g.as_mut().send("the answer")?.complete(), Some("the answer"));
/// assert_eq!(g.state(), State::Closed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Set by the constructor; left for good by the first resume or by `close`. No line of the body has run.
    Created,
    /// While a resume is on the stack. A resume borrows the generator exclusively, so nobody outside can look;
    /// the body sees it through [`Co::state`](crate::Co::state).
    Running,
    /// The body stands at a yield.
    Suspended,
    /// The body returned, panicked or was closed. Never left again.
    Closed,
}

/// A [`Resumable`] that knows Python's generator protocol ([PEP 342]).
///
/// | Python | here |
/// |---|---|
/// | `next(g)` on a new generator | [`start`](Generator::start) |
/// | `next(g)` later on | `resume(())`, or `next()` of the [iterator](crate::Gen#iteration) |
/// | `g.send(v)` | [`send`](Generator::send) |
/// | `g.throw(e)` | [`throw`](Throw::throw) |
/// | `g.close()` | [`close`](Generator::close) |
/// | `getgeneratorstate(g)` | [`state`](Generator::state) |
/// | `StopIteration.value` | [`Step::Complete`] |
///
/// It can be used as `Pin<Box<dyn Generator<R, Yield = Y, Return = T>>>`.
///
/// [PEP 342]: https://peps.python.org/pep-0342/
pub trait Generator<R = ()>: Resumable<R> {
    /// Where it stands. Never [`State::Running`] for somebody outside.
    fn state(&self) -> State;

    /// Runs a new generator to its first yield, without a value: Python's first `next(g)`.
    ///
    /// # Errors
    ///
    /// The generator was started before or is closed; it is left as it was.
    ///
    /// # Panics
    ///
    /// When the body panics, which closes the generator.
    fn start(self: Pin<&mut Self>) -> Result<Step<Self::Yield, Self::Return>, Refused<()>>;

    /// Drops the body where it stands, so that its destructors run: Python's `g.close()`.
    ///
    /// Does nothing on a closed generator. Python raises `GeneratorExit` at the yield, which a body can refuse by
    /// yielding again; a dropped body cannot refuse. Dropping a generator closes it.
    ///
    /// # Panics
    ///
    /// When a destructor panics. The generator is closed all the same.
    fn close(self: Pin<&mut Self>);

    /// Resumes a suspended generator with `value`: Python's `g.send(value)`.
    ///
    /// # Errors
    ///
    /// Gives the value back when the generator was not started, as no yield is there to receive it, or when it
    /// is closed; it is left as it was.
    ///
    /// # Panics
    ///
    /// When the body panics, which closes the generator.
    fn send(self: Pin<&mut Self>, value: R) -> Result<Step<Self::Yield, Self::Return>, Refused<R>> {
        match self.state() {
            State::Suspended => Ok(self.resume(value)),
            state => Err(Refused { value, state }),
        }
    }
}

/// Python's `g.throw(e)`, for every generator whose input is a [`Result`].
///
/// ```
/// use core::pin::pin;
/// use generator::{Gen, Generator, Step, Throw};
///
/// let mut sum = pin!(Gen::new(|co| async move {
///     let mut sum = 0;
///     loop {
///         match co.yield_(sum).await {
///             Ok(x) => sum += x,
///             Err("reset") => sum = 0,
///             Err(other) => return other, // or `?`, where the body returns a `Result`
///         }
///     }
/// }));
/// sum.as_mut().start()?;
/// assert_eq!(sum.as_mut().send(Ok(4))?, Step::Yielded(4));
/// assert_eq!(sum.as_mut().throw("reset"), Ok(Step::Yielded(0)));
/// assert_eq!(sum.as_mut().throw("stop"), Ok(Step::Complete("stop")));
/// assert_eq!(sum.as_mut().throw("too late"), Err("too late"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Throw<T, E>: Generator<Result<T, E>> {
    /// Resumes with `Err(error)`: the error appears at the yield, and the body may handle it or pass it on with `?`.
    ///
    /// # Errors
    ///
    /// Without a yield for the error to appear at, it comes back, as Python raises it again: the generator was not
    /// started, and is closed by this, or was closed before.
    ///
    /// # Panics
    ///
    /// When the body panics, which closes the generator.
    fn throw(self: Pin<&mut Self>, error: E) -> Result<Step<Self::Yield, Self::Return>, E> {
        match self.state() {
            State::Suspended => Ok(self.resume(Err(error))),
            _ => {
                self.close();
                Err(error)
            }
        }
    }
}

impl<T, E, G: Generator<Result<T, E>> + ?Sized> Throw<T, E> for G {}

impl<R, P: DerefMut<Target: Generator<R>>> Generator<R> for Pin<P> {
    fn state(&self) -> State {
        (**self).state()
    }

    fn start(self: Pin<&mut Self>) -> Result<Step<Self::Yield, Self::Return>, Refused<()>> {
        self.as_deref_mut().start()
    }

    fn close(self: Pin<&mut Self>) {
        self.as_deref_mut().close();
    }
}
