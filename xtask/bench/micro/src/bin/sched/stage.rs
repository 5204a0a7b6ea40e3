//! Where the tasks of one sample meet: who is there, what is done, and the meter that is read.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use micro::Figure;

/// What is read at the start and after the last unit of work.
pub(crate) type Meter = fn() -> f64;

struct Stage {
    /// How many tasks have not arrived yet.
    missing: Cell<u64>,
    /// How many tasks have not left yet.
    present: Cell<u64>,
    meter: Cell<Meter>,
    start: Cell<f64>,
    end: Cell<Option<f64>>,
    /// Those of the tasks that have arrived, in that order.
    wakers: RefCell<Vec<Waker>>,
    /// Who waits for the last arrival or the last departure.
    main: RefCell<Option<Waker>>,
}

thread_local! {
    static STAGE: Stage = const {
        Stage {
            missing: Cell::new(0),
            present: Cell::new(0),
            meter: Cell::new(|| 0.0),
            start: Cell::new(0.0),
            end: Cell::new(None),
            wakers: RefCell::new(Vec::new()),
            main: RefCell::new(None),
        }
    };

    /// How many units of work are left. Apart from the rest because it is all that a step touches, and
    /// nothing has to be looked at before this is used.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Prepares for `tasks` that leave, `arrivals` of them with an arrival before, and so many units of work.
pub(crate) fn prepare(meter: Meter, tasks: u64, arrivals: u64, units: u64) {
    LEFT.set(units);
    STAGE.with(|stage| {
        stage.missing.set(arrivals);
        stage.present.set(tasks);
        stage.meter.set(meter);
        stage.end.set(None);
        stage.wakers.borrow_mut().clear();
    });
}

/// Reads the meter for the first time.
pub(crate) fn start() {
    STAGE.with(|stage| stage.start.set(stage.meter.get()()));
}

/// Notes that a unit of work is done. The last one reads the meter.
#[inline]
pub(crate) fn unit() {
    // Below nothing it goes round, and is not nothing at the end.
    let left = LEFT.get().wrapping_sub(1);
    LEFT.set(left);
    if left == 0 {
        end();
    }
}

#[cold]
fn end() {
    STAGE.with(|stage| stage.end.set(Some(stage.meter.get()())));
}

/// Notes that a task has arrived, and how to wake it.
pub(crate) fn arrive(waker: Option<Waker>) {
    STAGE.with(|stage| {
        stage.wakers.borrow_mut().extend(waker);
        stage.count_down(&stage.missing);
    });
}

/// Notes that a task has left.
pub(crate) fn leave() {
    STAGE.with(|stage| stage.count_down(&stage.present));
}

/// How many tasks have still to arrive.
pub(crate) fn missing() -> u64 {
    STAGE.with(|stage| stage.missing.get())
}

/// Waits until all have arrived.
pub(crate) async fn all_arrived() {
    wait(|stage| &stage.missing).await;
}

/// Waits until all have left.
pub(crate) async fn all_left() {
    wait(|stage| &stage.present).await;
}

/// The wakers of those who have arrived.
pub(crate) fn wakers() -> Vec<Waker> {
    STAGE.with(|stage| stage.wakers.take())
}

/// What one of `units` costs, if as many were done and every task has left.
pub(crate) fn figure(units: u64) -> Figure {
    STAGE.with(|stage| {
        let (left, present) = (LEFT.get(), stage.present.get());
        match stage.end.get() {
            Some(end) if left == 0 && present == 0 => Ok((end - stage.start.get()) / units as f64),
            _ => Err(format!("{left} of {units} units are left, and {present} tasks").into()),
        }
    })
}

async fn wait(count: impl Fn(&Stage) -> &Cell<u64>) {
    let wait = |stage: &Stage, waker: &Waker| {
        if count(stage).get() == 0 {
            return Poll::Ready(());
        }
        *stage.main.borrow_mut() = Some(waker.clone());
        Poll::Pending
    };
    poll_fn(|cx| STAGE.with(|stage| wait(stage, cx.waker()))).await;
}

impl Stage {
    fn count_down(&self, count: &Cell<u64>) {
        count.set(count.get() - 1);
        let main = if count.get() == 0 { self.main.take() } else { None };
        if let Some(waker) = main {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_too_few_or_too_many_is_no_figure() {
        for (units, fine) in [(1, false), (2, true), (3, false)] {
            prepare(|| 7.0, 1, 0, 2);
            start();
            (0..units).for_each(|_| unit());
            assert!(figure(2).is_err());
            leave();
            assert_eq!(figure(2).is_ok(), fine);
        }
    }
}
