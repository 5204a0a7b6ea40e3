//! A loop in another loop, and work that comes from other threads.
#![cfg(unix)]

mod util;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use net::{Backend, EventLoop, SPAWN_LIMIT, SpawnError, spawn, yield_now};
use poll::{Events, Interest, Selector};
use util::{Drops, Log, PATIENCE, SECOND, connected, failures, hold, panic_of, run, stuck};

fn turn(event_loop: &EventLoop) -> bool {
    event_loop.turn(Some(Duration::ZERO)).expect("a turn")
}

async fn count(done: Arc<AtomicUsize>) {
    done.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_turn_with_no_time_waits_for_nothing() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let task = event_loop.spawn(async { net::sleep(SECOND).await });
    assert!(turn(&event_loop) && turn(&event_loop));
    assert_eq!(clock.now(), start);
    assert!(task.cancel());
    assert!(!turn(&event_loop));
}

#[test]
fn a_turn_waits_no_longer_than_its_timeout_or_the_next_deadline() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let task = event_loop.spawn(async { net::sleep(3 * SECOND).await });
    turn(&event_loop);
    event_loop.turn(Some(2 * SECOND)).expect("a turn");
    assert_eq!((clock.now() - start, task.is_finished()), (2 * SECOND, false));
    event_loop.turn(Some(2 * SECOND)).expect("a turn");
    assert_eq!((clock.now() - start, task.is_finished()), (3 * SECOND, true));
}

#[test]
fn a_turn_with_a_timeout_is_never_stuck() {
    let (event_loop, _) = EventLoop::manual();
    drop(event_loop.spawn(hold(())));
    assert!(event_loop.turn(Some(SECOND)).expect("not stuck"));
    assert_eq!(stuck(event_loop.turn(None)).len(), 1);
}

#[test]
fn the_next_deadline_is_now_while_tasks_are_ready() {
    let (event_loop, clock) = EventLoop::manual();
    assert_eq!(event_loop.next_deadline(), None);
    let at = clock.now() + SECOND;
    let sleeper = event_loop.spawn(async { net::sleep(SECOND).await });
    assert_eq!(event_loop.next_deadline(), Some(clock.now()));
    turn(&event_loop);
    assert_eq!(event_loop.next_deadline(), Some(at));
    assert!(sleeper.cancel());
    assert_eq!(event_loop.next_deadline(), None);
}

#[test]
fn the_loop_inside_runs_in_the_turns_of_a_task_outside() {
    let (outer, clock) = EventLoop::manual();
    let log = Log::default();
    let (seen, other) = (log.clone(), log.clone());
    let embedding = outer.spawn(async move {
        let (inner, inner_clock) = EventLoop::manual();
        let task = inner.spawn(async move {
            for step in 0..3 {
                seen.push(("inner", step));
                net::sleep(SECOND).await;
            }
        });
        while inner.turn(Some(Duration::ZERO)).expect("a turn") {
            inner_clock.advance(SECOND);
            // The outer loop is the current one again.
            net::sleep(SECOND).await;
        }
        task.is_finished()
    });
    drop(outer.spawn(async move {
        for step in 0..3 {
            other.push(("outer", step));
            net::sleep(SECOND).await;
        }
    }));
    let start = clock.now();
    assert!(outer.run_until(embedding).expect("a run").expect("a value"));
    assert_eq!(clock.now() - start, 3 * SECOND);
    let mut log = log.take();
    log.sort_by_key(|(name, step)| (*step, *name));
    let rounds = (0..3).flat_map(|step| [("inner", step), ("outer", step)]);
    assert_eq!(log, rounds.collect::<Vec<_>>());
}

#[test]
fn tasks_of_two_loops_wait_for_each_other() {
    let (outer, _) = EventLoop::manual();
    let value = outer.run_until(async {
        let (inner, _) = EventLoop::manual();
        let outside = spawn(async {
            yield_now().await;
            20
        });
        let mut inside = inner.spawn(async move { outside.await.expect("a number") + 1 });
        let mut turns = 0;
        while inner.turn(Some(Duration::ZERO)).expect("a turn") {
            turns += 1;
            assert!(turns < 10, "never woken");
            yield_now().await;
        }
        inside.try_join()
    });
    assert!(matches!(value.expect("a run"), Some(Ok(21))));
}

#[test]
fn entering_makes_a_loop_the_current_one_and_leaving_brings_back_the_one_before() {
    let ((first, _), (second, _)) = (EventLoop::manual(), EventLoop::manual());
    first.enter(|| {
        drop(spawn(async {}));
        second.enter(|| drop(spawn(async {})));
        drop(spawn(async {}));
        panic_of(|| second.enter(|| panic!("out of it")));
        drop(spawn(async {}));
    });
    assert_eq!((first.stats().tasks, second.stats().tasks), (3, 1));
    assert!(panic_of(|| spawn(async {})).contains("no event loop"));
}

