//! Steps of many tasks, each yielding a number of times, beside the same with `FuturesUnordered`.
//!
//!     cargo run --release -p sched --example laps -- sched 10000 100
//!     cargo run --release -p sched --example laps -- peer 10000 100
//!     cargo run --release -p sched --example laps -- both 10000 100
//!     cargo run --release -p sched --example laps -- shuffled 1000000 10
//!     cargo run --release -p sched --example laps -- join 1000 100
//!     cargo run --release -p sched --example laps -- wake 1000 100
//!
//! The arguments are what to run, how many tasks, and how often each yields. `shuffled` queues the
//! tasks in an order that has nothing to do with their places in memory. Each prints nanoseconds a
//! step, of processor time; `both` runs one after the other, five times, and prints the median of the ratio as well.
//! `join` spawns so many tasks as often as told, each of which ends in its first step, and takes their results;
//! `wake` brings parked tasks back through their wakers.
//! Under `valgrind --tool=callgrind`, the difference of two runs with different numbers of yields
//! gives instructions per step.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use generator::{Resumable, Step};
use sched::{Outcome, Scheduler};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, tasks, yields] = arguments.as_slice() else {
        return Err("usage: laps sched|shuffled|peer|both|join|wake TASKS YIELDS".into());
    };
    let (tasks, yields) = (tasks.parse()?, yields.parse()?);
    match mode.as_str() {
        "sched" => println!("sched {:.1} ns a step", sched(tasks, yields, false)),
        "shuffled" => println!("sched, shuffled, {:.1} ns a step", sched(tasks, yields, true)),
        "peer" => println!("FuturesUnordered {:.1} ns a poll", peer(tasks, yields)),
        "both" => both(tasks, yields),
        "join" => println!("{:.1} ns to spawn, step and join", join(tasks, yields)),
        "wake" => println!("{:.1} ns to wake and step", wake(tasks, yields)),
        other => return Err(format!("{other}: not a mode").into()),
    }
    Ok(())
}

/// A task that yields a number of times: for the scheduler, and as a future for its peer.
struct Yields(u32);

impl Resumable<&Waker> for Yields {
    type Yield = ();
    type Return = ();

    fn resume(mut self: Pin<&mut Self>, _waker: &Waker) -> Step<(), ()> {
        if self.0 == 0 {
            return Step::Complete(());
        }
        self.0 -= 1;
        Step::Yielded(())
    }
}

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The waker of a plain `block_on`.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Unpark>) {
        self.0.unpark();
    }
}

fn sched(tasks: usize, yields: u32, shuffled: bool) -> f64 {
    let scheduler = Scheduler::new();
    let mut ids: Vec<_> = (0..tasks).map(|_| scheduler.spawn(Yields(yields + 1))).collect();
    for _ in 0..tasks {
        assert!(scheduler.step().is_ok());
    }
    if shuffled {
        shuffle(&mut ids);
    }
    for id in ids {
        scheduler.wake(id);
    }
    let start = busy();
    let mut steps = 0_u64;
    while let Ok((id, outcome)) = scheduler.step() {
        steps += 1;
        if let Outcome::Yielded(()) = outcome {
            scheduler.wake(id);
        }
    }
    nanoseconds(start, steps, tasks, yields)
}

fn peer(tasks: usize, yields: u32) -> f64 {
    let mut set: FuturesUnordered<_> = (0..tasks).map(|_| Yields(yields)).collect();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let start = busy();
    // It gives up its turn now and then, hence the loop.
    loop {
        match set.poll_next_unpin(&mut cx) {
            Poll::Ready(None) => break,
            Poll::Ready(Some(())) => (),
            Poll::Pending => thread::park(),
        }
    }
    nanoseconds(start, tasks as u64 * (u64::from(yields) + 1), tasks, yields)
}

fn both(tasks: usize, yields: u32) {
    let mut ratios: Vec<f64> = (0..5)
        .map(|_| {
            let (ours, theirs) = (sched(tasks, yields, false), peer(tasks, yields));
            println!("sched {ours:.1} ns, FuturesUnordered {theirs:.1} ns: {:.2}", theirs / ours);
            theirs / ours
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("{tasks} tasks: median of the ratio {:.2}", ratios[2]);
}

fn join(tasks: usize, rounds: u32) -> f64 {
    let scheduler = Scheduler::<(), ()>::new();
    let mut handles = Vec::with_capacity(tasks);
    let (start, mut steps) = (busy(), 0);
    for _ in 0..rounds {
        handles.extend((0..tasks).map(|_| scheduler.spawn_join(Yields(0))));
        while scheduler.step().is_ok() {
            steps += 1;
        }
        handles
            .drain(..)
            .for_each(|mut task| assert!(task.try_join().is_some_and(|end| end.is_ok())));
    }
    nanoseconds(start, steps, tasks, rounds - 1)
}

fn wake(tasks: usize, rounds: u32) -> f64 {
    let scheduler = Scheduler::<(), ()>::new();
    let ids: Vec<_> = (0..tasks).map(|_| scheduler.spawn(Yields(rounds + 1))).collect();
    while scheduler.step().is_ok() {}
    let wakers: Vec<Waker> = ids.into_iter().filter_map(|id| scheduler.waker(id)).collect();
    let (start, mut steps) = (busy(), 0);
    for _ in 0..rounds {
        wakers.iter().for_each(Waker::wake_by_ref);
        while scheduler.step().is_ok() {
            steps += 1;
        }
    }
    nanoseconds(start, steps, tasks, rounds - 1)
}

/// What a step took, of which there were one more for each task than its yields.
fn nanoseconds(start: f64, steps: u64, tasks: usize, yields: u32) -> f64 {
    assert_eq!(steps, tasks as u64 * (u64::from(yields) + 1));
    (busy() - start) / steps as f64
}

/// Nanoseconds that this thread has been running, as Linux counts them, because other programs want
/// the processor too; elsewhere, what the clock says.
fn busy() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let counted = counted.and_then(|line| line.split(' ').next()?.parse().ok());
    counted.unwrap_or_else(|| START.elapsed().as_nanos() as f64)
}

/// Fisher and Yates, with Marsaglia's xorshift.
fn shuffle<T>(values: &mut [T]) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..values.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        values.swap(last, (random % (last as u64 + 1)) as usize);
    }
}
