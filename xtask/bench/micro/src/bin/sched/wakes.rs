//! Tasks that wait until somebody wakes them: a task on the same thread, or another thread.
//!
//! They meet in rounds. Each leaves a clone of its waker and waits; the last one has all of them woken
//! before it waits itself. So it is always clear who waits and who wakes, and nobody sleeps meanwhile.

use std::cell::RefCell;
use std::error::Error;
use std::future::poll_fn;
use std::mem;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::task::{Poll, Waker};
use std::thread;

use micro::{Figure, clock};

use crate::executors::Executor;
use crate::stage;

/// How many tasks meet.
const TASKS: u64 = 1_000;

/// What a wake costs, the step that it leads to included.
pub(crate) fn here<E: Executor>(rounds: u64) -> Figure {
    meet::<E>(rounds, |wakers| wakers.drain(..).for_each(Waker::wake))
}

/// The same with a thread that wakes; the time of both threads counts.
pub(crate) fn from_afar<E: Executor>(rounds: u64) -> Figure {
    let (send, arriving) = sync_channel::<Vec<Waker>>(1);
    let (give_back, done) = sync_channel::<Vec<Waker>>(1);
    let thread = thread::spawn(move || {
        for mut wakers in arriving {
            wakers.drain(..).for_each(Waker::wake);
            if give_back.send(wakers).is_err() {
                break;
            }
        }
    });
    let figure = meet::<E>(rounds, move |wakers| {
        send.send(mem::take(wakers)).expect("the thread lives as long as this");
        *wakers = done.recv().expect("the thread gives them back");
    });
    thread.join().map_err(|_| Box::<dyn Error>::from("the waking thread panicked"))?;
    figure
}

fn meet<E: Executor>(rounds: u64, wake: impl FnMut(&mut Vec<Waker>) + 'static) -> Figure {
    let wakes = TASKS * rounds;
    stage::prepare(clock::process, TASKS, TASKS, wakes);
    let meeting = Rc::new(Meeting {
        waiting: RefCell::new(Vec::with_capacity(TASKS as usize)),
        wake: RefCell::new(wake),
    });
    let tasks = (0..TASKS).map(|_| attend(Rc::clone(&meeting), rounds));
    E::run(tasks, || {
        stage::start();
        stage::wakers().into_iter().for_each(Waker::wake);
    });
    stage::figure(wakes)
}

async fn attend<W: FnMut(&mut Vec<Waker>)>(meeting: Rc<Meeting<W>>, rounds: u64) {
    parked(|waker| stage::arrive(Some(waker))).await;
    for _ in 0..rounds {
        parked(|waker| meeting.wait(waker)).await;
        stage::unit();
    }
    stage::leave();
}

/// Waits until the waker that `keep` is given is called.
async fn parked(mut keep: impl FnMut(Waker)) {
    let mut is_parked = false;
    poll_fn(|cx| {
        if mem::replace(&mut is_parked, true) {
            return Poll::Ready(());
        }
        keep(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

struct Meeting<W> {
    waiting: RefCell<Vec<Waker>>,
    wake: RefCell<W>,
}

impl<W: FnMut(&mut Vec<Waker>)> Meeting<W> {
    fn wait(&self, waker: Waker) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push(waker);
        if waiting.len() == TASKS as usize {
            (self.wake.borrow_mut())(&mut waiting);
        }
    }
}
