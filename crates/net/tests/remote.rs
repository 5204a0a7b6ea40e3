//! Tasks spawned from other threads, and their results.

mod util;

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_lite::future::block_on;
use futures_util::stream::{FuturesUnordered, StreamExt};
use net::{EventLoop, Handle, JoinError, RemoteJoinHandle, SpawnError, spawn, yield_now};
use util::{OnDrop, PATIENCE, SECOND, failures, panic_of, run, stuck};

fn turn(event_loop: &EventLoop) {
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
}

/// Spawns without a doubt that there is room.
fn spawn_join<M, F>(handle: &Handle, make: M) -> RemoteJoinHandle<F::Output>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    F::Output: Send + 'static,
{
    handle.spawn_join(make).map_err(drop).expect("room")
}

/// Waits for what must come.
#[track_caller]
fn soon<T>(handle: &mut RemoteJoinHandle<T>) -> Result<T, JoinError> {
    handle.join_timeout(PATIENCE).expect("it ends in time")
}

/// Runs `other` on a thread of its own beside the loop, until it has ended.
fn beside<T: Send + 'static>(
    event_loop: &EventLoop,
    other: impl FnOnce(Handle) -> T + Send + 'static,
) -> T {
    let handle = event_loop.handle();
    let thread = thread::spawn(move || other(handle));
    // The handle keeps the loop waiting for as long as the thread holds it.
    while !thread.is_finished() {
        event_loop.turn(Some(Duration::from_millis(10))).expect("a turn");
    }
    thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

#[test]
fn a_handle_crosses_threads() {
    fn crosses<T: Send + Sync + Unpin>() {}
    crosses::<RemoteJoinHandle<u8>>();
    crosses::<RemoteJoinHandle<Cell<u8>>>();
}

#[test]
fn a_plain_thread_joins_a_task_that_is_not_send() {
    for event_loop in [EventLoop::manual().0, EventLoop::new().expect("a loop")] {
        let here = thread::current().id();
        let (sum, there) = beside(&event_loop, |handle| {
            let task = spawn_join(&handle, || async {
                let sum = Rc::new(Cell::new(0));
                for n in 0..10 {
                    sum.set(sum.get() + n);
                    yield_now().await;
                }
                (sum.get(), thread::current().id())
            });
            task.join().expect("a result")
        });
        assert_eq!((sum, there), (45, here));
    }
}

#[test]
fn the_future_is_awaited_by_any_executor() {
    let event_loop = EventLoop::new().expect("a loop");
    let sum = beside(&event_loop, |handle| {
        let tasks: FuturesUnordered<_> = (0..500)
            .map(|n| {
                spawn_join(&handle, move || async move {
                    net::sleep(Duration::from_millis(1)).await;
                    n
                })
            })
            .collect();
        block_on(tasks.fold(0, |sum, n| async move { sum + n.expect("a result") }))
    });
    assert_eq!(sum, 124_750);
}

#[test]
fn a_task_of_another_loop_awaits_it() {
    let event_loop = EventLoop::new().expect("a loop");
    let answer = beside(&event_loop, |handle| {
        let other = EventLoop::new().expect("a loop");
        run(&other, async move { spawn_join(&handle, || async { 42 }).await.expect("a result") })
    });
    assert_eq!(answer, 42);
}

#[test]
fn a_task_of_the_same_loop_awaits_it() {
    let (event_loop, _) = EventLoop::manual();
    let handle = event_loop.handle();
    let answer = run(&event_loop, async move { spawn_join(&handle, || async { 42 }).await });
    assert_eq!(answer.expect("a result"), 42);
}

#[test]
fn each_poll_spends_the_budget() {
    let (event_loop, _) = EventLoop::manual();
    let handle = event_loop.handle();
    let tasks: Vec<_> = (0..500).map(|n| spawn_join(&handle, move || async move { n })).collect();
    turn(&event_loop);
    turn(&event_loop);
    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    let joins = event_loop.spawn(async move {
        let mut all = pin!(async {
            for task in tasks {
                task.await.expect("a result");
            }
        });
        poll_fn(|cx| {
            counted.set(counted.get() + 1);
            all.as_mut().poll(cx)
        })
        .await;
    });
    run(&event_loop, async { joins.await.expect("a result") });
    assert!(steps.get() >= 500 / net::BUDGET, "{} steps", steps.get());
}

#[test]
fn many_threads_spawn_and_each_gets_its_own_results() {
    const THREADS: usize = 4;
    const EACH: usize = 1_000;
    let event_loop = EventLoop::new().expect("a loop");
    event_loop.set_spawn_limit(THREADS * EACH);
    beside(&event_loop, |handle| {
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let handle = &handle;
                scope.spawn(move || {
                    let make = |n| spawn_join(handle, move || async move { (thread, n) });
                    let tasks: Vec<_> = (0..EACH).map(make).collect();
                    for (n, mut task) in tasks.into_iter().enumerate() {
                        assert_eq!(soon(&mut task).expect("a result"), (thread, n));
                    }
                });
            }
        });
    });
}

