//! Those who run futures on one thread, each driven as its documentation shows it.

use std::future::Future;
use std::rc::Rc;

use async_executor::LocalExecutor;
use futures_lite::StreamExt;
use futures_lite::future::{block_on, poll_once};
use futures_util::stream::FuturesUnordered;
use generator::FromFuture;
use sched::Scheduler;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};

use crate::{join, stage};

/// Runs tasks that meet on the stage.
pub(crate) trait Executor {
    /// Runs the tasks until all have arrived, calls `between`, and runs them until all have left.
    fn run<F>(tasks: impl Iterator<Item = F>, between: impl FnOnce())
    where
        F: Future<Output = ()> + 'static;

    /// Spawns so many tasks at once and waits for the result of each, `batches` times. Gives the sum.
    fn spawn_and_join(tasks: u64, batches: u64) -> u64;
}

/// Our scheduler, with futures as tasks.
pub(crate) struct Ours;

/// `FuturesUnordered` of futures-util, under the `block_on` of futures-lite.
pub(crate) struct Set;

/// async-executor's `LocalExecutor`, which runs while a future of its user does.
pub(crate) struct Local;

/// The same, asked for one task after the other.
pub(crate) struct Ticked;

/// tokio's `LocalSet` on its runtime of one thread.
pub(crate) struct Tokio;

impl Executor for Ours {
    fn run<F>(tasks: impl Iterator<Item = F>, between: impl FnOnce())
    where
        F: Future<Output = ()> + 'static,
    {
        let scheduler = Scheduler::<()>::new();
        for task in tasks {
            scheduler.spawn(FromFuture::new(task));
        }
        while stage::missing() > 0 && scheduler.step().is_ok() {}
        between();
        // Whoever is parked has been woken when the last of the others has had its step.
        while scheduler.step().is_ok() {}
    }

    fn spawn_and_join(tasks: u64, batches: u64) -> u64 {
        let scheduler = Scheduler::<()>::new();
        let children = scheduler.clone();
        let mut sum =
            scheduler.spawn_join(FromFuture::new(join::batches(batches, async move || {
                let spawn = |number| children.spawn_join(FromFuture::new(join::child(number)));
                let handles: Vec<_> = (0..tasks).map(spawn).collect();
                let mut sum = 0;
                for handle in handles {
                    sum += handle.await.expect("no child panics");
                }
                sum
            })));
        while scheduler.step().is_ok() {}
        sum.try_join().and_then(Result::ok).unwrap_or_default()
    }
}

impl Executor for Set {
    fn run<F>(tasks: impl Iterator<Item = F>, between: impl FnOnce())
    where
        F: Future<Output = ()> + 'static,
    {
        block_on(async {
            let mut set: FuturesUnordered<F> = tasks.collect();
            while stage::missing() > 0 && poll_once(set.next()).await.is_none() {}
            between();
            while set.next().await.is_some() {}
        });
    }

    fn spawn_and_join(tasks: u64, batches: u64) -> u64 {
        let mut set = FuturesUnordered::new();
        block_on(join::batches(batches, async || {
            set.extend((0..tasks).map(join::child));
            let mut sum = 0;
            while let Some(number) = set.next().await {
                sum += number;
            }
            sum
        }))
    }
}

impl Executor for Local {
    fn run<F>(tasks: impl Iterator<Item = F>, between: impl FnOnce())
    where
        F: Future<Output = ()> + 'static,
    {
        let executor = LocalExecutor::new();
        block_on(executor.run(async {
            for task in tasks {
                executor.spawn(task).detach();
            }
            stage::all_arrived().await;
            between();
            stage::all_left().await;
        }));
    }

    fn spawn_and_join(tasks: u64, batches: u64) -> u64 {
        let executor = LocalExecutor::new();
        block_on(executor.run(join::batches(batches, async || batch(&executor, tasks).await)))
    }
}

impl Executor for Ticked {
    fn run<F>(tasks: impl Iterator<Item = F>, between: impl FnOnce())
    where
        F: Future<Output = ()> + 'static,
    {
        let executor = LocalExecutor::new();
        for task in tasks {
            executor.spawn(task).detach();
        }
        while stage::missing() > 0 && executor.try_tick() {}
        between();
        while executor.try_tick() {}
    }

    fn spawn_and_join(tasks: u64, batches: u64) -> u64 {
        let executor = Rc::new(LocalExecutor::new());
        let children = Rc::clone(&executor);
        let main =
            executor.spawn(join::batches(batches, async move || batch(&children, tasks).await));
        while executor.try_tick() {}
        block_on(poll_once(main)).unwrap_or_default()
    }
}

async fn batch(executor: &LocalExecutor<'_>, tasks: u64) -> u64 {
    let handles: Vec<_> = (0..tasks).map(|number| executor.spawn(join::child(number))).collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await;
    }
    sum
}

impl Executor for Tokio {
    fn run<F>(tasks: impl Iterator<Item = F>, between: impl FnOnce())
    where
        F: Future<Output = ()> + 'static,
    {
        tokio(async {
            for task in tasks {
                spawn_local(task);
            }
            stage::all_arrived().await;
            between();
            stage::all_left().await;
        });
    }

    fn spawn_and_join(tasks: u64, batches: u64) -> u64 {
        tokio(join::batches(batches, async || {
            let handles: Vec<_> =
                (0..tasks).map(|number| spawn_local(join::child(number))).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("no child panics");
            }
            sum
        }))
    }
}

fn tokio<T>(main: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().build().expect("a runtime without I/O");
    LocalSet::new().block_on(&runtime, main)
}
