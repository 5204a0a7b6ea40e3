//! Closures that block, on the loop's threads.

mod util;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_lite::future::block_on;
use futures_util::future::FutureExt;
use futures_util::select;
use futures_util::stream::{FuturesUnordered, StreamExt};
use net::{EventLoop, TaskState, Unblock, WaitKind, spawn, unblock, yield_now};
use util::{PATIENCE, SECOND, failures, panic_of, run};

fn event_loop(threads: usize) -> EventLoop {
    let event_loop = EventLoop::new().expect("a loop");
    event_loop.set_unblock_threads(threads);
    event_loop
}

fn turn(event_loop: &EventLoop) {
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
}

/// A closure that runs until it is let go: it says that it has begun, and returns a number.
struct Held {
    begun: Receiver<ThreadId>,
    go: Sender<()>,
}

impl Held {
    fn new(number: u32) -> (Held, impl FnOnce() -> u32 + Send + 'static) {
        let (out, begun) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        let closure = move || {
            out.send(thread::current().id()).expect("somebody listens");
            // Ends as well when the other side is dropped, so that no test leaves a thread behind.
            let _ = gone.recv_timeout(PATIENCE);
            number
        };
        (Held { begun, go }, closure)
    }

    /// Blocks until the closure runs, and says where.
    #[track_caller]
    fn begun(&self) -> ThreadId {
        self.begun.recv_timeout(PATIENCE).expect("it runs")
    }

    fn has_begun(&self) -> bool {
        self.begun.try_recv().is_ok()
    }

    fn let_go(&self) {
        self.go.send(()).expect("it waits");
    }
}