#[test]
fn a_panic_comes_back() {
    let event_loop = EventLoop::new().expect("a loop");
    let failures = failures(&event_loop);
    let messages = beside(&event_loop, |handle| {
        let inside = spawn_join(&handle, || async { panic!("in the future") });
        let making =
            spawn_join(&handle, || -> std::future::Ready<()> { panic!("while making it") });
        let late = spawn_join(&handle, || async {
            yield_now().await;
            panic!("in a later step")
        });
        [inside.join(), making.join(), late.join()].map(|ended: Result<(), _>| {
            let payload = ended.expect_err("a panic").into_panic().expect("a payload");
            *payload.downcast_ref::<&str>().expect("a text")
        })
    });
    assert_eq!(messages, ["in the future", "while making it", "in a later step"]);
    assert!(failures.take().is_empty(), "the handles have taken them");
}

#[test]
fn a_panic_without_a_handle_goes_to_the_hook() {
    let (event_loop, _) = EventLoop::manual();
    let failures = failures(&event_loop);
    drop(spawn_join(&event_loop.handle(), || async { panic!("nobody listens") }));
    turn(&event_loop);
    assert_eq!(failures.take(), ["task 0v1 panicked: nobody listens"]);
}

#[test]
fn a_refused_spawn_gives_the_closure_back() {
    let (event_loop, _) = EventLoop::manual();
    event_loop.set_spawn_limit(1);
    let handle = event_loop.handle();
    let first = spawn_join(&handle, || async { 1 });
    let number = 2;
    let Err(SpawnError::Full(make)) = handle.spawn_join(move || async move { number }) else {
        panic!("there is no room");
    };
    turn(&event_loop);
    let second = spawn_join(&handle, make);
    turn(&event_loop);
    assert_eq!((first.join().expect("a result"), second.join().expect("a result")), (1, 2));
    drop(event_loop);
    let Err(SpawnError::Closed(make)) = handle.spawn_join(|| async { 3 }) else {
        panic!("the loop is gone");
    };
    assert_eq!(block_on(make()), 3);
}

