//! The body's side of a generator: how it yields.

use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use crate::airlock::{Airlock, Key};
use crate::misuse::misuse;
use crate::{Generator, Resumable, State, Step};

/// What a generator's body yields through. [`Gen::new`](crate::Gen::new) hands one to the body.
///
/// Pass `&co` on to `async` functions that yield on the body's behalf.
///
/// Everything awaited here belongs into the body of the generator that the `Co` was made for, and awaited
/// there directly: it panics with a clear message in the body of another generator, in another executor, and
/// inside combinators that poll with a waker of their own.
pub struct Co<Y, R = ()> {
    key: Key<Y, R>,
}

impl<Y, R> Co<Y, R> {
    pub(crate) fn new(key: &Key<Y, R>) -> Co<Y, R> {
        Co { key: key.duplicate() }
    }

    /// Hands `value` out and pauses; gives the value of the next resume.
    ///
    /// The value leaves when the future is first polled. One value leaves per resume. A future dropped after
    /// that takes nothing back; what the next resume brings is then for [`received`](Co::received), or dropped
    /// at the next yield.
    ///
    /// # Panics
    ///
    /// When another value has left since the last resume (two yields at once, as in `join!`); when it is awaited
    /// outside the body of its own generator.
    #[inline]
    pub fn yield_(&self, value: Y) -> impl Future<Output = R> + use<Y, R> {
        Yield { key: self.key.duplicate(), value: Some(value) }
    }

    /// Takes what the current resume brought, if no yield has received it.
    ///
    /// In the body's first step that is the value of the first resume; a generator that was
    /// [started](Generator::start) has none.
    ///
    /// ```
    /// use core::pin::pin;
    /// use generator::{Gen, Resumable, Step};
    ///
    /// let mut double = pin!(Gen::new(|co| async move {
    ///     let mut x = co.received().await.unwrap_or(0);
    ///     loop {
    ///         x = co.yield_(2 * x).await;
    ///     }
    /// }));
    /// let step: Step<i32, ()> = double.as_mut().resume(4);
    /// assert_eq!(step, Step::Yielded(8));
    /// assert_eq!(double.as_mut().resume(5), Step::Yielded(10));
    /// ```
    ///
    /// # Panics
    ///
    /// When it is awaited outside the body of its own generator.
    pub async fn received(&self) -> Option<R> {
        poll_fn(|context| Poll::Ready(reach(context, &self.key).collect())).await
    }

    /// The generator's state, which is [`State::Running`] for the body that asks.
    ///
    /// # Panics
    ///
    /// When it is awaited outside the body of its own generator.
    pub async fn state(&self) -> State {
        poll_fn(|context| {
            reach(context, &self.key);
            Poll::Ready(State::Running)
        })
        .await
    }

    /// Runs `child` to its end in this generator's place, and gives its return value: Python's `yield from`
    /// ([PEP 380]).
    ///
    /// What the child yields is yielded, what is sent goes to the child, and so does a thrown error, since it is a
    /// sent `Err`. Closing this generator drops the child.
    ///
    /// ```
    /// use core::pin::pin;
    /// use generator::{Gen, from_iter};
    ///
    /// let g = pin!(Gen::new(|co| async move {
    ///     co.delegate(from_iter(1..3)).await;
    ///     let inner = Gen::new(|co| async move {
    ///         co.yield_(3).await;
    ///         4
    ///     });
    ///     let last = co.delegate(inner).await;
    ///     co.yield_(last).await
    /// }));
    /// assert!(g.eq([1, 2, 3, 4]));
    /// ```
    ///
    /// # Panics
    ///
    /// When the child is not new: then there is no value to resume it with. See
    /// [`delegate_from`](Co::delegate_from).
    ///
    /// [PEP 380]: https://peps.python.org/pep-0380/
    pub async fn delegate<G: Generator<R, Yield = Y>>(&self, child: G) -> G::Return {
        let mut child = pin!(child);
        match child.as_mut().start() {
            Ok(step) => self.delegate_from(step, child).await,
            Err(refused) => panic!("a generator delegated to a child that is not new: {refused}"),
        }
    }

    /// Like [`delegate`](Co::delegate), for a child that already made its first `step`.
    ///
    /// It takes any [`Resumable`], and lets the caller choose how the child starts.
    pub async fn delegate_from<G>(&self, step: Step<Y, G::Return>, child: Pin<&mut G>) -> G::Return
    where
        G: Resumable<R, Yield = Y> + ?Sized,
    {
        let (mut step, mut child) = (step, child);
        loop {
            match step {
                Step::Yielded(value) => step = child.as_mut().resume(self.yield_(value).await),
                Step::Complete(value) => return value,
            }
        }
    }
}

impl<Y, R> fmt::Debug for Co<Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Co").finish_non_exhaustive()
    }
}

/// One yield: hands its value out at the first poll and waits for the answer after that.
struct Yield<Y, R> {
    key: Key<Y, R>,
    /// None once it has left.
    value: Option<Y>,
}

/// Nothing in it is ever pinned.
impl<Y, R> Unpin for Yield<Y, R> {}

impl<Y, R> Future for Yield<Y, R> {
    type Output = R;

    /// Looks at its own state before anything else: the compiler mostly knows it, and then one arm is left. With
    /// the identity checked first, a resume behind `dyn` took 54 instructions, and takes 43 this way.
    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        let this = self.get_mut();
        match this.value.take() {
            Some(value) => {
                if !reach(context, &this.key).leave(value) {
                    misuse("two yields at once: a generator hands out one value per resume")
                }
                Poll::Pending
            }
            None => reach(context, &this.key).collect().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

#[inline]
fn reach<'a, Y, R>(context: &'a Context<'_>, key: &'a Key<Y, R>) -> &'a Airlock<Y, R> {
    Airlock::reach(context, key)
        .unwrap_or_else(|| misuse("a `Co` was awaited outside the body of its own generator"))
}
