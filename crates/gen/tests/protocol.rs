//! Python's protocol on `Gen`: start, send, throw, close, state, delegation, return value.

mod util;

use std::pin::{Pin, pin};

use generator::{Co, Gen, Generator, Refused, Resumable, State, Step, Throw, from_iter};
use util::{CLOSED, Drops, assert_starts, panic_of, started};

type Boxed<R, Y, T> = Pin<Box<dyn Generator<R, Yield = Y, Return = T>>>;

/// Yields the sum of what was sent; returns it when sent a zero.
fn summing() -> Boxed<i32, i32, String> {
    Box::pin(Gen::new(|co| async move {
        let mut sum = 0;
        loop {
            match co.yield_(sum).await {
                0 => return format!("sum {sum}"),
                x => sum += x,
            }
        }
    }))
}

#[test]
fn the_states_follow_each_other() {
    let mut g = summing();
    assert_eq!(g.state(), State::Created);
    assert_eq!(started(g.as_mut()), 0);
    assert_eq!(g.state(), State::Suspended);
    assert_eq!(g.as_mut().send(4).unwrap(), Step::Yielded(4));
    assert_eq!(g.as_mut().send(5).unwrap(), Step::Yielded(9));
    assert_eq!(g.as_mut().send(0).unwrap(), Step::Complete("sum 9".to_string()));
    assert_eq!(g.state(), State::Closed);
}

#[test]
fn running_is_seen_from_inside_only() {
    let mut g = pin!(Gen::<_, State, ()>::new(async |co| {
        let before = co.state().await;
        co.yield_(before).await;
        co.state().await
    }));
    assert_eq!(started(g.as_mut()), State::Running);
    assert_eq!(g.state(), State::Suspended);
    assert_eq!(g.as_mut().resume(()), Step::Complete(State::Running));
}

#[test]
fn a_new_generator_gives_a_sent_value_back() {
    let mut g = pin!(Gen::new(|co| async move {
        let mut said: String = co.yield_(0).await;
        while !said.is_empty() {
            said = co.yield_(said.len()).await;
        }
    }));
    let refused = g.as_mut().send("early".to_string()).unwrap_err();
    assert_eq!(refused.state(), State::Created);
    assert_eq!(refused.to_string(), "cannot send a value to a just-started generator");
    assert_eq!(refused.into_value(), "early");
    assert_eq!(g.state(), State::Created, "a refusal changes nothing");
    assert_eq!(started(g.as_mut()), 0);
    assert_eq!(g.as_mut().send("in time".to_string()).unwrap(), Step::Yielded(7));
    g.as_mut().close();
    let refused = g.as_mut().send("late".to_string()).unwrap_err();
    assert_eq!(refused.state(), State::Closed);
    assert_eq!(refused.to_string(), "the generator is closed");
    assert_eq!(refused.into_value(), "late");
}

#[test]
fn start_works_once() {
    let mut g = summing();
    started(g.as_mut());
    let refused = g.as_mut().start().unwrap_err();
    assert_eq!(refused.state(), State::Suspended);
    assert_eq!(refused.to_string(), "the generator has been started already");
    assert_eq!(g.as_mut().send(1).unwrap(), Step::Yielded(1));
    g.as_mut().close();
    assert_eq!(g.as_mut().start().unwrap_err().state(), State::Closed);
}

#[test]
fn a_refusal_is_an_error_that_asks_nothing_of_its_value() {
    struct Opaque;
    let mut g = pin!(Gen::<_, (), Opaque>::new(async |co| {
        co.yield_(()).await;
    }));
    let refused: Refused<Opaque> = g.as_mut().send(Opaque).unwrap_err();
    assert_eq!(format!("{refused:?}"), "Refused { state: Created, .. }");
    let error: Box<dyn std::error::Error> = Box::new(refused);
    assert!(error.source().is_none());
}