/// Polls once, with the waker of the task that awaits this.
async fn polled<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Sends when it is dropped, which thread did.
struct Tells(Sender<ThreadId>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

#[test]
fn a_result_comes_back_from_another_thread() {
    let here = thread::current().id();
    let there = run(&event_loop(1), async { unblock(|| thread::current().id()).await });
    assert_ne!(here, there);
}

#[test]
fn thousands_of_closures_give_thousands_of_results() {
    const TASKS: u64 = 5_000;
    let sum = run(&event_loop(4), async {
        let tasks: Vec<_> =
            (0..TASKS).map(|n| spawn(async move { unblock(move || n).await })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("a result");
        }
        sum
    });
    assert_eq!(sum, TASKS * (TASKS - 1) / 2);
}

#[test]
fn a_panic_of_the_closure_resumes_in_the_task() {
    let event_loop = event_loop(2);
    let failures = failures(&event_loop);
    run(&event_loop, async {
        let task = spawn(async { unblock(|| panic!("lost a file")).await });
        let payload = task.await.expect_err("it panicked").into_panic().expect("a payload");
        assert_eq!(payload.downcast_ref(), Some(&"lost a file"));
        // The thread has lived through it.
        assert_eq!(unblock(|| 1).await, 1);
    });
    assert!(failures.take().is_empty(), "a handle has taken it");
}

#[test]
fn the_loop_goes_on_while_a_closure_runs_and_is_not_stuck() {
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(7);
    // The loop has no timer and no socket: nothing but the thread brings it back.
    let waiting = event_loop.spawn(async move { unblock(closure).await });
    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    event_loop
        .run_until(async move {
            for _ in 0..10 {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        })
        .expect("a run");
    held.begun();
    assert_eq!((steps.get(), waiting.is_finished()), (10, false));
    let letting_go = thread::spawn(move || held.let_go());
    event_loop.run().expect("not stuck");
    assert!(waiting.is_finished());
    letting_go.join().expect("no panic");
}

#[test]
fn the_listing_says_what_the_task_waits_for() {
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(0);
    let task = event_loop.spawn(async move { unblock(closure).await });
    turn(&event_loop);
    let info = event_loop.tasks().into_iter().find(|info| info.id == task.id()).expect("it lives");
    assert_eq!((info.state, &info.waits[0].kind), (TaskState::Parked, &WaitKind::Unblock));
    assert!(info.waits[0].since.is_some());
    let text = info.to_string();
    assert!(text.contains(" waits until a closure on another thread ends for "), "{text}");
    held.let_go();
    event_loop.run().expect("a run");
}

#[test]
fn with_one_thread_closures_run_in_the_order_of_their_polls() {
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(0);
    let order = Arc::new(Mutex::new(Vec::new()));
    let first = event_loop.spawn(async move { unblock(closure).await });
    for number in 0..1_000 {
        let order = Arc::clone(&order);
        drop(event_loop.spawn(unblock_on(&event_loop, move || order.lock().unwrap().push(number))));
    }
    turn(&event_loop);
    held.begun();
    assert!(order.lock().unwrap().is_empty(), "there is one thread");
    held.let_go();
    event_loop.run().expect("a run");
    assert!(first.is_finished());
    assert_eq!(*order.lock().unwrap(), (0..1_000).collect::<Vec<_>>());
}

fn unblock_on<T: Send + 'static>(
    event_loop: &EventLoop,
    closure: impl FnOnce() -> T + Send + 'static,
) -> Unblock<T> {
    event_loop.enter(|| unblock(closure))
}

#[test]
fn as_many_run_at_once_as_there_are_threads_and_no_more() {
    const THREADS: usize = 3;
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let barrier = Arc::new(Barrier::new(THREADS));
    let closure = {
        let most = Arc::clone(&most);
        move || {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Passes only when so many run at once.
            barrier.wait();
            running.fetch_sub(1, Ordering::SeqCst);
        }
    };
    run(&event_loop(THREADS), async move {
        let all: FuturesUnordered<_> =
            (0..10 * THREADS).map(|_| unblock(closure.clone())).collect();
        assert_eq!(all.count().await, 10 * THREADS);
    });
    assert_eq!(most.load(Ordering::SeqCst), THREADS);
}

#[test]
fn a_higher_limit_serves_who_waits_already() {
    let event_loop = event_loop(1);
    let (first, first_closure) = Held::new(1);
    let (second, second_closure) = Held::new(2);
    let tasks = [
        event_loop.spawn(unblock_on(&event_loop, first_closure)),
        event_loop.spawn(unblock_on(&event_loop, second_closure)),
    ];
    turn(&event_loop);
    first.begun();
    assert!(!second.has_begun());
    event_loop.set_unblock_threads(2);
    second.begun();
    first.let_go();
    second.let_go();
    event_loop.run().expect("a run");
    assert!(tasks.iter().all(net::JoinHandle::is_finished));
}

#[test]
fn a_lower_limit_ends_the_threads_beyond_it() {
    let event_loop = event_loop(2);
    let (first, first_closure) = Held::new(1);
    let (second, second_closure) = Held::new(2);
    drop(event_loop.spawn(unblock_on(&event_loop, first_closure)));
    drop(event_loop.spawn(unblock_on(&event_loop, second_closure)));
    turn(&event_loop);
    assert_ne!(first.begun(), second.begun());
    event_loop.set_unblock_threads(0); // one at least
    let (third, third_closure) = Held::new(3);
    let (fourth, fourth_closure) = Held::new(4);
    drop(event_loop.spawn(unblock_on(&event_loop, third_closure)));
    drop(event_loop.spawn(unblock_on(&event_loop, fourth_closure)));
    turn(&event_loop);
    first.let_go();
    second.let_go();
    third.begun();
    assert!(!fourth.has_begun());
    third.let_go();
    fourth.begun();
    fourth.let_go();
    event_loop.run().expect("a run");
}

#[test]
fn a_future_that_is_not_polled_runs_nothing() {
    let event_loop = event_loop(1);
    let (dropped, drops) = mpsc::channel();
    let tells = Tells(dropped);
    let future = unblock_on(&event_loop, move || drop(tells));
    drop(future);
    let by = drops.try_recv().expect("the closure is dropped at once");
    assert_eq!(by, thread::current().id());
}

#[test]
fn a_closure_that_has_not_begun_is_dropped_with_its_future_and_never_runs() {
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(0);
    let busy = event_loop.spawn(unblock_on(&event_loop, closure));
    let (dropped, drops) = mpsc::channel();
    let ran = Arc::new(AtomicUsize::new(0));
    let (tells, runs) = (Tells(dropped), Arc::clone(&ran));
    let given_up = event_loop.spawn(unblock_on(&event_loop, move || {
        runs.fetch_add(1, Ordering::SeqCst);
        drop(tells);
    }));
    turn(&event_loop);
    held.begun();
    assert!(given_up.cancel());
    assert_eq!(drops.try_recv(), Ok(thread::current().id()));
    held.let_go();
    let last = event_loop.spawn(unblock_on(&event_loop, || ()));
    event_loop.run().expect("a run");
    assert!(busy.is_finished() && last.is_finished());
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[test]
fn a_result_that_nobody_waits_for_is_dropped_on_its_thread() {
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(0);
    let (dropped, drops) = mpsc::channel();
    let task = event_loop.spawn(unblock_on(&event_loop, move || {
        closure();
        Tells(dropped)
    }));
    turn(&event_loop);
    let there = held.begun();
    assert!(task.cancel());
    assert!(drops.try_recv().is_err(), "it runs");
    held.let_go();
    assert_eq!(drops.recv_timeout(PATIENCE), Ok(there));
    // The thread is of use still.
    assert_eq!(run(&event_loop, unblock_on(&event_loop, || thread::current().id())), there);
}

#[test]
fn a_result_that_came_before_its_future_is_dropped_goes_with_it() {
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(0);
    let (dropped, drops) = mpsc::channel();
    let mut future = unblock_on(&event_loop, move || {
        closure();
        Tells(dropped)
    });
    let (woken, waker) = woken_once();
    assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
    held.let_go();
    woken.recv_timeout(PATIENCE).expect("the result has come");
    assert!(drops.try_recv().is_err());
    drop(future);
    assert_eq!(drops.try_recv(), Ok(thread::current().id()));
}

#[test]
fn a_panic_that_came_before_its_future_is_dropped_is_reported() {
    let event_loop = event_loop(1);
    let failures = failures(&event_loop);
    let (held, closure) = Held::new(0);
    let mut future = unblock_on(&event_loop, || panic!("number {}", closure()));
    let (woken, waker) = woken_once();
    let polled: Poll<()> = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    held.let_go();
    woken.recv_timeout(PATIENCE).expect("the result has come");
    drop(future);
    assert_eq!(failures.take(), ["a waker panicked: number 0"]);
}

/// A waker that sends when it is called.
fn woken_once() -> (Receiver<()>, Waker) {
    struct Sends(Mutex<Sender<()>>);
    impl Wake for Sends {
        fn wake(self: Arc<Self>) {
            let _ = self.0.lock().unwrap().send(());
        }
    }
    let (sender, receiver) = mpsc::channel();
    (receiver, Arc::new(Sends(Mutex::new(sender))).into())
}

#[test]
fn in_a_set_of_futures() {
    let mut results = run(&event_loop(3), async {
        let all: FuturesUnordered<_> = (0..2_000).map(|n| unblock(move || n)).collect();
        all.collect::<Vec<u32>>().await
    });
    results.sort_unstable();
    assert_eq!(results, (0..2_000).collect::<Vec<_>>());
}

#[test]
fn in_select_with_a_loser_that_is_polled_again() {
    run(&event_loop(2), async {
        let (held, closure) = Held::new(1);
        let mut slow = unblock(closure).fuse();
        let mut quick = unblock(|| 2).fuse();
        let first = select! {
            number = slow => number,
            number = quick => number,
        };
        assert_eq!(first, 2);
        held.let_go();
        assert_eq!(slow.await, 1);
    });
}

#[test]
fn moved_from_one_task_to_another_while_it_waits() {
    run(&event_loop(1), async {
        let (held, closure) = Held::new(5);
        let mut future = unblock(closure);
        assert!(polled(&mut future).await.is_pending());
        let task = spawn(future);
        yield_now().await;
        held.let_go();
        assert_eq!(task.await.expect("a result"), 5);
    });
}

#[test]
fn polled_by_another_executor_while_the_loop_stands_still() {
    let event_loop = event_loop(2);
    let sum = event_loop.enter(|| {
        block_on(async {
            let all: FuturesUnordered<_> = (0..100).map(|n| unblock(move || n)).collect();
            all.fold(0, |sum, n| async move { sum + n }).await
        })
    });
    assert_eq!(sum, 4_950);
}

#[test]
fn in_a_task_of_another_loop() {
    let (one, other) = (event_loop(1), event_loop(1));
    let future = unblock_on(&one, || 8);
    assert_eq!(run(&other, future), 8);
}

#[test]
fn each_poll_spends_the_budget() {
    // On a manual clock every closure is ready at once, so that only the budget ends the turn.
    let (event_loop, _clock) = EventLoop::manual();
    let turns = Rc::new(Cell::new(0));
    let (counted, mut done) = (Rc::clone(&turns), 0);
    let busy = event_loop.spawn(async move {
        for _ in 0..10 * net::BUDGET {
            done += unblock(|| 1).await;
        }
        done
    });
    let neighbour = event_loop.spawn(async move {
        while !busy.is_finished() {
            counted.set(counted.get() + 1);
            yield_now().await;
        }
    });
    event_loop.run().expect("a run");
    assert!(neighbour.is_finished());
    assert!(turns.get() >= 9, "the neighbour had {} turns", turns.get());
}

#[test]
fn on_a_manual_clock_closures_run_here_and_in_order() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let here = thread::current().id();
    let order = event_loop.run_until(async move {
        let order = Rc::new(RefCell::new(Vec::new()));
        for number in 0..3 {
            let at = net::timeout(SECOND, unblock(move || (number, thread::current().id()))).await;
            order.borrow_mut().push(at.expect("it takes no time"));
        }
        order.take()
    });
    assert_eq!(order.expect("a run"), [(0, here), (1, here), (2, here)]);
    assert_eq!(clock.now(), start);
}

#[test]
fn a_closure_finds_no_loop_wherever_it_runs() {
    for event_loop in [EventLoop::manual().0, event_loop(1)] {
        let said = run(&event_loop, async { unblock(|| panic_of(|| spawn(async {}))).await });
        assert!(said.contains("no event loop runs on this thread"), "{said}");
        // And the task that waited finds its own again.
        assert_eq!(run(&event_loop, async { spawn(async { 1 }).await.expect("a result") }), 1);
    }
}

#[test]
fn outside_a_loop_there_are_no_threads() {
    let said = panic_of(|| drop(unblock(|| ())));
    assert!(said.starts_with("unblock: no event loop"), "{said}");
}

#[test]
fn a_dropped_loop_waits_for_no_closure() {
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(0);
    let (dropped, drops) = mpsc::channel();
    drop(event_loop.spawn(unblock_on(&event_loop, move || {
        closure();
        Tells(dropped)
    })));
    let (line, in_line) = mpsc::channel();
    let tells = Tells(line);
    drop(event_loop.spawn(unblock_on(&event_loop, move || drop(tells))));
    turn(&event_loop);
    let there = held.begun();
    drop(event_loop);
    // What had not begun is gone already; what runs goes on to its end.
    assert_eq!(in_line.try_recv(), Ok(thread::current().id()));
    assert!(drops.try_recv().is_err());
    held.let_go();
    assert_eq!(drops.recv_timeout(PATIENCE), Ok(there));
}

#[test]
fn who_waits_elsewhere_hears_that_the_loop_is_gone() {
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(3);
    let (mut runs, mut waits) = (unblock_on(&event_loop, closure), unblock_on(&event_loop, || 4));
    let never_polled = unblock_on(&event_loop, || 5);
    let (runs_on, runs_waker) = woken_once();
    let (refused, waits_waker) = woken_once();
    assert!(Pin::new(&mut runs).poll(&mut Context::from_waker(&runs_waker)).is_pending());
    assert!(Pin::new(&mut waits).poll(&mut Context::from_waker(&waits_waker)).is_pending());
    held.begun();
    drop(event_loop);
    refused.try_recv().expect("the loop told it when it went");
    let said = panic_of(|| block_on(waits));
    assert_eq!(said, "unblock: the event loop was dropped before the closure began");
    assert!(panic_of(|| block_on(never_polled)).contains("has been dropped"));
    // One that has begun still brings its result.
    held.let_go();
    runs_on.recv_timeout(PATIENCE).expect("a result");
    assert_eq!(block_on(runs), 3);
}

thread_local! {
    /// Tells when its thread ends.
    static END: RefCell<Option<Tells>> = const { RefCell::new(None) };
}

/// Has the thread that this runs on tell its end.
fn tell_end(ends: &Sender<ThreadId>) {
    END.set(Some(Tells(ends.clone())));
}

#[test]
fn no_thread_outlives_a_loop_by_more_than_its_closure() {
    const LOOPS: usize = 50;
    const THREADS: usize = 4;
    let (sender, ends) = mpsc::channel();
    let mut held = Vec::new();
    for _ in 0..LOOPS {
        let event_loop = event_loop(THREADS);
        let barrier = Arc::new(Barrier::new(THREADS - 1));
        for _ in 1..THREADS {
            let (sender, barrier) = (sender.clone(), Arc::clone(&barrier));
            drop(event_loop.spawn(unblock_on(&event_loop, move || {
                tell_end(&sender);
                barrier.wait();
            })));
        }
        event_loop.run().expect("a run");
        let (busy, closure) = Held::new(0);
        let sender = sender.clone();
        drop(event_loop.spawn(unblock_on(&event_loop, move || {
            tell_end(&sender);
            closure()
        })));
        turn(&event_loop);
        busy.begun();
        held.push(busy);
    }
    held.iter().for_each(Held::let_go);
    drop(sender);
    // The channel ends when every thread has: they hold its senders.
    while ends.recv_timeout(PATIENCE).is_ok() {}
    assert_eq!(ends.try_recv(), Err(mpsc::TryRecvError::Disconnected), "a thread is left");
}

/// A waker whose every use panics may cost its own task the news, and nobody else.
#[test]
fn a_foreign_waker_that_panics_does_not_end_a_thread() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("a bad waker");
        }
    }
    let event_loop = event_loop(1);
    let (held, closure) = Held::new(1);
    let mut future = unblock_on(&event_loop, closure);
    let bad = Waker::from(Arc::new(Bad));
    assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&bad)).is_pending());
    let there = held.begun();
    held.let_go();
    assert_eq!(run(&event_loop, unblock_on(&event_loop, || thread::current().id())), there);
    assert_eq!(block_on(pin!(future)), 1);
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod refused {
    use super::*;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// Set in the child that runs a test again, in a process of its own.
    const CHILD: &str = "NET_TEST_CHILD";

    /// Runs `test` again in a process in which no thread can be started: each would need a larger
    /// stack than there is room for.
    fn in_a_child(test: &str, variables: &[(&str, &str)]) {
        let program = std::env::current_exe().expect("this program");
        let mut command = std::process::Command::new(program);
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, "1");
        let output = command.envs(variables.iter().copied()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    }

    #[test]
    fn without_any_thread_the_error_says_so() {
        if std::env::var_os(CHILD).is_none() {
            let stack = (1_u64 << 47).to_string();
            return in_a_child(
                "refused::without_any_thread_the_error_says_so",
                &[("RUST_MIN_STACK", &stack)],
            );
        }
        let event_loop = event_loop(2);
        let (dropped, drops) = mpsc::channel();
        let tells = Tells(dropped);
        let said = panic_of(|| run(&event_loop, unblock_on(&event_loop, move || drop(tells))));
        assert!(said.contains("there is no thread for what blocks"), "{said}");
        assert!(said.contains("Resource temporarily unavailable"), "{said}");
        assert_eq!(drops.try_recv(), Ok(thread::current().id()), "the closure goes with it");
        let error = run(&event_loop, net::lookup("localhost:80")).expect_err("no thread");
        assert!(
            error.to_string().starts_with("cannot find an address of \"localhost\""),
            "{error}"
        );
    }

    #[test]
    fn with_one_thread_others_that_cannot_be_started_are_done_without() {
        if std::env::var_os(CHILD).is_none() {
            let test = "refused::with_one_thread_others_that_cannot_be_started_are_done_without";
            return in_a_child(test, &[]);
        }
        let event_loop = event_loop(8);
        let (held, closure) = Held::new(0);
        let busy = event_loop.spawn(unblock_on(&event_loop, closure));
        turn(&event_loop);
        let first = held.begun();
        // Room for small things, and not for a stack.
        let size = std::fs::read_to_string("/proc/self/statm").expect("a size");
        let pages: u64 = size.split(' ').next().expect("a number").parse().expect("a number");
        let before = getrlimit(Resource::As);
        let tight = Some(pages * 4096 + (1 << 20));
        setrlimit(Resource::As, Rlimit { current: tight, ..before }).expect("a limit");
        let all: Vec<_> = (0..10)
            .map(|_| event_loop.spawn(unblock_on(&event_loop, || thread::current().id())))
            .collect();
        turn(&event_loop);
        setrlimit(Resource::As, before).expect("a limit");
        held.let_go();
        event_loop.run().expect("a run");
        assert!(busy.is_finished());
        for mut task in all {
            let thread = task.try_join().expect("it has ended").expect("a result");
            assert_eq!(thread, first, "all were done by the only thread");
        }
    }
}
