//! The libraries that the documents send users to, in this loop: locks of async-lock, events of
//! event-listener, combinators and streams of futures-lite and futures-util.

mod util;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use async_lock::{Barrier, Mutex, OnceCell, RwLock, Semaphore};
use event_listener::{Event, Listener};
use futures_lite::future::{or, poll_once, race, try_zip, zip};
use futures_lite::{StreamExt as _, stream};
use futures_util::future::{FutureExt, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{join, select};
use net::{BUDGET, EventLoop, JoinHandle, TaskInfo, WaitKind, fair, now, sleep, spawn, yield_now};
use util::{Log, SECOND, run, settle};

/// Runs `future` on a loop with a manual clock; afterwards no task and no timer may be left.
#[track_caller]
fn run_alone<F: Future + 'static>(future: F) -> F::Output {
    let (event_loop, _) = EventLoop::manual();
    let output = event_loop.run_until(future).expect("a run");
    assert_eq!((event_loop.stats().tasks, event_loop.stats().timers), (0, 0));
    output
}

fn info<T>(event_loop: &EventLoop, task: &JoinHandle<T>) -> TaskInfo {
    let mut tasks = event_loop.tasks().into_iter();
    tasks.find(|info| info.id == task.id()).expect("it lives")
}

#[test]
fn a_mutex_is_held_over_waits_by_one_task_at_a_time() {
    let log = Log::default();
    let told = log.clone();
    run_alone(async move {
        let mutex = Rc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..3)
            .map(|name| {
                let (mutex, told) = (Rc::clone(&mutex), told.clone());
                spawn(async move {
                    let mut held = fair(mutex.lock()).await;
                    told.push((name, "in"));
                    sleep(SECOND).await;
                    *held += 1;
                    told.push((name, "out"));
                })
            })
            .collect();
        join_all(tasks).await.into_iter().for_each(|ended| ended.expect("no panic"));
        assert_eq!(*mutex.lock().await, 3);
    });
    let expected = [(0, "in"), (0, "out"), (1, "in"), (1, "out"), (2, "in"), (2, "out")];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_mutex_is_given_up_by_a_task_that_is_cancelled() {
    let (event_loop, _) = EventLoop::manual();
    let mutex = Arc::new(Mutex::new(()));
    let hold = |mutex: Arc<Mutex<()>>| async move {
        let _held = mutex.lock_arc().await;
        std::future::pending::<()>().await;
    };
    let holder = event_loop.spawn(hold(Arc::clone(&mutex)));
    let next = event_loop.spawn(hold(Arc::clone(&mutex)));
    let waiting = Arc::clone(&mutex);
    let last = event_loop.spawn(async move { drop(waiting.lock().await) });
    settle(&event_loop);
    // The second is told of the lock, and cancelled before it takes it.
    assert!(holder.cancel());
    assert!(next.cancel());
    settle(&event_loop);
    assert!(last.is_finished() && mutex.try_lock().is_some());
}

