//! The way in from other threads under every interleaving, in the very file that ships:
//!
//!     RUSTFLAGS="--cfg loom" cargo test -p sched --release --test loom

#![cfg(loom)]

#[allow(dead_code)]
#[path = "../src/inbox.rs"]
mod inbox;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Notify};
use loom::thread;

use inbox::{Flag, Inbox};

/// What stands for a task: its flag, and what it shall see when it is stepped.
struct Cell {
    flag: Flag,
    news: AtomicUsize,
}

struct Parts {
    inbox: Inbox<usize>,
    /// Sticky, as the hook's documentation asks for.
    unpark: Arc<Notify>,
    cells: [Cell; 2],
}

fn parts() -> Arc<Parts> {
    let unpark = Arc::new(Notify::new());
    let hook = Arc::clone(&unpark);
    let cell = || Cell { flag: Flag::new(), news: AtomicUsize::new(0) };
    let inbox = Inbox::new(Box::new(move || hook.notify()));
    Arc::new(Parts { inbox, unpark, cells: [cell(), cell()] })
}

/// Writes news for a task and wakes it. Relaxed, so that only the protocol can make them visible.
fn send(parts: &Parts, task: usize) {
    parts.cells[task].news.fetch_add(1, Ordering::Relaxed);
    parts.inbox.wake(&parts.cells[task].flag, task);
}

/// The owner: drains, steps what was woken, sleeps when there was nothing, until it has seen all
/// news. A wake that is lost is a deadlock, which loom reports.
fn own(parts: &Parts, expected: [usize; 2]) -> usize {
    let (mut seen, mut steps) = ([0, 0], 0);
    while seen != expected {
        let mut woken = Vec::new();
        if parts.inbox.arrived() {
            parts.inbox.take(|task| {
                parts.cells[task].flag.lower();
                woken.push(task);
            });
        }
        if woken.is_empty() && !parts.inbox.arrived() {
            parts.unpark.wait();
        }
        for task in woken {
            steps += 1;
            seen[task] = parts.cells[task].news.load(Ordering::Relaxed);
        }
    }
    steps
}

/// Three threads have too many interleavings to try them all in a coffee break; with at most three
/// preemptions each, it takes seconds.
fn bounded(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn two_threads_wake_one_task() {
    bounded(|| {
        let parts = parts();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let parts = Arc::clone(&parts);
                thread::spawn(move || send(&parts, 0))
            })
            .collect();
        let steps = own(&parts, [2, 0]);
        assert!(steps <= 2, "a wake came twice");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn one_thread_wakes_twice() {
    loom::model(|| {
        let parts = parts();
        let thread = {
            let parts = Arc::clone(&parts);
            thread::spawn(move || {
                send(&parts, 0);
                send(&parts, 0);
            })
        };
        assert!(own(&parts, [2, 0]) <= 2);
        thread.join().unwrap();
    });
}

#[test]
fn two_threads_wake_two_tasks() {
    bounded(|| {
        let parts = parts();
        let threads: Vec<_> = (0..2)
            .map(|task| {
                let parts = Arc::clone(&parts);
                thread::spawn(move || send(&parts, task))
            })
            .collect();
        assert_eq!(own(&parts, [1, 1]), 2);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn at_most_one_wake_a_task_is_on_its_way() {
    loom::model(|| {
        let parts = parts();
        let thread = {
            let parts = Arc::clone(&parts);
            thread::spawn(move || {
                send(&parts, 0);
                send(&parts, 0);
            })
        };
        send(&parts, 0);
        thread.join().unwrap();
        let mut ids = 0;
        parts.inbox.take(|_| ids += 1);
        assert_eq!(ids, 1);
    });
}
