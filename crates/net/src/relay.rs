//! One value on its way from one thread to another.

use std::fmt;
use std::mem::replace;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The two ends of a way that one value can take.
pub(crate) fn relay<T>() -> (Sender<T>, Receiver<T>) {
    let relay = Relay(Arc::new(Mutex::new(State::Awaited(None))));
    (Sender(relay.clone()), Receiver(relay))
}

/// Sends once. Dropped before, it tells the receiver that nothing will come.
#[derive(Debug)]
pub(crate) struct Sender<T>(Relay<T>);

/// Receives once. Dropped before, what is sent comes back to the sender.
#[derive(Debug)]
pub(crate) struct Receiver<T>(Relay<T>);

/// What both ends share. No code of a user runs while it is locked: values and wakers are taken out
/// first, and cloned, called and dropped outside.
struct Relay<T>(Arc<Mutex<State<T>>>);

enum State<T> {
    /// From the beginning; with whom to wake, once the receiver has been polled.
    Awaited(Option<Waker>),
    /// Set by the sender, once.
    Sent(T),
    /// Nothing will come any more: set by the receiver that takes the value or is dropped, and by a
    /// sender that is dropped without sending.
    Over,
}

impl<T> Sender<T> {
    /// Sends `value`, and wakes who waits for it.
    ///
    /// # Errors
    ///
    /// Gives it back when the receiver is gone, or something was sent before.
    pub(crate) fn send(&self, value: T) -> Result<(), T> {
        let mut state = self.0.lock();
        let State::Awaited(waker) = &mut *state else {
            return Err(value);
        };
        let waker = waker.take();
        *state = State::Sent(value);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if let State::Awaited(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Over;
            drop(state);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<T> Receiver<T> {
    /// The value; `None` when it will not come or was taken before. Who waits is woken through the
    /// waker of the last call.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Option<T>> {
        let mut clone = (!self.will_wake(waker)).then(|| waker.clone());
        let mut state = self.0.lock();
        if let State::Awaited(known) = &mut *state {
            if clone.is_some() {
                std::mem::swap(known, &mut clone);
            }
            return Poll::Pending;
        }
        drop(state);
        self.take()
    }

    /// As [`Receiver::poll`], for who will ask again without being woken.
    pub(crate) fn take(&mut self) -> Poll<Option<T>> {
        if self.is_awaited() { Poll::Pending } else { Poll::Ready(self.close()) }
    }

    /// Whether something may still come.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(*self.0.lock(), State::Awaited(_))
    }

    /// Takes nothing from now on; returns what is there already.
    pub(crate) fn close(&mut self) -> Option<T> {
        let before = replace(&mut *self.0.lock(), State::Over);
        if let State::Sent(value) = before { Some(value) } else { None }
    }

    /// Whether a waker like this one is noted, or none is needed.
    fn will_wake(&self, waker: &Waker) -> bool {
        match &*self.0.lock() {
            State::Awaited(known) => known.as_ref().is_some_and(|known| known.will_wake(waker)),
            State::Sent(_) | State::Over => true,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        drop(self.close());
    }
}

impl<T> Relay<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Relay<T> {
    fn clone(&self) -> Relay<T> {
        Relay(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Relay<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.lock() {
            State::Awaited(_) => "Awaited",
            State::Sent(_) => "Sent",
            State::Over => "Over",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counter() -> (Arc<Counter>, Waker) {
        let counter = Arc::<Counter>::default();
        (Arc::clone(&counter), counter.into())
    }

    fn wakes(counter: &Counter) -> usize {
        counter.0.load(Ordering::Relaxed)
    }

    #[test]
    fn a_value_is_given_out_once() {
        let (sender, mut receiver) = relay();
        assert_eq!(sender.send(1), Ok(()));
        assert_eq!(sender.send(2), Err(2));
        assert_eq!(receiver.poll(Waker::noop()), Poll::Ready(Some(1)));
        assert_eq!(receiver.poll(Waker::noop()), Poll::Ready(None));
        assert_eq!(sender.send(3), Err(3));
    }

    #[test]
    fn who_polled_last_is_woken_and_nobody_else() {
        let (sender, mut receiver) = relay();
        let ((first, first_waker), (last, last_waker)) = (counter(), counter());
        assert!(receiver.poll(&first_waker).is_pending());
        assert!(receiver.poll(&last_waker).is_pending());
        assert!(receiver.poll(&last_waker).is_pending());
        drop((first_waker, last_waker));
        assert_eq!(Arc::strong_count(&first), 1, "a waker that was replaced is kept");
        sender.send(()).unwrap();
        assert_eq!((wakes(&first), wakes(&last)), (0, 1));
        drop(sender);
        assert_eq!(wakes(&last), 1, "what was sent stays");
        assert_eq!(receiver.take(), Poll::Ready(Some(())));
    }

    #[test]
    fn each_end_hears_that_the_other_is_gone() {
        let (sender, mut receiver) = relay::<u8>();
        let (woken, waker) = counter();
        assert!(receiver.poll(&waker).is_pending());
        drop(sender);
        assert_eq!(wakes(&woken), 1);
        assert_eq!(receiver.poll(&waker), Poll::Ready(None));

        let (sender, mut receiver) = relay();
        assert!(receiver.poll(&waker).is_pending());
        drop(receiver);
        assert_eq!(sender.send(1), Err(1));
        assert_eq!(wakes(&woken), 1);
    }

    #[test]
    fn no_wake_is_lost_between_two_threads() {
        for _ in 0..2_000 {
            let (sender, mut receiver) = relay();
            let thread = thread::spawn(move || sender.send(7));
            let got = crate::driver::block(None, |waker| receiver.poll(waker));
            assert_eq!(got, Some(Some(7)));
            thread.join().unwrap().unwrap();
        }
    }
}
