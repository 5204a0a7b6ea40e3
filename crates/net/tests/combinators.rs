//! Every leaf under wakers that are not the loop's own: combinators and foreign executors.

mod util;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::block_on;
use futures_util::future::{FutureExt, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{join, pin_mut, select};
use net::{EventLoop, TaskGroup, interval, sleep, spawn, timeout, yield_now};
use util::{SECOND, hold};

/// A leaf of each kind, made in the loop that runs; all have ended after three seconds.
fn leaves() -> Vec<(&'static str, LocalBoxFuture<'static, ()>)> {
    let mut beat = interval(SECOND);
    let join = spawn(sleep(2 * SECOND));
    let finished = spawn(async {});
    vec![
        ("sleep", sleep(SECOND).boxed_local()),
        ("ready sleep", sleep(Duration::ZERO).boxed_local()),
        ("timeout", timeout(SECOND, hold(())).map(drop).boxed_local()),
        ("in time", timeout(3 * SECOND, sleep(SECOND)).map(drop).boxed_local()),
        (
            "interval",
            async move {
                beat.tick().await;
                beat.tick().await;
            }
            .boxed_local(),
        ),
        ("join", join.map(drop).boxed_local()),
        ("join of a finished task", finished.map(drop).boxed_local()),
        (
            "group",
            async {
                let mut group = TaskGroup::<()>::new();
                for seconds in 1..=3 {
                    group.spawn(sleep(seconds * SECOND).map(Ok));
                }
                assert!(group.wait().await.is_ok());
            }
            .boxed_local(),
        ),
        ("yield", yield_now().boxed_local()),
    ]
}

/// Runs `make` on a manual clock, which must have moved by `time` at the end, with nothing left.
fn run_for<F: Future + 'static>(time: Duration, make: impl FnOnce() -> F) -> F::Output {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let future = event_loop.enter(make);
    let output = event_loop.run_until(future).expect("a run");
    assert_eq!(clock.now() - start, time);
    assert_eq!((event_loop.stats().timers, event_loop.stats().failures), (0, 0));
    output
}

#[test]
fn every_leaf_ends_in_a_set_of_futures() {
    let ended = run_for(3 * SECOND, || async {
        let named = |(name, leaf): (_, LocalBoxFuture<'static, ()>)| leaf.map(move |()| name);
        let set: FuturesUnordered<_> = leaves().into_iter().map(named).collect();
        set.collect::<Vec<_>>().await
    });
    assert_eq!(ended.len(), 9);
    assert_eq!(ended.last(), Some(&"group"));
}

#[test]
fn every_leaf_ends_alone_in_a_set() {
    for index in 0..9 {
        let (event_loop, _) = EventLoop::manual();
        let ended = event_loop.run_until(async move {
            let leaf = leaves().swap_remove(index).1;
            let mut set = FuturesUnordered::new();
            set.push(leaf);
            set.next().await
        });
        assert_eq!(ended.expect("not stuck"), Some(()));
    }
}

#[test]
fn every_leaf_ends_in_a_join() {
    // The group begins when it is polled, after two seconds.
    run_for(5 * SECOND, || async {
        for (_, leaf) in leaves() {
            let other = sleep(Duration::ZERO);
            join!(leaf, other);
        }
    });
}

#[test]
fn every_leaf_may_lose_a_select_and_leaves_nothing() {
    for index in 0..9 {
        let (event_loop, _) = EventLoop::manual();
        event_loop
            .run_until(async move {
                let leaf = leaves().swap_remove(index).1.fuse();
                let ready = async {}.fuse();
                pin_mut!(leaf, ready);
                // Polls both, and drops the one that is late.
                poll_fn(|cx| {
                    let _ = leaf.poll_unpin(cx);
                    Poll::Ready(())
                })
                .await;
                select! {
                    () = ready => {}
                    () = leaf => {}
                }
            })
            .expect("a run");
        event_loop.run().expect("nothing is stuck");
        let stats = event_loop.stats();
        assert_eq!((stats.tasks, stats.timers), (0, 0));
    }
}

#[test]
fn select_takes_whichever_comes_first() {
    let first = run_for(SECOND, || async {
        let (short, long) = (sleep(SECOND).fuse(), sleep(5 * SECOND).fuse());
        pin_mut!(short, long);
        select! {
            () = long => "long",
            () = short => "short",
        }
    });
    assert_eq!(first, "short");
}

/// Ends when `future` has, and gives `event_loop` a turn whenever it has not.
async fn driven<F: Future>(event_loop: &EventLoop, future: F) -> F::Output {
    pin_mut!(future);
    let polled = Rc::new(Cell::new(0));
    poll_fn(|cx| {
        polled.set(polled.get() + 1);
        assert!(polled.get() < 100, "never woken");
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(value);
        }
        // A leaf that has come wakes the executor out of the turn; nothing else does.
        while event_loop.turn(None).expect("a turn") && event_loop.next_deadline().is_some() {}
        Poll::Pending
    })
    .await
}

#[test]
fn every_leaf_ends_under_a_foreign_executor() {
    for index in 0..9 {
        let (event_loop, _) = EventLoop::manual();
        let leaf = event_loop.enter(|| leaves().swap_remove(index).1);
        // What a leaf makes while it is polled finds the loop as well.
        event_loop.enter(|| block_on(driven(&event_loop, leaf)));
        event_loop.run().expect("a run");
        assert_eq!(event_loop.stats().timers, 0);
    }
}

#[test]
fn a_foreign_executor_has_no_budget() {
    let (event_loop, _) = EventLoop::manual();
    event_loop.enter(|| {
        block_on(async {
            for _ in 0..10 * net::BUDGET {
                sleep(Duration::ZERO).await;
            }
        });
    });
}

#[test]
fn a_leaf_polled_elsewhere_first_wakes_whoever_polled_it_last() {
    run_for(SECOND, || async {
        let mut pause = sleep(SECOND);
        assert!((&mut pause).now_or_never().is_none());
        let mut set = FuturesUnordered::new();
        set.push(pause);
        set.next().await
    });
}

#[test]
fn a_budget_used_up_in_a_set_comes_back_with_the_next_turn() {
    let done = run_for(Duration::ZERO, || async {
        let set: FuturesUnordered<_> =
            (0..5 * net::BUDGET).map(|_| sleep(Duration::ZERO)).collect();
        set.count().await
    });
    assert_eq!(done, 5 * net::BUDGET as usize);
}
