//! Runs that are refused or stuck, loops that are dropped, and what is left of them.

mod util;

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use net::{EventLoop, RunError, Server, Stopper, TaskGroup, handlers, sleep, yield_now};
use util::{SECOND, listener, run};

/// Counts how often it is woken.
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

#[test]
fn a_nested_run_that_is_refused_does_not_run_its_future_later() {
    let event_loop = Rc::new(EventLoop::manual().0);
    let ran = Rc::new(Cell::new(false));
    let (inner, note) = (Rc::clone(&event_loop), Rc::clone(&ran));
    run(&event_loop, async move {
        let nested = inner.run_until(async move { note.set(true) });
        assert!(matches!(nested, Err(RunError::Nested)));
        yield_now().await;
    });
    assert!(!ran.get());
}

#[test]
fn a_run_that_is_stuck_leaves_nothing_behind() {
    let (event_loop, _clock) = EventLoop::manual();
    let stuck = event_loop.run_until(std::future::pending::<()>());
    assert!(matches!(stuck, Err(RunError::Stuck(_))));
    assert_eq!(event_loop.stats().tasks, 0);
}

#[test]
fn who_waits_with_a_foreign_waker_hears_that_the_loop_is_gone() {
    let event_loop = EventLoop::new().unwrap();
    let (listener, mut nap) = event_loop.enter(|| (listener(), sleep(SECOND)));
    let ((accepts, accept_waker), (naps, nap_waker)) = (counter(), counter());
    let mut accept = pin!(listener.accept());
    let mut cx = Context::from_waker(&accept_waker);
    assert!(accept.as_mut().poll(&mut cx).is_pending());
    let mut cx = Context::from_waker(&nap_waker);
    assert!(Pin::new(&mut nap).poll(&mut cx).is_pending());
    drop(event_loop);
    assert_eq!(accepts.0.load(Ordering::Relaxed), 1);
    assert_eq!(naps.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_hook_that_holds_what_belongs_to_the_loop_goes_with_it() {
    let (event_loop, _clock) = EventLoop::manual();
    let handle = event_loop.spawn(async {});
    let alive = Rc::new(());
    let held = Rc::clone(&alive);
    event_loop.on_failure(move |_| {
        let _ = (&handle, &held);
    });
    drop(event_loop);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn an_error_of_a_group_that_is_dropped_unasked_is_reported() {
    let (event_loop, _clock) = EventLoop::manual();
    let failures = util::failures(&event_loop);
    run(&event_loop, async {
        let group = TaskGroup::new();
        group.spawn(async { Err("nobody asks") });
        yield_now().await;
    });
    assert_eq!(failures.take(), ["task 1v1 failed in a group that was dropped"]);
}

#[test]
fn a_wait_longer_than_any_clock_goes_on() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    drop(event_loop.spawn(std::future::pending::<()>()));
    event_loop.turn(Some(Duration::ZERO)).unwrap();
    event_loop.turn(Some(Duration::MAX)).unwrap();
    assert_eq!(clock.now(), start);
}

thread_local! {
    static STOPPER: RefCell<Option<Stopper>> = const { RefCell::new(None) };
}

/// Stops a server of this thread when it is dropped.
struct StopsOnDrop;

impl Wake for StopsOnDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for StopsOnDrop {
    fn drop(&mut self) {
        if let Some(stopper) = STOPPER.take() {
            stopper.stop();
        }
    }
}

#[test]
fn a_waker_may_stop_the_server_while_it_is_replaced() {
    let event_loop = EventLoop::new().unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let server = event_loop.enter(|| Server::bind(address).unwrap());
    let stopper = server.stopper();
    let mut serving = pin!(server.serve(handlers::echo));
    STOPPER.set(Some(stopper.clone()));
    event_loop.enter(|| {
        let first = Waker::from(Arc::new(StopsOnDrop));
        assert!(serving.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
        drop(first);
        let (_, second) = counter();
        // The server drops its clone of the first waker, the last one, for the second.
        let _ = serving.as_mut().poll(&mut Context::from_waker(&second));
    });
    assert!(stopper.is_stopped());
}