/// Sends the thread that drops it.
struct Tells(Sender<ThreadId>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

#[test]
fn a_cancelled_task_is_dropped_where_it_stands_and_on_its_thread() {
    for event_loop in [EventLoop::manual().0, EventLoop::new().expect("a loop")] {
        let here = thread::current().id();
        let there = beside(&event_loop, |handle| {
            let (sender, dropped) = mpsc::channel();
            let (started, starts) = mpsc::channel();
            let tells = Tells(sender);
            let mut task = spawn_join(&handle, move || async move {
                started.send(()).expect("somebody listens");
                pending::<()>().await;
                drop(tells);
            });
            starts.recv_timeout(PATIENCE).expect("it starts");
            assert!(!task.is_finished());
            task.cancel();
            task.cancel();
            assert!(matches!(soon(&mut task), Err(JoinError::Cancelled)));
            // Dropped before the handle heard of it.
            dropped.try_recv().expect("it has been dropped")
        });
        assert_eq!(there, here);
    }
}

#[test]
fn a_task_cancelled_before_its_first_step_never_makes_its_future() {
    let (event_loop, _) = EventLoop::manual();
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let mut task = spawn_join(&event_loop.handle(), move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    task.cancel();
    event_loop.run().expect("a run");
    assert!(matches!(task.try_join(), Some(Err(JoinError::Cancelled))));
    assert_eq!((made.load(Ordering::SeqCst), Arc::strong_count(&made)), (0, 1));
}

#[test]
fn a_cancel_that_comes_too_late_changes_nothing() {
    let (event_loop, _) = EventLoop::manual();
    let mut task = spawn_join(&event_loop.handle(), || async { 5 });
    event_loop.run().expect("a run");
    task.cancel();
    assert!(task.is_finished());
    assert_eq!(task.try_join().expect("it has ended").expect("a result"), 5);
    assert!(matches!(task.try_join(), Some(Err(JoinError::Taken))));
    assert!(matches!(block_on(&mut task), Err(JoinError::Taken)));
    assert!(matches!(task.join(), Err(JoinError::Taken)));
}

#[test]
fn a_wait_with_a_timeout_ends_and_can_be_taken_up_again() {
    let event_loop = EventLoop::new().expect("a loop");
    beside(&event_loop, |handle| {
        let (go, gone) = mpsc::channel::<Waker>();
        let open = Arc::new(AtomicUsize::new(0));
        let door = Arc::clone(&open);
        let mut task = spawn_join(&handle, move || {
            poll_fn(move |cx| {
                if door.load(Ordering::SeqCst) > 0 {
                    return Poll::Ready(9);
                }
                let _ = go.send(cx.waker().clone());
                Poll::Pending
            })
        });
        let waker = gone.recv_timeout(PATIENCE).expect("it has begun");
        assert!(task.join_timeout(Duration::ZERO).is_none());
        assert!(task.join_timeout(Duration::from_millis(5)).is_none());
        assert!(task.try_join().is_none());
        open.store(1, Ordering::SeqCst);
        waker.wake();
        // A time that no clock reaches is none.
        assert_eq!(task.join_timeout(Duration::MAX).expect("a result").expect("a result"), 9);
    });
}

#[test]
fn a_join_on_the_loops_own_thread_is_refused_unless_the_task_has_ended() {
    let event_loop = EventLoop::new().expect("a loop");
    let handle = event_loop.handle();
    let mut task = spawn_join(&handle, || async { 1 });
    assert!(panic_of(|| task.join_timeout(SECOND)).contains("on the thread that has to run it"));
    turn(&event_loop);
    assert_eq!(task.join().expect("a result"), 1);
    let said = run(&event_loop, async move {
        let task = spawn_join(&handle, pending::<()>);
        panic_of(|| task.join().map_err(drop))
    });
    assert!(said.contains("await the handle"), "{said}");
}

#[test]
fn a_dropped_loop_tells_every_handle() {
    let event_loop = EventLoop::new().expect("a loop");
    let handle = event_loop.handle();
    let running = spawn_join(&handle, pending::<()>);
    turn(&event_loop);
    let waiting = spawn_join(&handle, pending::<()>);
    // One blocks in each, and one awaits.
    let (sender, ended) = mpsc::channel();
    for task in [running, waiting, spawn_join(&handle, pending::<()>)] {
        let sender = sender.clone();
        thread::spawn(move || sender.send(task.join()).expect("somebody listens"));
    }
    let awaited = spawn_join(&handle, pending::<()>);
    thread::spawn(move || sender.send(block_on(awaited)).expect("somebody listens"));
    drop(event_loop);
    for _ in 0..4 {
        let told = ended.recv_timeout(PATIENCE).expect("nobody waits for ever");
        assert!(matches!(told, Err(JoinError::Cancelled)));
    }
}

#[test]
fn a_result_outlives_its_loop() {
    let (event_loop, _) = EventLoop::manual();
    let task = spawn_join(&event_loop.handle(), || async { "kept" });
    event_loop.run().expect("a run");
    drop(event_loop);
    assert_eq!(task.join().expect("a result"), "kept");
}

#[test]
fn dropping_the_handle_cancels_nothing() {
    let (event_loop, _) = EventLoop::manual();
    let (sender, dropped) = mpsc::channel();
    let handle = event_loop.handle();
    let task = spawn_join(&handle, move || async move {
        net::sleep(SECOND).await;
        Tells(sender)
    });
    turn(&event_loop);
    drop((task, handle));
    assert!(dropped.try_recv().is_err());
    event_loop.run().expect("a run");
    assert_eq!(dropped.try_recv(), Ok(thread::current().id()), "nobody wants the result");
}

#[test]
fn a_loop_waits_for_a_cancel_that_may_come_and_is_stuck_when_none_can() {
    for event_loop in [EventLoop::manual().0, EventLoop::new().expect("a loop")] {
        let handle = event_loop.handle();
        let (cancelled, kept) =
            (spawn_join(&handle, pending::<()>), spawn_join(&handle, pending::<()>));
        drop(handle);
        turn(&event_loop);
        let thread = thread::spawn(move || {
            cancelled.cancel();
            let ended = cancelled.join();
            drop(kept);
            ended
        });
        // Sleeps as long as there is a handle, and looks again when there is none.
        let left = stuck(event_loop.run());
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(matches!(thread.join().expect("no panic"), Err(JoinError::Cancelled)));
    }
}

#[test]
fn a_task_that_cancels_itself_or_another_ends_after_its_step() {
    let (event_loop, _) = EventLoop::manual();
    let handle = event_loop.handle();
    let own: Arc<Mutex<Option<RemoteJoinHandle<()>>>> = Arc::default();
    let slot = Arc::clone(&own);
    let drops = util::Drops::default();
    *own.lock().unwrap() = Some(spawn_join(&handle, move || async move {
        slot.lock().unwrap().as_ref().expect("put there").cancel();
        yield_now().await;
        unreachable!("it was cancelled");
    }));
    let token = drops.token();
    drop(handle);
    drop(event_loop.spawn(async move {
        let _token = token;
        yield_now().await;
    }));
    event_loop.run().expect("a run");
    let mut own = own.lock().unwrap().take().expect("put there");
    assert!(matches!(own.try_join(), Some(Err(JoinError::Cancelled))));
    assert_eq!(drops.count(), 1, "the neighbour went on");
}

#[test]
fn a_destructor_that_panics_is_reported_and_its_handle_told() {
    let (event_loop, _) = EventLoop::manual();
    let failures = failures(&event_loop);
    let mut task = spawn_join(&event_loop.handle(), || async {
        let _bad = OnDrop(|| panic!("on the way out"));
        pending::<()>().await;
    });
    turn(&event_loop);
    task.cancel();
    event_loop.run().expect("a run");
    assert!(matches!(task.try_join(), Some(Err(JoinError::Cancelled))));
    assert_eq!(failures.take(), ["task 0v1 panicked: on the way out"]);
}

#[test]
fn a_waker_of_the_waiting_side_is_called_once_and_only_the_last_one() {
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (event_loop, _) = EventLoop::manual();
    let task = spawn_join(&event_loop.handle(), || async { spawn(yield_now()).await });
    let mut task = pin!(task);
    let wakers = [0; 2].map(|count| Arc::new(Counts(count.into())));
    for waker in &wakers {
        let waker = Waker::from(Arc::clone(waker));
        assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    event_loop.run().expect("a run");
    assert_eq!(wakers.each_ref().map(|waker| waker.0.load(Ordering::SeqCst)), [0, 1]);
    assert!(matches!(block_on(task), Ok(Ok(()))));
}
