//! Joins of every kind.

mod util;

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use generator::{FromFuture, Resumable, Step};
use sched::{Cancel, JoinError, JoinHandle, Outcome, Scheduler};
use util::{OnDrop, act, log, quiet_panic, run, said};

type Future0<T> = FromFuture<Pin<Box<dyn Future<Output = T>>>>;

fn future<T>(future: impl Future<Output = T> + 'static) -> Future0<T> {
    FromFuture::new(Box::pin(future))
}

/// Yields once, then returns.
fn later<O: Unpin + 'static>(
    value: O,
) -> impl for<'w> Resumable<&'w Waker, Yield = (), Return = O> {
    let mut value = Some(value);
    let mut first = true;
    act(move |waker| {
        if std::mem::take(&mut first) {
            waker.wake_by_ref();
            return Step::Yielded(());
        }
        Step::Complete(value.take().unwrap())
    })
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Count>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_task_joins_another_without_cloning_a_waker() {
    let scheduler = Scheduler::<(), ()>::new();
    let handle = scheduler.spawn_join(later("five"));
    let got = log();
    let seen = Rc::clone(&got);
    let joiner = scheduler.spawn(future(async move {
        let value = handle.await.unwrap();
        seen.borrow_mut().push(value);
    }));
    scheduler.step().unwrap();
    scheduler.step().unwrap();
    assert!(!scheduler.wakers_out(), "no waker was cloned");
    let rest: Vec<_> = run(&scheduler).into_iter().map(|(_, word)| word).collect();
    assert_eq!(rest, ["joined", "complete"]);
    assert!(!scheduler.contains(joiner));
    assert_eq!(*got.borrow(), ["five"]);
}

#[test]
fn a_foreign_waker_is_cloned_and_woken_once() {
    let scheduler = Scheduler::<(), ()>::new();
    let mut handle = pin!(scheduler.spawn_join(later(5)));
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    assert!(handle.as_mut().poll(&mut cx).is_pending());
    assert!(handle.as_mut().poll(&mut cx).is_pending());
    assert_eq!(Arc::strong_count(&count), 3, "kept once");
    run(&scheduler);
    assert_eq!((count.0.load(Ordering::Relaxed), Arc::strong_count(&count)), (1, 2));
    assert!(matches!(handle.as_mut().poll(&mut cx), Poll::Ready(Ok(5))));
    assert!(matches!(handle.as_mut().poll(&mut cx), Poll::Ready(Err(JoinError::Taken))));
}

#[test]
fn dropping_a_handle_cancels_nothing_and_frees_the_waker() {
    let scheduler = Scheduler::<(), ()>::new();
    let mut handle = Box::pin(scheduler.spawn_join(later(())));
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    assert!(handle.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(handle);
    assert_eq!(Arc::strong_count(&count), 2);
    assert_eq!(run(&scheduler).last().unwrap().1, "joined");
}

#[test]
fn many_joins_inside_futures_unordered() {
    let scheduler = Scheduler::<(), u32>::new();
    let joins: FuturesUnordered<JoinHandle<u32>> =
        (0..10).map(|number| scheduler.spawn_join(later(number))).collect();
    let sum =
        async move { joins.map(Result::unwrap).fold(0, async |sum, value| sum + value).await };
    let sum = scheduler.spawn(future(sum));
    let mut result = None;
    while let Ok((id, outcome)) = scheduler.step() {
        if let Outcome::Complete(value) = outcome {
            assert_eq!(id, sum);
            result = Some(value);
        }
    }
    assert_eq!(result, Some(45));
}

#[test]
fn a_panic_goes_to_the_handle() {
    let scheduler = Scheduler::<(), ()>::new();
    let mut handle = scheduler.spawn_join(act(|_| -> Step<(), u8> { quiet_panic("bad") }));
    assert_eq!(run(&scheduler), [(handle.id(), "joined")]);
    let error = handle.try_join().unwrap().unwrap_err();
    assert_eq!(
        (error.to_string(), format!("{error:?}")),
        ("the task panicked: bad".into(), "Panicked(\"bad\")".into())
    );
    assert_eq!(said(&error.into_panic().unwrap()), "bad");
}

#[test]
fn a_cancelled_task_and_one_whose_scheduler_is_gone_say_so() {
    let scheduler = Scheduler::<(), ()>::new();
    let mut first = scheduler.spawn_join(later(1));
    let mut second = scheduler.spawn_join(later(2));
    assert!(first.try_join().is_none() && !first.is_finished());
    assert_eq!(first.cancel(), Cancel::Dropped);
    assert!(first.is_finished());
    assert_eq!(first.cancel(), Cancel::Stale);
    assert!(matches!(first.try_join(), Some(Err(JoinError::Cancelled))));
    assert!(matches!(first.try_join(), Some(Err(JoinError::Taken))));
    assert!(JoinError::Cancelled.into_panic().is_err());
    drop(scheduler);
    assert!(matches!(second.try_join(), Some(Err(JoinError::Cancelled))));
    assert_eq!(second.cancel(), Cancel::Stale);
}

#[test]
fn the_joiner_learns_of_a_cancellation_after_the_destructor_also_of_one_that_panics() {
    let scheduler = Scheduler::<(), ()>::new();
    let finished_meanwhile = Rc::new(Cell::new(None));
    let handle = Rc::new(Cell::new(None::<JoinHandle<()>>));
    let (seen, inner) = (Rc::clone(&finished_meanwhile), Rc::clone(&handle));
    let guard = OnDrop(move || {
        let handle = inner.take().unwrap();
        seen.set(Some(handle.is_finished()));
        inner.set(Some(handle));
        quiet_panic::<()>("dropped");
    });
    let joined = scheduler.spawn_join(act(move |_| {
        let _ = &guard;
        Step::Yielded(())
    }));
    let id = joined.id();
    handle.set(Some(joined));
    scheduler.cancel(id);
    assert_eq!(finished_meanwhile.get(), Some(false));
    assert!(matches!(handle.take().unwrap().try_join(), Some(Err(JoinError::Cancelled))));
    assert_eq!(run(&scheduler), [(id, "dropped")]);
}

#[test]
fn a_waker_that_panics_spoils_neither_result_nor_scheduler() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Bad>) {
            quiet_panic::<()>("waker");
        }
    }
    let scheduler = Scheduler::<(), ()>::new();
    let mut handle = pin!(scheduler.spawn_join(later(3)));
    let waker = Waker::from(Arc::new(Bad));
    let mut cx = Context::from_waker(&waker);
    assert!(handle.as_mut().poll(&mut cx).is_pending());
    let id = handle.id();
    assert_eq!(run(&scheduler), [(id, "yielded"), (id, "waker")]);
    assert!(matches!(handle.as_mut().poll(&mut cx), Poll::Ready(Ok(3))));
}

#[test]
fn a_task_of_one_scheduler_joins_a_task_of_another() {
    let (one, other) = (Scheduler::<(), ()>::new(), Scheduler::<(), ()>::new());
    let handle = one.spawn_join(later(1));
    let joiner = other.spawn(future(async move { assert_eq!(handle.await.unwrap(), 1) }));
    assert_eq!(run(&other), [(joiner, "yielded")]);
    run(&one);
    assert_eq!(run(&other), [(joiner, "complete")]);
}
