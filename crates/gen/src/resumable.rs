//! The trait every state machine implements, and what one resume brings.

use core::pin::Pin;

/// What a resume brought: a yielded value, or the return value and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step<Y, T> {
    /// The state machine paused and gave out a value; it can be resumed.
    Yielded(Y),
    /// The state machine returned; it must not be resumed again.
    Complete(T),
}

/// A state machine that takes a value at every resume, yields values, and returns one.
///
/// It mirrors `core::ops::Coroutine`, which is not stable.
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

impl<R, P> Resumable<R> for Pin<P>
where
    P: core::ops::DerefMut<Target: Resumable<R>>,
{
    type Yield = <P::Target as Resumable<R>>::Yield;
    type Return = <P::Target as Resumable<R>>::Return;

    fn resume(self: Pin<&mut Self>, value: R) -> Step<Self::Yield, Self::Return> {
        self.as_deref_mut().resume(value)
    }
}