#[test]
fn a_semaphore_bounds_who_works_at_a_time() {
    let most = run_alone(async {
        let permits = Rc::new(Semaphore::new(3));
        let (working, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let work = |_| {
            let (permits, working, most) = (permits.clone(), working.clone(), most.clone());
            spawn(async move {
                let _permit = fair(permits.acquire()).await;
                working.set(working.get() + 1);
                most.set(working.get().max(most.get()));
                sleep(SECOND).await;
                working.set(working.get() - 1);
            })
        };
        let start = now();
        join_all((0..10).map(work)).await;
        assert_eq!(now() - start, 4 * SECOND);
        most.get()
    });
    assert_eq!(most, 3);
}

#[test]
fn a_lock_is_shared_by_readers_and_kept_from_writers() {
    run_alone(async {
        let lock = Rc::new(RwLock::new(1));
        let readers = [fair(lock.read()).await, fair(lock.read()).await];
        let writing = Rc::clone(&lock);
        let writer = spawn(async move { *fair(writing.write()).await = 2 });
        yield_now().await;
        assert!(!writer.is_finished() && poll_once(lock.read()).await.is_none());
        assert_eq!(*readers[0] + *readers[1], 2);
        drop(readers);
        writer.await.expect("no panic");
        assert_eq!(*fair(lock.read()).await, 2);
    });
}

#[test]
fn a_barrier_lets_all_go_with_the_last() {
    run_alone(async {
        let barrier = Rc::new(Barrier::new(3));
        let arrive = |seconds| {
            let barrier = Rc::clone(&barrier);
            spawn(async move {
                sleep(seconds * SECOND).await;
                let leader = fair(barrier.wait()).await.is_leader();
                (leader, now())
            })
        };
        let start = now();
        let gone = join_all([arrive(1), arrive(3), arrive(2)]).await;
        let gone: Vec<_> = gone.into_iter().map(|gone| gone.expect("no panic")).collect();
        assert!(gone.iter().all(|(_, at)| *at - start == 3 * SECOND));
        assert_eq!(gone.iter().filter(|(leader, _)| *leader).count(), 1);
    });
}

#[test]
fn a_cell_is_filled_once_and_by_the_next_where_the_first_is_cancelled() {
    let (event_loop, _) = EventLoop::manual();
    let cell = Rc::new(OnceCell::<u32>::new());
    let fill = |value: u32| {
        let cell = Rc::clone(&cell);
        event_loop.spawn(async move {
            let made = async {
                sleep(SECOND).await;
                value
            };
            *fair(cell.get_or_init(|| made)).await
        })
    };
    let (first, mut second, mut third) = (fill(1), fill(2), fill(3));
    settle(&event_loop);
    assert!(first.cancel());
    event_loop.run().expect("a run");
    for task in [&mut second, &mut third] {
        assert_eq!(task.try_join().expect("it ended").expect("no panic"), 2);
    }
}

#[test]
fn an_event_of_another_thread_brings_a_task_back() {
    let event_loop = EventLoop::new().expect("a loop");
    let (event, asked) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let other = thread::spawn({
        let (event, asked, count) = (event.clone(), asked.clone(), count.clone());
        move || {
            for _ in 0..100 {
                let listener = asked.listen();
                if count.load(Ordering::SeqCst) % 2 == 0 {
                    listener.wait();
                }
                count.fetch_add(1, Ordering::SeqCst);
                event.notify(1);
            }
        }
    });
    run(&event_loop, async move {
        for round in 0..100 {
            let listener = event.listen();
            assert_eq!(count.fetch_add(1, Ordering::SeqCst), 2 * round);
            asked.notify(1);
            fair(listener).await;
            assert_eq!(count.load(Ordering::SeqCst), 2 * round + 2);
        }
    });
    other.join().expect("no panic");
}

#[test]
fn a_mutex_is_shared_with_another_threads_loop() {
    const EACH: u32 = 200;
    let mutex = Arc::new(Mutex::new(0));
    let add = |mutex: Arc<Mutex<u32>>| async move {
        for _ in 0..EACH {
            let mut held = fair(mutex.lock()).await;
            yield_now().await;
            *held += 1;
        }
    };
    let theirs = Arc::clone(&mutex);
    let other = thread::spawn(move || run(&EventLoop::new().expect("a loop"), add(theirs)));
    run(&EventLoop::new().expect("a loop"), add(Arc::clone(&mutex)));
    other.join().expect("no panic");
    assert_eq!(*mutex.try_lock().expect("free"), 2 * EACH);
}

/// How many turns a neighbour has while a task takes a free lock ten budgets' worth of times.
fn turns_beside<F: Future>(lock: impl Fn(Rc<Mutex<()>>) -> F + 'static) -> u32 {
    run_alone(async move {
        let mutex = Rc::new(Mutex::new(()));
        let busy = spawn(async move {
            for _ in 0..10 * BUDGET {
                lock(Rc::clone(&mutex)).await;
            }
        });
        let mut turns = 0;
        while !busy.is_finished() {
            turns += 1;
            yield_now().await;
        }
        turns
    })
}

#[test]
fn a_lock_that_is_always_free_gives_up_the_turn_only_where_it_is_made_fair() {
    let bare = turns_beside(|mutex| async move { drop(mutex.lock().await) });
    let made_fair = turns_beside(|mutex| async move { drop(fair(mutex.lock()).await) });
    assert_eq!((bare, made_fair), (1, 10));
}

#[test]
fn what_was_made_fair_has_no_budget_outside_a_loop() {
    let mutex = Mutex::new(0);
    futures_lite::future::block_on(async {
        for _ in 0..10 * BUDGET {
            *fair(mutex.lock()).await += 1;
        }
    });
    assert_eq!(mutex.into_inner(), 10 * BUDGET);
}

#[test]
fn a_wait_that_was_made_fair_is_listed_with_name_and_beginning() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let mutex = Arc::new(Mutex::new(()));
    let held = mutex.lock_arc_blocking();
    let wait = |name: Option<&'static str>| {
        let mutex = Arc::clone(&mutex);
        event_loop.spawn(async move {
            let lock = fair(mutex.lock());
            drop(match name {
                Some(name) => lock.named(name).await,
                None => lock.await,
            });
            sleep(SECOND).await;
        })
    };
    let (named, unnamed) = (wait(Some("the cache")), wait(None));
    settle(&event_loop);
    clock.advance(SECOND);
    let named = info(&event_loop, &named);
    assert_eq!(named.waits[0].kind, WaitKind::Named("the cache".into()));
    assert_eq!(named.to_string(), format!("task {} waits for the cache for 1s", named.id));
    let waits = info(&event_loop, &unnamed).waits;
    assert_eq!((waits.len(), &waits[0].kind, waits[0].since), (1, &WaitKind::Waker, Some(start)));
    drop(held);
    settle(&event_loop);
    let waits = info(&event_loop, &unnamed).waits;
    assert!(waits.len() == 1 && matches!(waits[0].kind, WaitKind::Deadline(_)), "{waits:?}");
}

