//! Iterators and futures, both ways.

mod util;

use std::cell::Cell;
use std::iter::FusedIterator;
use std::marker::PhantomPinned;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_lite::future::{block_on, yield_now};
use generator::{FromFuture, Gen, Generator, Iter, Resumable, State, Step, ToFuture, from_iter};
use util::{Drops, panic_of};

fn fused<I: FusedIterator>(iterator: I) -> I {
    iterator
}

#[test]
fn a_pinned_generator_is_an_iterator() {
    let squares = pin!(Gen::new(async |co| {
        for n in 0..4 {
            co.yield_(n * n).await;
        }
        "dropped, as by a for loop"
    }));
    assert_eq!(fused(squares).collect::<Vec<_>>(), [0, 1, 4, 9]);
}

#[test]
fn a_boxed_generator_is_an_iterator() {
    let mut letters = fused(Box::pin(Gen::new(async |co| {
        co.yield_('a').await;
        co.yield_('b').await;
    })));
    assert_eq!(letters.next(), Some('a'));
    assert_eq!(letters.by_ref().next(), Some('b'));
    assert_eq!(letters.next(), None);
    assert_eq!(letters.next(), None, "fused");
    assert_eq!(letters.state(), State::Closed);
}

#[test]
fn a_generator_with_an_unpin_body_is_an_iterator_as_it_is() {
    let g = Gen::new(|co| Box::pin(async move { co.yield_(1).await }));
    assert_eq!(fused(g).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_closed_iterator_is_at_its_end() {
    let mut g = Box::pin(Gen::new(async |co| co.yield_(1).await));
    g.as_mut().close();
    assert_eq!(g.next(), None);
}

#[test]
fn an_iterator_is_a_generator() {
    let mut g = pin!(from_iter("ab".chars()));
    assert_eq!(g.state(), State::Created);
    assert_eq!(g.as_mut().start().unwrap(), Step::Yielded('a'));
    assert_eq!(g.as_mut().send(()).unwrap(), Step::Yielded('b'));
    assert_eq!(g.as_mut().resume(()), Step::Complete(()));
    assert_eq!(g.state(), State::Closed);
}

#[test]
fn closing_a_generator_drops_its_iterator() {
    let drops = Drops::default();
    let mut g = pin!(from_iter(vec![drops.token(), drops.token()]));
    drop(g.as_mut().resume(()));
    assert_eq!(drops.count(), 1);
    g.close();
    assert_eq!(drops.count(), 2);
}

#[test]
fn an_iterator_that_panics_closes_its_generator() {
    let mut g = pin!(from_iter((0..1).inspect(|_| panic!("broken"))));
    assert_eq!(panic_of(|| g.as_mut().start()), "broken");
    assert_eq!(g.state(), State::Closed);
}

#[test]
fn an_iterator_goes_through_a_generator_and_back() {
    let there = pin!(from_iter(0..5));
    let there_and_back = fused(Iter::new(there));
    assert_eq!(there_and_back.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn an_iter_drops_its_machine_at_the_end() {
    let drops = Drops::default();
    let token = drops.token();
    let mut iter = Iter::new(Box::pin(Gen::new(|co| {
        let body = async move { co.yield_(1).await };
        let mut body = Box::pin(body);
        std::future::poll_fn(move |context| {
            let _holds = &token;
            body.as_mut().poll(context)
        })
    })));
    assert_eq!(iter.next(), Some(1));
    assert_eq!(drops.count(), 0);
    assert_eq!(iter.next(), None);
    assert_eq!(drops.count(), 1);
    assert_eq!(iter.next(), None);
}

#[test]
fn references_and_pins_resume_what_they_point_to() {
    fn drain<G: Resumable + Unpin>(machine: &mut G) -> Vec<G::Yield> {
        Iter::new(machine).collect()
    }
    assert_eq!(drain(&mut pin!(from_iter(0..2))), [0, 1]);
    assert_eq!(drain(&mut Box::pin(Gen::new(async |co| co.yield_(7).await))), [7]);

    let numbers = pin!(from_iter(0..2));
    let mut pinned = Box::pin(numbers);
    assert_eq!(pinned.as_mut().start().unwrap(), Step::Yielded(0));
    pinned.as_mut().close();
    assert_eq!(pinned.state(), State::Closed);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_future_is_a_machine() {
    let mut task = pin!(FromFuture::new(async {
        yield_now().await;
        yield_now().await;
        7
    }));
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    assert_eq!(task.as_mut().resume(&waker), Step::Yielded(()));
    assert_eq!(task.as_mut().resume(&waker), Step::Yielded(()));
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
    assert_eq!(task.as_mut().resume(&waker), Step::Complete(7));
}

/// Ready when polled twice at the same address.
#[derive(Default)]
struct Settled {
    seen_at: Cell<usize>,
    _pinned: PhantomPinned,
}

impl Future for Settled {
    type Output = &'static str;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<&'static str> {
        let address = std::ptr::from_ref(&*self).addr();
        context.waker().wake_by_ref();
        match self.seen_at.replace(address) {
            0 => Poll::Pending,
            before if before == address => Poll::Ready("in one place"),
            _ => panic!("moved"),
        }
    }
}

#[test]
fn a_future_that_must_not_move_is_a_machine_and_a_future_again() {
    let mut task = Box::pin(FromFuture::new(Settled::default()));
    assert_eq!(task.as_mut().resume(Waker::noop()), Step::Yielded(()));
    assert_eq!(task.as_mut().resume(Waker::noop()), Step::Complete("in one place"));
    assert_eq!(block_on(ToFuture::new(FromFuture::new(Settled::default()))), "in one place");
}

#[test]
fn a_future_goes_through_a_machine_and_back() {
    let future = ToFuture::new(FromFuture::new(async {
        yield_now().await;
        5
    }));
    assert_eq!(block_on(future), 5);
}

#[test]
fn a_machine_behind_dyn_is_a_future() {
    type Task = Pin<Box<dyn for<'w> Resumable<&'w Waker, Yield = (), Return = i32>>>;
    let task: Task = Box::pin(FromFuture::new(async { 3 }));
    assert_eq!(block_on(ToFuture::new(task)), 3);
}

/// A scheduler's view: any machine that takes a waker.
fn run<G, Y, T>(task: G) -> (Vec<Y>, T)
where
    G: for<'w> Resumable<&'w Waker, Yield = Y, Return = T>,
{
    let mut task = pin!(task);
    let mut asks = Vec::new();
    loop {
        let waker = Waker::from(Arc::new(Count::default()));
        match task.as_mut().resume(&waker) {
            Step::Yielded(ask) => asks.push(ask),
            Step::Complete(value) => return (asks, value),
        }
    }
}

#[test]
fn a_generator_that_takes_nothing_is_a_task() {
    let task = Gen::new(async |co| {
        co.yield_("read").await;
        co.yield_("write").await;
        200
    });
    assert_eq!(run(task), (vec!["read", "write"], 200));
    assert_eq!(run(FromFuture::new(async { 1 })), (vec![], 1));
}