/// A descriptor as a source of a selector.
struct Descriptor(OwnedFd);

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[test]
fn its_descriptor_is_readable_when_an_event_waits_for_a_turn() {
    let event_loop = EventLoop::new().expect("a loop");
    let (mut near, mut far) = run(&event_loop, connected());
    let reader = event_loop.spawn(async move {
        let news = near.chunk().await;
        // Closing it would be another event.
        (near, news)
    });
    turn(&event_loop);

    let mut selector = Selector::new().expect("a selector");
    let Some(descriptor) = event_loop.descriptor().expect("a duplicate") else {
        return; // not every system's best backend has one
    };
    selector.register(Descriptor(descriptor), Interest::READ, ()).expect("a registration");
    let mut events = Events::new();
    let mut ready = |timeout| selector.select(&mut events, Some(timeout)).expect("a wait");
    // What the connection reported at first may still be there.
    while ready(Duration::ZERO) > 0 {
        turn(&event_loop);
    }
    assert!(!reader.is_finished());
    event_loop.enter(|| far.try_write(b"news")).expect("room");
    assert_eq!(ready(PATIENCE), 1);
    turn(&event_loop);
    assert!(reader.is_finished());
    assert_eq!(ready(Duration::ZERO), 0);
}

#[test]
fn its_descriptor_is_readable_when_another_thread_wakes_it() {
    let event_loop = EventLoop::new().expect("a loop");
    let Some(descriptor) = event_loop.descriptor().expect("a duplicate") else {
        return; // not every system's best backend has one
    };
    let mut selector = Selector::new().expect("a selector");
    selector.register(Descriptor(descriptor), Interest::READ, ()).expect("a registration");
    let handle = event_loop.handle();
    let sender = thread::spawn(move || handle.spawn(|| async {}).is_ok());
    let count = selector.select(&mut Events::new(), Some(PATIENCE));
    assert_eq!(count.expect("a wait"), 1);
    assert!(sender.join().expect("no panic"));
    assert!(!turn(&event_loop));
}

#[test]
fn backends_without_a_descriptor_say_so() {
    let event_loop = EventLoop::with_backend(Backend::Poll).expect("a loop");
    assert!(event_loop.descriptor().expect("no failure").is_none());
    assert_eq!(event_loop.backend(), Some(Backend::Poll));
    let (event_loop, _) = EventLoop::manual();
    assert!(event_loop.descriptor().expect("no failure").is_none());
    assert_eq!(event_loop.backend(), None);
}

#[test]
fn a_spawn_that_came_before_the_run_is_run() {
    for event_loop in [EventLoop::manual().0, EventLoop::new().expect("a loop")] {
        let done = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&done);
        let handle = event_loop.handle();
        let make = move || count(counted);
        assert!(handle.spawn(make).is_ok());
        event_loop.run().expect("a run");
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn other_threads_spawn_what_is_not_send() {
    let event_loop = EventLoop::new().expect("a loop");
    let handle = event_loop.handle();
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let make = move || {
            let local = Rc::new(sender);
            async move {
                net::sleep(Duration::from_micros(1)).await;
                local.send(thread::current().id()).expect("somebody listens");
            }
        };
        handle.spawn(make).map_err(drop)
    });
    assert_eq!(thread.join().expect("no panic"), Ok(()));
    event_loop.run().expect("a run");
    assert_eq!(receiver.try_recv(), Ok(thread::current().id()));
}

#[test]
fn a_loop_with_a_handle_waits_for_other_threads() {
    for event_loop in [EventLoop::manual().0, EventLoop::new().expect("a loop")] {
        let (out, wakers) = mpsc::channel::<Waker>();
        let mut woken = false;
        let task = event_loop.spawn(std::future::poll_fn(move |cx| {
            if std::mem::replace(&mut woken, true) {
                return std::task::Poll::Ready(());
            }
            out.send(cx.waker().clone()).expect("somebody listens");
            std::task::Poll::Pending
        }));
        let waker = thread::spawn(move || wakers.recv().expect("a waker").wake());
        event_loop.run().expect("not stuck");
        assert!(task.is_finished());
        waker.join().expect("no panic");
    }
}

#[test]
fn a_loop_is_not_stuck_while_a_handle_exists() {
    for event_loop in [EventLoop::manual().0, EventLoop::new().expect("a loop")] {
        let (handle, drops) = (event_loop.handle(), Drops::default());
        let task = event_loop.spawn(hold(drops.token()));
        let (go, gone) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            gone.recv().expect_err("the other end is dropped");
            handle.spawn(|| async {}).map_err(drop).expect("room");
        });
        turn(&event_loop);
        drop(go);
        // Waits while the handle is there, and has nothing to wait for when that is dropped.
        let left = stuck(event_loop.run());
        assert_eq!((left.len(), left[0].id), (1, task.id()));
        thread.join().expect("no panic");
    }
}

