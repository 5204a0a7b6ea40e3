//! Tasks that are spawned for their result, and joined.

use micro::{Figure, clock};

use crate::executors::Executor;
use crate::stage;

/// What a task costs from its spawn to its result, which another task waits for.
pub(crate) fn spawn_and_join<E: Executor>(tasks: u64, batches: u64) -> Figure {
    // One unit more than there are children: the end, when the last of them is joined.
    let children = tasks * batches;
    stage::prepare(clock::process, 0, 0, children + 1);
    let sum = E::spawn_and_join(tasks, batches);
    if sum != batches * tasks * (tasks - 1) / 2 {
        return Err(format!("{children} children gave the sum {sum}").into());
    }
    stage::figure(children)
}

/// Spawns and joins batch after batch, and gives the sum of their sums.
pub(crate) async fn batches(batches: u64, mut batch: impl AsyncFnMut() -> u64) -> u64 {
    stage::start();
    let mut sum = 0;
    for _ in 0..batches {
        sum += batch().await;
    }
    stage::unit();
    sum
}

/// A task that has its result at once.
pub(crate) async fn child(number: u64) -> u64 {
    stage::unit();
    number
}