#[test]
fn futures_end_together_or_one_before_the_other() {
    run_alone(async {
        let start = now();
        let after = |seconds: u32| async move {
            sleep(seconds * SECOND).await;
            seconds
        };
        assert_eq!(zip(after(1), after(2)).await, (1, 2));
        assert_eq!(now() - start, 2 * SECOND);
        assert_eq!(or(after(2), after(1)).await, 1);
        assert_eq!(race(after(1), after(2)).await, 1);
        let failed = async { Err("at once") };
        let slow = async { Ok::<_, &str>(after(60).await) };
        assert_eq!(try_zip(slow, failed).await, Err::<(u32, ()), _>("at once"));
        assert_eq!(now() - start, 4 * SECOND);
        let (joined, first) = join!(spawn(after(1)), after(2));
        assert_eq!((joined.expect("no panic"), first), (1, 2));
        let (mut soon, mut late) = (pin!(after(1).fuse()), pin!(after(2).fuse()));
        let won = select! { won = late => won, won = soon => won };
        assert_eq!((won, now() - start), (1, 7 * SECOND));
    });
}

#[test]
fn streams_of_futures_run_in_order_and_as_they_come() {
    run_alone(async {
        let after = |seconds: u32| async move {
            sleep(seconds * SECOND).await;
            seconds
        };
        let start = now();
        let sum = stream::iter([3, 1, 2]).then(after).fold(0, |sum, n| sum + n).await;
        assert_eq!((sum, now() - start), (6, 6 * SECOND));
        let set: FuturesUnordered<_> = [3, 1, 2].into_iter().map(after).collect();
        assert_eq!(set.collect::<Vec<_>>().await, [1, 2, 3]);
        assert_eq!(now() - start, 9 * SECOND);
        let beat = net::interval(SECOND);
        let ticks = stream::unfold(beat, |mut beat| async {
            beat.tick().await;
            Some(((), beat))
        });
        assert_eq!(ticks.take(4).count().await, 4);
        assert_eq!(now() - start, 12 * SECOND);
    });
}

#[test]
fn locks_work_in_sets_and_lose_races() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let told = Rc::clone(&log);
    run_alone(async move {
        let mutex = Rc::new(Mutex::new(()));
        let held = mutex.lock().await;
        let timed = net::timeout(SECOND, fair(mutex.lock())).await;
        assert!(timed.is_err());
        let lost = or(fair(mutex.lock()).map(drop), yield_now());
        lost.await;
        let mut set: FuturesUnordered<_> = (0..3 * BUDGET)
            .map(|number| {
                let (mutex, told) = (Rc::clone(&mutex), Rc::clone(&told));
                async move {
                    let _held = fair(mutex.lock()).await;
                    told.borrow_mut().push(number);
                }
            })
            .collect();
        assert!(poll_once(set.next()).await.is_none());
        drop(held);
        assert_eq!(set.count().await, 3 * BUDGET as usize);
    });
    assert_eq!(*log.borrow(), (0..3 * BUDGET).collect::<Vec<_>>());
}

#[test]
fn a_panic_of_what_was_made_fair_is_the_tasks() {
    run_alone(async {
        let task = spawn(fair(poll_fn(|_| -> std::task::Poll<()> { panic!("oh") })));
        let panic = task.await.expect_err("it panics").into_panic();
        assert_eq!(panic.expect("a panic").downcast_ref(), Some(&"oh"));
    });
}