#[test]
fn the_first_resume_brings_its_value_to_received() {
    let drops = Drops::default();
    let mut g = pin!(Gen::new(async |co| {
        let first = co.received().await;
        assert!(co.received().await.is_none(), "it is there once");
        co.yield_(first.is_some()).await
    }));
    assert_eq!(g.as_mut().resume(drops.token()), Step::Yielded(true));
    assert_eq!(drops.count(), 0, "the body holds it");
    g.as_mut().close();
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_first_value_that_nobody_takes_is_dropped_at_the_first_yield() {
    let drops = Drops::default();
    let mut g = pin!(Gen::new(async |co| {
        co.yield_(1).await;
        co.yield_(2).await
    }));
    assert_eq!(g.as_mut().resume(drops.token()).yielded(), Some(1));
    assert_eq!(drops.count(), 1);
    assert_eq!(g.as_mut().resume(drops.token()).yielded(), Some(2));
    assert_eq!(drops.count(), 2);
    assert!(g.as_mut().resume(drops.token()).complete().is_some());
}

#[test]
fn a_started_generator_received_nothing() {
    let mut g = pin!(Gen::<_, bool, i32>::new(async |co| {
        let at_start = co.received().await.is_none();
        let sent = co.yield_(at_start).await;
        (sent, co.received().await)
    }));
    assert!(started(g.as_mut()));
    assert_eq!(g.as_mut().send(3).unwrap(), Step::Complete((3, None)));
}

#[test]
fn close_drops_the_body_where_it_stands() {
    let drops = Drops::default();
    let outer = drops.token();
    let mut g = pin!(Gen::<_, i32, ()>::new(async |co| {
        let _outer = outer;
        let _inner = drops.token();
        co.yield_(1).await;
        unreachable!("closed at the yield");
    }));
    started(g.as_mut());
    assert_eq!(drops.count(), 0);
    g.as_mut().close();
    assert_eq!(drops.count(), 2);
    assert_eq!(g.state(), State::Closed);
    g.as_mut().close();
    assert_eq!(drops.count(), 2);
}

#[test]
fn close_before_the_start_runs_no_line_of_the_body() {
    let drops = Drops::default();
    let captured = drops.token();
    let mut g = pin!(Gen::<_, i32, ()>::new(async |co| {
        let _captured = captured;
        co.yield_(1).await;
        unreachable!("never started");
    }));
    g.as_mut().close();
    assert_eq!(drops.count(), 1, "what it captured is dropped");
    assert_starts(&panic_of(|| g.as_mut().resume(())), CLOSED);
}

#[test]
fn the_return_value_drops_the_body_with_it() {
    let drops = Drops::default();
    let mut g = pin!(Gen::<_, (), ()>::new(|_co| {
        let token = drops.token();
        std::future::poll_fn(move |_| {
            let _holds = &token;
            std::task::Poll::Ready(7)
        })
    }));
    assert_eq!(g.as_mut().start().unwrap(), Step::Complete(7));
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_thrown_error_appears_at_the_yield() {
    let mut g = pin!(Gen::<_, i32, Result<i32, String>>::new(async |co| {
        let mut last = 0;
        loop {
            last = match co.yield_(last).await {
                Ok(x) => x,
                Err(error) if error == "ignore" => -1,
                Err(error) => return Err::<(), _>(error),
            };
        }
    }));
    started(g.as_mut());
    assert_eq!(g.as_mut().send(Ok(3)).unwrap(), Step::Yielded(3));
    assert_eq!(g.as_mut().throw("ignore".into()), Ok(Step::Yielded(-1)));
    assert_eq!(g.as_mut().throw("fatal".into()), Ok(Step::Complete(Err("fatal".into()))));
    assert_eq!(g.as_mut().throw("late".into()), Err("late".into()));
}

#[test]
fn an_error_thrown_into_a_new_generator_closes_it() {
    let mut g: Boxed<Result<(), &str>, (), ()> = Box::pin(Gen::new(async |co| {
        let _ = co.yield_(()).await;
        unreachable!("never started");
    }));
    assert_eq!(g.as_mut().throw("early"), Err("early"));
    assert_eq!(g.state(), State::Closed);
}

#[test]
fn question_mark_passes_a_thrown_error_on() {
    async fn twice(co: &Co<i32, Result<i32, &'static str>>) -> Result<i32, &'static str> {
        let a = co.yield_(1).await?;
        let b = co.yield_(2).await?;
        Ok(a + b)
    }
    let mut g = pin!(Gen::new(async |co| twice(&co).await));
    started(g.as_mut());
    g.as_mut().send(Ok(10)).unwrap();
    assert_eq!(g.as_mut().throw("no"), Ok(Step::Complete(Err("no"))));
}

#[test]
fn delegation_passes_sends_down_and_the_return_value_up() {
    let mut g = pin!(Gen::new(async |co| {
        let said = co.delegate(summing()).await;
        co.yield_(-1).await;
        said + "!"
    }));
    assert_eq!(started(g.as_mut()), 0);
    assert_eq!(g.as_mut().send(5).unwrap(), Step::Yielded(5));
    assert_eq!(g.as_mut().send(6).unwrap(), Step::Yielded(11));
    assert_eq!(g.as_mut().send(0).unwrap(), Step::Yielded(-1));
    assert_eq!(g.as_mut().send(0).unwrap(), Step::Complete("sum 11!".to_string()));
}

#[test]
fn delegation_passes_throws_down_and_what_is_not_handled_up() {
    type Sent = Result<(), &'static str>;
    let mut g = pin!(Gen::new(async |co| {
        let child = Gen::new(async |co: Co<&str, Sent>| {
            while let Err("minor") = co.yield_("child").await {}
            co.yield_("child leaves").await
        });
        match co.delegate(child).await {
            Ok(()) => co.yield_("fine").await,
            Err(_) => co.yield_("parent handles it").await,
        }
    }));
    assert_eq!(started(g.as_mut()), "child");
    assert_eq!(g.as_mut().throw("minor"), Ok(Step::Yielded("child")));
    assert_eq!(g.as_mut().send(Ok(())).unwrap(), Step::Yielded("child leaves"));
    assert_eq!(g.as_mut().throw("major"), Ok(Step::Yielded("parent handles it")));
}

#[test]
fn closing_the_parent_drops_the_child_first() {
    let order = std::cell::RefCell::new(Vec::new());
    struct Note<'a>(&'a std::cell::RefCell<Vec<&'static str>>, &'static str);
    impl Drop for Note<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
    let mut g = pin!(Gen::new(async |co| {
        let _note = Note(&order, "parent");
        let child = Gen::new(async |co: Co<i32>| {
            let _note = Note(&order, "child");
            co.yield_(1).await;
        });
        co.delegate(child).await;
    }));
    started(g.as_mut());
    g.as_mut().close();
    assert_eq!(*order.borrow(), ["child", "parent"]);
}

#[test]
fn delegation_to_a_child_that_is_not_new() {
    let panic = panic_of(|| {
        let mut child = summing();
        started(child.as_mut());
        let g = Gen::new(async |co| co.delegate(child).await);
        pin!(g).start().unwrap().complete()
    });
    assert_starts(
        &panic,
        "a generator delegated to a child that is not new: the generator has been started already",
    );

    let mut child = summing();
    started(child.as_mut());
    let step = child.as_mut().send(7).unwrap();
    let mut g = pin!(Gen::new(async |co| co.delegate_from(step, child.as_mut()).await));
    assert_eq!(started(g.as_mut()), 7);
    assert_eq!(g.as_mut().send(0).unwrap(), Step::Complete("sum 7".to_string()));
}

#[test]
fn a_generator_delegates_to_an_iterator_and_to_itself() {
    fn hanoi(disks: u32, from: char, to: char, by: char) -> Boxed<(), (char, char), ()> {
        Box::pin(Gen::new(async move |co| {
            if disks > 0 {
                co.delegate(hanoi(disks - 1, from, by, to)).await;
                co.delegate(from_iter([(from, to)])).await;
                co.delegate(hanoi(disks - 1, by, to, from)).await;
            }
        }))
    }
    let moves: Vec<_> = generator::Iter::new(hanoi(3, 'a', 'c', 'b')).collect();
    assert_eq!(moves.len(), 7);
    assert_eq!(moves[3], ('a', 'c'));
}

#[test]
fn a_generator_may_be_moved_until_it_is_pinned() {
    let g = Gen::new(|co| async move { co.yield_(1).await });
    let moved = [g];
    let [g] = moved;
    let mut g = Box::pin(g);
    assert_eq!(started(g.as_mut()), 1);
    assert_eq!(g.as_mut().resume("done"), Step::Complete("done"));
    assert_eq!(format!("{g:?}"), "Gen { state: Closed }");
}

#[test]
fn values_may_borrow_from_outside() {
    let text = "one two three".to_string();
    let words = pin!(Gen::new(async |co| {
        for word in text.split(' ') {
            co.yield_(word).await;
        }
    }));
    assert_eq!(words.collect::<Vec<&str>>(), ["one", "two", "three"]);
}