#[test]
fn an_unpark_ends_a_wait() {
    for event_loop in [EventLoop::manual().0, EventLoop::new().expect("a loop")] {
        let handle = event_loop.handle();
        drop(event_loop.spawn(hold(())));
        turn(&event_loop);
        let thread = thread::spawn(move || {
            handle.unpark();
            handle
        });
        assert!(event_loop.turn(Some(PATIENCE)).expect("a turn"));
        let handle = thread.join().expect("no panic");
        handle.unpark();
        assert!(event_loop.turn(None).expect("a turn"));
    }
}

#[test]
fn a_full_loop_gives_the_closure_back() {
    let (event_loop, _) = EventLoop::manual();
    let handle = event_loop.handle();
    let done = Arc::new(AtomicUsize::new(0));
    let make = || {
        let done = Arc::clone(&done);
        move || count(done)
    };
    for _ in 0..SPAWN_LIMIT {
        assert!(handle.spawn(make()).is_ok());
    }
    let refused = handle.spawn(make()).expect_err("full");
    assert!(matches!(refused, SpawnError::Full(_)));
    assert_eq!(refused.to_string(), "too many spawns wait for the scheduler");
    turn(&event_loop);
    assert!(handle.spawn(refused.into_inner()).is_ok());
    event_loop.run().expect("a run");
    assert_eq!(done.load(Ordering::Relaxed), SPAWN_LIMIT + 1);
}

#[test]
fn a_loop_that_is_gone_gives_the_closure_back() {
    let (event_loop, _) = EventLoop::manual();
    let handle = event_loop.handle();
    drop(event_loop);
    let refused = handle.spawn(|| async {}).expect_err("gone");
    assert!(matches!(refused, SpawnError::Closed(_)));
    handle.unpark();
}

#[test]
fn what_outlives_the_loop_does_not_keep_it_open_for_spawns() {
    let (event_loop, _) = EventLoop::manual();
    let handle = event_loop.handle();
    let task = event_loop.spawn(hold(()));
    let dropped = Arc::new(());
    let waits = Arc::clone(&dropped);
    let make = || async move { drop(waits) };
    assert!(handle.spawn(make).is_ok());
    drop(event_loop);
    assert_eq!(Arc::strong_count(&dropped), 1, "what waited is dropped");
    assert!(matches!(handle.spawn(|| async {}), Err(SpawnError::Closed(_))));
    drop(task);
}

#[test]
fn panics_of_what_other_threads_spawn_reach_the_hook() {
    let (event_loop, _) = EventLoop::manual();
    let failed = failures(&event_loop);
    let handle = event_loop.handle();
    async fn nothing() {}
    assert!(
        handle
            .spawn(|| {
                assert!(handle_is_up(), "making");
                nothing()
            })
            .is_ok()
    );
    assert!(handle.spawn(|| async { panic!("running") }).is_ok());
    event_loop.run().expect("a run");
    let said = failed.take();
    assert_eq!(said.len(), 2);
    assert!(said[0].ends_with("panicked: making"), "{said:?}");
    assert!(said[1].ends_with("panicked: running"), "{said:?}");
}

fn handle_is_up() -> bool {
    false
}

#[test]
fn a_spawned_closure_finds_its_loop() {
    let (event_loop, _) = EventLoop::manual();
    let make = || net::sleep(SECOND);
    assert!(event_loop.handle().spawn(make).is_ok());
    event_loop.run().expect("a run");
    assert_eq!(event_loop.stats().failures, 0);
}

#[test]
fn many_threads_spawn_and_none_is_lost() {
    const THREADS: usize = 4;
    const EACH: usize = 2_000;
    let event_loop = EventLoop::new().expect("a loop");
    let done = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (handle, done) = (event_loop.handle(), Arc::clone(&done));
            thread::spawn(move || {
                for _ in 0..EACH {
                    let counted = Arc::clone(&done);
                    let mut make = move || count(counted);
                    while let Err(refused) = handle.spawn(make) {
                        make = refused.into_inner();
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    while done.load(Ordering::Relaxed) < THREADS * EACH {
        event_loop.turn(Some(PATIENCE)).expect("a turn");
    }
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert_eq!(event_loop.stats().tasks, 0);
}

#[test]
fn a_loop_may_live_in_a_thread_local() {
    thread_local! {
        static LOOP: EventLoop = EventLoop::manual().0;
    }
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let thread = thread::spawn(move || {
        LOOP.with(|event_loop| {
            drop(event_loop.spawn(hold(held)));
            turn(event_loop);
        });
    });
    thread.join().expect("no panic at the thread's end");
    assert_eq!(Arc::strong_count(&dropped), 1);
}
