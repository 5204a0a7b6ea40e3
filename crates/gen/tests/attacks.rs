//! Attempts to bring the airlock into the wrong hands. Each ends in a defined way; run them under a sanitizer too.

mod util;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_util::future::{Either, join, select};
use generator::{Co, Gen, Generator, Resumable, State, Step, ToFuture};
use util::{CLOSED, Drops, FOREIGN, OTHER, TWO, assert_starts, panic_of, started};

/// Polls once, and takes "not yet" for an answer.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| match Pin::new(&mut *future).poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// A generator that is suspended for good, and its `Co`, leaked.
fn leak<Y: 'static, R: 'static>() -> (impl Sized, Co<Y, R>) {
    let cell = Rc::new(Cell::new(None));
    let leaked = cell.clone();
    let owner = Gen::<_, Y, R>::new(move |co| {
        leaked.set(Some(co));
        pending::<()>()
    });
    (owner, cell.take().expect("leaked"))
}

#[test]
fn a_co_leaked_into_a_generator_of_the_same_types() {
    let (_owner, leaked) = leak::<u64, u64>();
    let mut g = pin!(Gen::new(async |co| {
        let sent: u64 = co.yield_(1).await;
        sent + leaked.yield_(2).await
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(panic_of(|| g.as_mut().resume(5)), FOREIGN);
    assert_eq!(g.state(), State::Closed);
}

#[test]
fn a_co_leaked_into_a_generator_of_other_types() {
    let (_owner, leaked) = leak::<[usize; 4], String>();
    let mut g = pin!(Gen::new(async |co| {
        let sent: u8 = co.yield_(1_u8).await;
        (sent, leaked.yield_([usize::MAX; 4]).await)
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(panic_of(|| g.as_mut().resume(5)), FOREIGN);
}

#[test]
fn a_leaked_co_asks_nothing_of_another_generator() {
    let (_owner, leaked) = leak::<u64, u64>();
    let mut g = pin!(Gen::<_, u64, u64>::new(async |_co| leaked.received().await));
    assert_eq!(panic_of(|| g.as_mut().resume(5)), FOREIGN);
    let mut g = pin!(Gen::<_, u64, u64>::new(async |_co| leaked.state().await));
    assert_eq!(panic_of(|| g.as_mut().resume(5)), FOREIGN);
}

#[test]
fn a_co_outlives_its_generator() {
    let (owner, leaked) = leak::<u64, u64>();
    drop(owner);
    // Likely at the address of the one that is gone.
    let (owner, _co) = leak::<u64, u64>();
    let mut g = pin!(Gen::<_, u64, u64>::new(async |_co| leaked.yield_(1).await));
    assert_eq!(panic_of(|| g.as_mut().start()), FOREIGN);
    drop(owner);
}

#[test]
fn a_yield_half_done_in_one_generator_is_finished_in_another() {
    let smuggled = RefCell::new(None);
    let mut first = pin!(Gen::<_, u64, u64>::new(async |co| {
        let mut half = Box::pin(co.yield_(1));
        assert!(poll_once(&mut half).await.is_none());
        *smuggled.borrow_mut() = Some(half);
        pending::<()>().await;
    }));
    assert_eq!(started(first.as_mut()), 1);
    let mut second = pin!(Gen::<_, u64, u64>::new(async |co| {
        co.yield_(2).await;
        smuggled.take().expect("smuggled").await
    }));
    assert_eq!(started(second.as_mut()), 2);
    assert_eq!(panic_of(|| second.as_mut().resume(7)), FOREIGN);
}

#[test]
fn an_outer_co_used_in_an_inner_body() {
    let mut outer = pin!(Gen::<_, i32, ()>::new(async |co| {
        let mut inner = pin!(Gen::<_, i32, ()>::new(async |_own| co.yield_(1).await));
        inner.as_mut().resume(())
    }));
    assert_eq!(panic_of(|| outer.as_mut().resume(())), FOREIGN);
    assert_eq!(outer.state(), State::Closed);
}

#[test]
fn an_inner_co_used_in_the_outer_body() {
    let mut outer = pin!(Gen::<_, i32, ()>::new(async |_own| {
        let (_inner, co) = leak::<i32, ()>();
        co.yield_(1).await;
    }));
    assert_eq!(panic_of(|| outer.as_mut().resume(())), FOREIGN);
}

/// Polls `future` with a waker that another thread lent.
fn poll_with<F: Future>(future: F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn another_thread_holds_the_waker() {
    let mut g = pin!(Gen::<_, u64, u64>::new(async |co| {
        let sent = co.yield_(1).await;
        poll_fn(|context| {
            let waker = context.waker();
            let wake = || {
                waker.wake_by_ref();
                let clone = waker.clone();
                clone.wake_by_ref();
                clone.clone().will_wake(waker)
            };
            let yield_there = || {
                let (_owner, co) = leak::<u64, u64>();
                panic_of(|| poll_with(co.yield_(1 << 40), waker))
            };
            let take_there = || {
                let (_owner, co) = leak::<String, String>();
                panic_of(|| poll_with(co.received(), waker))
            };
            thread::scope(|scope| {
                let (a, b, c) =
                    (scope.spawn(wake), scope.spawn(yield_there), scope.spawn(take_there));
                assert!(!a.join().expect("waking is harmless"), "the clone is another waker");
                assert_eq!(b.join().expect("caught"), FOREIGN);
                assert_eq!(c.join().expect("caught"), FOREIGN);
            });
            Poll::Ready(())
        })
        .await;
        sent + co.yield_(2).await
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(g.as_mut().resume(3), Step::Yielded(2));
    assert_eq!(g.as_mut().resume(4), Step::Complete(7));
}

#[test]
fn a_generator_on_another_thread_runs_inside_a_step_of_this_one() {
    let mut g = pin!(Gen::<_, u64, u64>::new(async |co| {
        let there = thread::scope(|scope| {
            let count = || {
                pin!(Gen::<_, u64>::new(async |co| for n in 0..100 {
                    co.yield_(n).await;
                }))
                .sum::<u64>()
            };
            scope.spawn(count).join().expect("no panic")
        });
        co.yield_(there).await
    }));
    assert_eq!(started(g.as_mut()), 4950);
}

#[test]
fn a_cloned_waker_is_inert_and_outlives_the_frame() {
    let kept = RefCell::new(None);
    let mut g = pin!(Gen::<_, u64, u64>::new(async |co| {
        poll_fn(|context| {
            *kept.borrow_mut() = Some(context.waker().clone());
            Poll::Ready(())
        })
        .await;
        let sent = co.yield_(1).await;
        // The clone is not even good inside the body that it came from.
        let waker = kept.take().expect("kept");
        panic_of(|| poll_with(co.yield_(sent), &waker))
    }));
    assert_eq!(started(g.as_mut()), 1);
    let waker = kept.borrow().clone().expect("kept");
    waker.wake_by_ref();
    assert_eq!(waker.data(), Waker::noop().data(), "no address of the frame is left in it");
    assert_eq!(g.as_mut().resume(2), Step::Complete(FOREIGN.to_string()));
    drop(waker);
}

#[test]
fn clone_from_makes_an_inert_waker_too() {
    let mut kept = Waker::noop().clone();
    let mut g = Box::pin(Gen::<_, (), ()>::new(|_co| {
        poll_fn(|context| {
            kept.clone_from(context.waker());
            Poll::Ready(())
        })
    }));
    assert_eq!(g.as_mut().resume(()), Step::Complete(()));
    drop(g);
    assert_eq!(kept.data(), Waker::noop().data());
    kept.wake();
}

#[test]
fn two_yields_at_once() {
    let drops = Drops::default();
    let mut g = pin!(Gen::<_, _, u64>::new(async |co| {
        join(co.yield_(drops.token()), co.yield_(drops.token())).await
    }));
    assert_starts(&panic_of(|| g.as_mut().start()), TWO);
    assert_eq!(drops.count(), 2, "neither value is leaked");
    assert_eq!(g.state(), State::Closed);
}

#[test]
fn a_yield_may_share_a_step_with_something_that_is_ready() {
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        let (sent, other) = join(co.yield_(1), async { 2 }).await;
        sent + other
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(g.as_mut().resume(40), Step::Complete(42));
}

#[test]
fn a_yield_polled_twice_in_one_step_waits() {
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        let mut once = Box::pin(co.yield_(1));
        assert!(poll_once(&mut once).await.is_none());
        assert!(poll_once(&mut once).await.is_none());
        once.await
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(g.as_mut().resume(5), Step::Complete(5));
}

#[test]
fn a_yield_polled_after_its_answer_takes_nothing_from_another() {
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        let mut once = Box::pin(co.yield_(1));
        once.as_mut().await;
        assert!(poll_once(&mut once).await.is_none());
        co.yield_(2).await
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(g.as_mut().resume(5), Step::Yielded(2));
    assert_eq!(g.as_mut().resume(6), Step::Complete(6));
}

#[test]
fn a_yield_dropped_before_it_was_polled_hands_out_nothing() {
    let drops = Drops::default();
    let mut g = pin!(Gen::<_, _, ()>::new(async |co| {
        drop(co.yield_(Some(drops.token())));
        co.yield_(None).await;
    }));
    assert!(started(g.as_mut()).is_none());
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_yield_dropped_after_its_value_left_takes_nothing_back() {
    let drops = Drops::default();
    let mut g = pin!(Gen::<_, i32, _>::new(async |co| {
        let mut left = Box::pin(co.yield_(1));
        // The value leaves with this step; the yield is dropped in the next one, before it looks.
        let mut polled = false;
        poll_fn(|context| {
            if polled {
                return Poll::Ready(());
            }
            polled = true;
            left.as_mut().poll(context).map(drop)
        })
        .await;
        drop(left);
        co.yield_(2).await
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(g.as_mut().resume(drops.token()).yielded(), Some(2));
    assert_eq!(drops.count(), 1, "the answer to the dropped yield went with it");
    assert!(g.as_mut().resume(drops.token()).complete().is_some());
}

#[test]
fn the_answer_to_a_dropped_yield_can_be_received() {
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        let stepped = Cell::new(false);
        let next_step = poll_fn(|_| match stepped.replace(true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        // `select` looks at the step first, so the yield never sees the answer.
        assert!(matches!(select(next_step, pin!(co.yield_(1))).await, Either::Left(_)));
        co.received().await
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(g.as_mut().resume(5), Step::Complete(Some(5)));
}

#[test]
fn a_yield_dropped_within_the_step_blocks_a_second_one() {
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        poll_once(&mut Box::pin(co.yield_(1))).await;
        co.yield_(2).await
    }));
    assert_starts(&panic_of(|| g.as_mut().start()), TWO);
}

#[test]
fn a_body_that_returns_past_a_dropped_yield() {
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        poll_once(&mut Box::pin(co.yield_(1))).await;
    }));
    assert_starts(
        &panic_of(|| g.as_mut().start()),
        "a generator body dropped a yield whose value had left",
    );
    assert_eq!(g.state(), State::Closed);
}

#[test]
fn a_yield_awaited_in_a_foreign_context() {
    let (_owner, co) = leak::<i32, i32>();
    assert_eq!(panic_of(|| futures_lite::future::block_on(co.yield_(1))), FOREIGN);
    assert_eq!(panic_of(|| poll_with(co.yield_(1), Waker::noop())), FOREIGN);
}

#[test]
fn a_yield_behind_a_waker_of_its_own() {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        let mut set: FuturesUnordered<_> = [co.yield_(1)].into_iter().collect();
        set.next().await
    }));
    assert_eq!(panic_of(|| g.as_mut().start()), FOREIGN);
}

#[test]
fn a_yield_polled_half_way_in_its_body_and_then_outside() {
    let half = RefCell::new(None);
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        let mut left = Box::pin(co.yield_(1));
        poll_once(&mut left).await;
        *half.borrow_mut() = Some(left);
        pending::<()>().await;
    }));
    assert_eq!(started(g.as_mut()), 1);
    let left = half.take().expect("left");
    assert_eq!(panic_of(|| futures_lite::future::block_on(left)), FOREIGN);
}

#[test]
fn another_future_awaited_in_a_plain_generator() {
    let mut g = pin!(Gen::<_, i32, ()>::new(async |co| {
        assert_eq!(std::future::ready(1).await, 1, "one that is ready is no harm");
        co.yield_(1).await;
        pending::<()>().await;
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert_starts(&panic_of(|| g.as_mut().resume(())), OTHER);
    assert_starts(&panic_of(|| g.as_mut().resume(())), CLOSED);
}

#[test]
fn a_forgotten_generator_and_a_forgotten_yield() {
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        std::mem::forget(co.yield_(1));
        let mut half = Box::pin(co.yield_(2));
        let mut polled = false;
        poll_fn(|context| {
            if polled {
                return Poll::Ready(());
            }
            polled = true;
            half.as_mut().poll(context).map(drop)
        })
        .await;
        let half = ManuallyDrop::new(half);
        let sent = co.yield_(3).await;
        drop(ManuallyDrop::into_inner(half));
        sent
    }));
    assert_eq!(started(g.as_mut()), 2);
    assert_eq!(g.as_mut().resume(1), Step::Yielded(3));
    assert_eq!(g.as_mut().resume(4), Step::Complete(4));

    let drops = Drops::default();
    let mut g = Box::pin(Gen::<_, i32, ()>::new(async |co| {
        let held = drops.token();
        co.yield_(1).await;
        drop(held);
    }));
    started(g.as_mut());
    let forgotten = ManuallyDrop::new(g);
    assert_eq!(drops.count(), 0, "what is leaked stays whole");
    drop(ManuallyDrop::into_inner(forgotten));
    assert_eq!(drops.count(), 1);

    std::mem::forget(Gen::<_, i32, ()>::new(async |co| co.yield_(1).await));
}

#[test]
fn a_panic_in_the_body_closes_the_generator() {
    let drops = Drops::default();
    let mut g = pin!(Gen::<_, i32, i32>::new(async |co| {
        let _held = drops.token();
        let sent = co.yield_(1).await;
        assert_eq!(sent, 0, "broken");
    }));
    assert_eq!(started(g.as_mut()), 1);
    assert!(panic_of(|| g.as_mut().resume(1)).contains("broken"));
    assert_eq!(drops.count(), 1);
    assert_eq!(g.state(), State::Closed);
    assert_starts(&panic_of(|| g.as_mut().resume(2)), CLOSED);
    assert_eq!(g.as_mut().send(3).unwrap_err().into_value(), 3);
    g.as_mut().close();
}

#[test]
fn a_panic_in_a_handwritten_body_drops_it_once() {
    let drops = Drops::default();
    let token = drops.token();
    let mut g = pin!(Gen::<_, i32, i32>::new(|_co| poll_fn(move |_| -> Poll<()> {
        let _holds = &token;
        panic!("broken")
    })));
    assert_eq!(panic_of(|| g.as_mut().start()), "broken");
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_destructor_that_panics_closes_all_the_same() {
    struct Explosive;
    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("bang");
        }
    }
    let mut g = pin!(Gen::<_, i32, ()>::new(async |co| {
        let _explosive = Explosive;
        co.yield_(1).await;
    }));
    started(g.as_mut());
    assert_eq!(panic_of(|| g.as_mut().close()), "bang");
    assert_eq!(g.state(), State::Closed);
}

type Shared = Rc<RefCell<Option<Pin<Box<dyn Generator<Yield = i32, Return = bool>>>>>>;

#[test]
fn a_generator_cannot_resume_itself() {
    let shared = Shared::default();
    let own = shared.clone();
    *shared.borrow_mut() = Some(Box::pin(Gen::new(async move |co| {
        co.yield_(1).await;
        // To resume it takes a mutable borrow, and the resume that runs this holds it.
        own.try_borrow_mut().is_err()
    })));
    let step = || {
        let mut lent = shared.borrow_mut();
        lent.as_mut().expect("set").as_mut().resume(())
    };
    assert_eq!(step(), Step::Yielded(1));
    assert_eq!(step(), Step::Complete(true));
    shared.take();
}

#[test]
fn a_generator_taken_out_by_its_own_body_is_not_there() {
    let shared = Shared::default();
    let own = shared.clone();
    *shared.borrow_mut() = Some(Box::pin(Gen::new(async move |co| {
        co.yield_(1).await;
        own.take().is_none()
    })));
    let mut taken = shared.take().expect("set");
    assert_eq!(taken.as_mut().resume(()), Step::Yielded(1));
    assert_eq!(taken.as_mut().resume(()), Step::Complete(true));
}

#[test]
fn generators_nest() {
    fn nested(depth: u32) -> Pin<Box<dyn Resumable<u32, Yield = u32, Return = u32>>> {
        Box::pin(Gen::new(async move |co| {
            let mut child = (depth > 0).then(|| nested(depth - 1));
            let mut sent = co.received().await.unwrap_or(0);
            for _ in 0..3 {
                let from_child = match &mut child {
                    Some(child) => child.as_mut().resume(sent).yielded().expect("not yet done"),
                    None => sent,
                };
                sent = co.yield_(from_child + 1).await;
            }
            sent
        }))
    }
    let mut g = nested(20);
    for sent in [100, 200, 300] {
        assert_eq!(g.as_mut().resume(sent), Step::Yielded(sent + 21));
    }
    assert_eq!(g.as_mut().resume(400), Step::Complete(400));
}

#[test]
fn a_sent_value_whose_destructor_resumes_another_generator() {
    struct Counting(Rc<RefCell<Vec<i32>>>);
    impl Drop for Counting {
        fn drop(&mut self) {
            let numbers = pin!(Gen::<_, i32>::new(async |co| co.yield_(9).await));
            self.0.borrow_mut().extend(numbers);
        }
    }
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut g = pin!(Gen::<_, i32, Counting>::new(async |co| {
        co.yield_(1).await;
    }));
    assert_eq!(g.as_mut().resume(Counting(seen.clone())), Step::Yielded(1));
    assert_eq!(g.as_mut().resume(Counting(seen.clone())), Step::Complete(()));
    assert_eq!(*seen.borrow(), [9, 9]);
}

#[test]
fn a_generator_inside_a_future_inside_a_generator() {
    struct Inner<G>(G);
    impl<G: Resumable<(), Yield = i32, Return = ()> + Unpin> Resumable<&Waker> for Inner<G> {
        type Yield = ();
        type Return = i32;

        fn resume(mut self: Pin<&mut Self>, _: &Waker) -> Step<(), i32> {
            let mut sum = 0;
            while let Step::Yielded(value) = Pin::new(&mut self.0).resume(()) {
                sum += value;
            }
            Step::Complete(sum)
        }
    }
    let mut g = pin!(Gen::<_, i32, ()>::new(async |co| {
        let inner = Box::pin(Gen::new(async |co| {
            co.yield_(1).await;
            co.yield_(2).await;
        }));
        let sum = ToFuture::new(Inner(inner)).await;
        co.yield_(sum).await;
    }));
    assert_eq!(g.as_mut().resume(()), Step::Yielded(3));
    assert_eq!(g.as_mut().resume(()), Step::Complete(()));
}
