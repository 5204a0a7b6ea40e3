//! The trait every state machine implements, and what one resume brings.

use core::ops::DerefMut;
use core::pin::Pin;

/// What a resume brought: a yielded value, or the return value and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step<Y, T> {
    /// The state machine paused and gave out a value; it can be resumed.
    Yielded(Y),
    /// The state machine returned; it must not be resumed again.
    Complete(T),
}

impl<Y, T> Step<Y, T> {
    /// The yielded value, if the machine paused.
    pub fn yielded(self) -> Option<Y> {
        match self {
            Step::Yielded(value) => Some(value),
            Step::Complete(_) => None,
        }
    }

    /// The return value, if the machine ended: Python's `StopIteration.value`.
    pub fn complete(self) -> Option<T> {
        match self {
            Step::Yielded(_) => None,
            Step::Complete(value) => Some(value),
        }
    }
}

/// A state machine that takes a value at every resume, yields values, and returns one.
///
/// It mirrors `core::ops::Coroutine`, which is not stable. Write it by hand for a machine whose states you
/// want to name; let [`Gen`](crate::Gen) write it from an `async` body otherwise.
///
/// ```
/// use core::pin::Pin;
/// use generator::{Resumable, Step};
///
/// struct Countdown(u32);
///
/// impl Resumable for Countdown {
///     type Yield = u32;
///     type Return = &'static str;
///
///     fn resume(mut self: Pin<&mut Self>, (): ()) -> Step<u32, &'static str> {
///         match self.0 {
///             0 => Step::Complete("lift-off"),
///             left => {
///                 self.0 -= 1;
///                 Step::Yielded(left)
///             }
///         }
///     }
/// }
///
/// let mut rocket = Countdown(1);
/// assert_eq!(Pin::new(&mut rocket).resume(()), Step::Yielded(1));
/// assert_eq!(Pin::new(&mut rocket).resume(()), Step::Complete("lift-off"));
/// ```
pub trait Resumable<R = ()> {
    /// What it gives out when it pauses.
    type Yield;
    /// What it gives out at its end.
    type Return;

    /// Runs to the next yield or to the end.
    ///
    /// # Panics
    ///
    /// May panic when it is called again after [`Step::Complete`].
    fn resume(self: Pin<&mut Self>, value: R) -> Step<Self::Yield, Self::Return>;
}

impl<R, G: Resumable<R> + Unpin + ?Sized> Resumable<R> for &mut G {
    type Yield = G::Yield;
    type Return = G::Return;

    fn resume(mut self: Pin<&mut Self>, value: R) -> Step<G::Yield, G::Return> {
        Pin::new(&mut **self).resume(value)
    }
}

impl<R, P: DerefMut<Target: Resumable<R>>> Resumable<R> for Pin<P> {
    type Yield = <P::Target as Resumable<R>>::Yield;
    type Return = <P::Target as Resumable<R>>::Return;

    fn resume(self: Pin<&mut Self>, value: R) -> Step<Self::Yield, Self::Return> {
        self.as_deref_mut().resume(value)
    }
}
