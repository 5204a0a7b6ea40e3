//! Tasks that take turns, lap after lap, and the memory that they take.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use generator::{Resumable, Step};
use micro::{Figure, clock, memory, shuffle};
use sched::{Outcome, Scheduler, TaskId};

use crate::executors::Executor;
use crate::stage;

/// In which order the tasks take their turns.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// In that of their spawns: then they lie in memory one behind the other.
    Spawned,
    /// In one that has nothing to do with their places in memory.
    Shuffled,
}

/// Runs tasks that take turns.
pub(crate) trait Laps {
    /// Runs `tasks` to their ends. With an order, it lets them arrive first, queues them in that order,
    /// and starts the stage.
    fn run(tasks: impl Iterator<Item = Lap>, order: Option<Order>);
}

/// What a step costs: each of the tasks has one in every lap.
pub(crate) fn steps<L: Laps>(tasks: u64, laps: u64, order: Order) -> Figure {
    let steps = tasks * laps;
    stage::prepare(clock::process, tasks, tasks, steps);
    let laps = u32::try_from(laps)?;
    L::run((0..tasks).map(|_| Lap { is_here: false, left: laps }), Some(order));
    stage::figure(steps)
}

/// Bytes of anonymous memory for each task, its body of 8 bytes included, when all of them have had a
/// step and are queued for the next.
pub(crate) fn memory<L: Laps>(tasks: u64) -> Figure {
    stage::prepare(bytes, tasks, 0, tasks);
    stage::start();
    L::run((0..tasks).map(|_| Lap { is_here: true, left: 1 }), None);
    stage::figure(tasks)
}

fn bytes() -> f64 {
    memory::anonymous().map_or(f64::NAN, |bytes| bytes as f64)
}

/// A task that arrives, yields a number of times, and leaves.
pub(crate) struct Lap {
    is_here: bool,
    left: u32,
}

enum Turn {
    Arrived,
    Yielded,
    Left,
}

impl Lap {
    #[inline]
    fn take(&mut self) -> Turn {
        if !self.is_here {
            self.is_here = true;
            return Turn::Arrived;
        }
        if self.left == 0 {
            stage::leave();
            return Turn::Left;
        }
        self.left -= 1;
        stage::unit();
        Turn::Yielded
    }
}

impl Future for Lap {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.take() {
            Turn::Arrived => stage::arrive(Some(cx.waker().clone())),
            // The yield that costs each peer least. tokio's own `yield_now` goes by a list of those who
            // let others go first, and takes three times as long with two tasks.
            Turn::Yielded => cx.waker().wake_by_ref(),
            Turn::Left => return Poll::Ready(()),
        }
        Poll::Pending
    }
}

impl<E: Executor> Laps for E {
    fn run(tasks: impl Iterator<Item = Lap>, order: Option<Order>) {
        E::run(tasks, || {
            if let Some(order) = order {
                let mut wakers = stage::wakers();
                order.arrange(&mut wakers);
                wakers.into_iter().for_each(Waker::wake);
                stage::start();
            }
        });
    }
}

/// Our scheduler, whose owner queues a task again that asks for its turn.
pub(crate) struct ByOwner;

impl Resumable<&Waker> for Lap {
    type Yield = ();
    type Return = ();

    #[inline]
    fn resume(mut self: Pin<&mut Self>, _waker: &Waker) -> Step<(), ()> {
        match self.take() {
            Turn::Arrived => stage::arrive(None),
            Turn::Yielded => (),
            Turn::Left => return Step::Complete(()),
        }
        Step::Yielded(())
    }
}

impl Laps for ByOwner {
    fn run(tasks: impl Iterator<Item = Lap>, order: Option<Order>) {
        let scheduler = spawned(tasks);
        arrive(&scheduler, order);
        while let Ok((id, outcome)) = scheduler.step() {
            if let Outcome::Yielded(()) = outcome {
                scheduler.wake(id);
            }
        }
    }
}

/// Our scheduler, with tasks that wake themselves.
pub(crate) struct ByWaker;

struct SelfWaking(Lap);

impl Resumable<&Waker> for SelfWaking {
    type Yield = ();
    type Return = ();

    #[inline]
    fn resume(mut self: Pin<&mut Self>, waker: &Waker) -> Step<(), ()> {
        match self.0.take() {
            Turn::Arrived => stage::arrive(None),
            Turn::Yielded => waker.wake_by_ref(),
            Turn::Left => return Step::Complete(()),
        }
        Step::Yielded(())
    }
}

impl Laps for ByWaker {
    fn run(tasks: impl Iterator<Item = Lap>, order: Option<Order>) {
        let scheduler = spawned(tasks.map(SelfWaking));
        arrive(&scheduler, order);
        while scheduler.step().is_ok() {}
    }
}

fn spawned<B>(tasks: impl Iterator<Item = B>) -> Scheduler<()>
where
    B: for<'w> Resumable<&'w Waker, Yield = (), Return = ()> + 'static,
{
    let scheduler = Scheduler::new();
    for task in tasks {
        scheduler.spawn(task);
    }
    scheduler
}

/// Gives each of those who are to arrive a step, and queues them again.
fn arrive(scheduler: &Scheduler<()>, order: Option<Order>) {
    let Some(order) = order else { return };
    let missing = 0..stage::missing();
    let mut ids: Vec<TaskId> = missing.map_while(|_| Some(scheduler.step().ok()?.0)).collect();
    order.arrange(&mut ids);
    for id in ids {
        scheduler.wake(id);
    }
    stage::start();
}

impl Order {
    fn arrange<T>(self, tasks: &mut [T]) {
        match self {
            Order::Spawned => (),
            Order::Shuffled => shuffle(tasks),
        }
    }
}
