//! Groups: tasks that fail, end and are dropped together.

mod util;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use net::{EventLoop, GroupError, GroupHandle, TaskGroup, WaitKind, sleep, spawn, yield_now};
use util::{Drops, Log, OnDrop, SECOND, failures, hold};

type Failed = GroupError<&'static str>;

/// Runs `future` on a loop with a manual clock; afterwards nothing may be left.
fn run<F: Future + 'static>(future: F) -> F::Output {
    let (event_loop, _) = EventLoop::manual();
    let output = event_loop.run_until(future).expect("a run");
    let stats = event_loop.stats();
    assert_eq!((stats.tasks, stats.timers), (0, 0));
    output
}

async fn endless<T>(value: T) -> Result<(), &'static str> {
    hold(value).await;
    Ok(())
}

async fn after(seconds: u32, result: Result<(), &'static str>) -> Result<(), &'static str> {
    sleep(seconds * SECOND).await;
    result
}

fn text<E: fmt::Display>(error: E) -> String {
    error.to_string()
}

#[test]
fn an_empty_group_has_ended() {
    run(async {
        let mut group = TaskGroup::<&str>::new();
        assert!(group.is_empty());
        group.wait().await.expect("no failure");
        assert!(group.wait_all().await.is_empty());
    });
}

#[test]
fn a_group_waits_for_all_of_its_tasks() {
    let log = Log::default();
    let seen = log.clone();
    run(async move {
        let mut group = TaskGroup::<&str>::new();
        for seconds in [2, 1, 3] {
            let log = log.clone();
            group.spawn(async move {
                after(seconds, Ok(())).await?;
                log.push(seconds);
                Ok(())
            });
        }
        assert_eq!(group.len(), 3);
        group.wait().await.expect("no failure");
        assert!(group.is_empty());
    });
    assert_eq!(seen.take(), [1, 2, 3]);
}

#[test]
fn the_first_error_cancels_the_others_and_is_returned() {
    let drops = Drops::default();
    let token = drops.token();
    let (id, error, passed) = run(async move {
        let start = net::now();
        let mut group = TaskGroup::new();
        group.spawn(endless(token));
        let failing = group.spawn(after(1, Err("first")));
        group.spawn(after(2, Err("second")));
        let error = group.wait().await.expect_err("one fails");
        assert!(group.wait().await.is_ok(), "it is returned once");
        (failing, error, net::now() - start)
    });
    assert_eq!(text(&error), format!("task {id} failed: first"));
    assert!(matches!(error, Failed::Failed(task, "first") if task == id));
    assert_eq!((drops.count(), passed), (1, SECOND));
}

#[test]
fn a_panic_cancels_the_others_and_is_returned() {
    let drops = Drops::default();
    let token = drops.token();
    let (event_loop, _) = EventLoop::manual();
    let failed = failures(&event_loop);
    let error = event_loop.run_until(async move {
        let mut group = TaskGroup::<&str>::new();
        group.spawn(endless(token));
        group.spawn(async {
            yield_now().await;
            panic!("oh")
        });
        group.wait().await.expect_err("one panics")
    });
    let error = error.expect("a run");
    assert!(text(&error).ends_with("panicked: oh"), "{error}");
    let Failed::Panicked(_, payload) = error else { panic!("not a panic") };
    assert_eq!(payload.downcast_ref(), Some(&"oh"));
    assert_eq!((drops.count(), failed.take().len(), event_loop.stats().tasks), (1, 0, 0));
}

#[test]
fn a_collecting_group_goes_on_and_returns_every_failure_in_order() {
    let (errors, passed) = run(async {
        let start = net::now();
        let mut group = TaskGroup::collecting();
        group.spawn(after(3, Err("late")));
        group.spawn(after(1, Err("early")));
        group.spawn(after(4, Ok(())));
        group.spawn(async {
            sleep(2 * SECOND).await;
            panic!("between")
        });
        let errors = group.wait_all().await;
        (errors, net::now() - start)
    });
    let said: Vec<String> = errors.iter().map(text).collect();
    assert_eq!(said.len(), 3);
    assert!(said[0].ends_with("failed: early"), "{said:?}");
    assert!(said[1].ends_with("panicked: between"), "{said:?}");
    assert!(said[2].ends_with("failed: late"), "{said:?}");
    assert_eq!(passed, 4 * SECOND);
}

#[test]
fn dropping_a_group_cancels_its_tasks() {
    let drops = Drops::default();
    let (parked, queued, counted) = (drops.token(), drops.token(), drops.clone());
    run(async move {
        let group = TaskGroup::new();
        group.spawn(endless(parked));
        yield_now().await;
        group.spawn(endless(queued));
        drop(group);
        assert_eq!(counted.count(), 2);
    });
}

#[test]
fn the_end_of_its_owner_ends_a_group() {
    let drops = Drops::default();
    let token = drops.token();
    run(async move {
        let owner = spawn(async move {
            let mut group = TaskGroup::new();
            group.spawn(endless(token));
            group.wait().await.map_err(text)
        });
        yield_now().await;
        yield_now().await;
        assert!(owner.cancel());
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_cancelled_group_can_be_used_again() {
    let drops = Drops::default();
    let token = drops.token();
    run(async move {
        let mut group = TaskGroup::new();
        group.spawn(endless(token));
        group.cancel();
        assert!(group.is_empty());
        group.wait().await.expect("no failure");
        group.spawn(after(1, Ok(())));
        group.wait().await.expect("no failure");
        group.spawn(after(1, Err("oh")));
        group.wait().await.expect_err("it fails");
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_failed_group_cancels_what_is_added_until_its_failure_is_taken() {
    let (drops, log) = (Drops::default(), Log::default());
    let (token, counted, done) = (drops.token(), drops.clone(), log.clone());
    run(async move {
        let mut group = TaskGroup::new();
        group.spawn(async { Err("oh") });
        yield_now().await;
        group.spawn(endless(token));
        assert_eq!((counted.count(), group.len()), (1, 0));
        assert_eq!(group.wait_all().await.len(), 1);
        group.spawn(async move {
            done.push("again");
            Ok(())
        });
        group.wait().await.expect("no failure");
    });
    assert_eq!(log.take(), ["again"]);
}

#[test]
fn members_add_members() {
    let log = Log::default();
    let seen = log.clone();
    run(async move {
        let mut group = TaskGroup::<&str>::new();
        let handle = group.handle();
        group.spawn(descend(handle, 3, log));
        group.wait().await.expect("no failure");
    });
    assert_eq!(seen.take(), [3, 2, 1, 0]);
}

fn descend(
    handle: GroupHandle<&'static str>,
    depth: u32,
    log: Log<u32>,
) -> futures_util::future::LocalBoxFuture<'static, Result<(), &'static str>> {
    async move {
        log.push(depth);
        if depth > 0 {
            let next = descend(handle.clone(), depth - 1, log);
            handle.spawn(next).map_err(|_| "no group")?;
        }
        Ok(())
    }
    .boxed_local()
}

#[test]
fn a_handle_gives_the_future_back_when_the_group_is_gone() {
    let drops = Drops::default();
    let (token, counted) = (drops.token(), drops.clone());
    run(async move {
        let group = TaskGroup::new();
        let handle = group.handle();
        drop(group);
        let back = handle.spawn(endless(token)).expect_err("no group");
        assert_eq!(counted.count(), 0);
        drop(back);
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_member_that_drops_its_group_cannot_add_to_it() {
    let refused = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&refused);
    run(async move {
        let group = Rc::new(RefCell::new(Some(TaskGroup::<&str>::new())));
        let own = Rc::clone(&group);
        let handle = group.borrow().as_ref().expect("put there").handle();
        let member = async move {
            drop(own.take());
            *seen.borrow_mut() = Some(handle.spawn(endless(())).is_err());
            Ok(())
        };
        group.borrow().as_ref().expect("put there").spawn(member);
        yield_now().await;
    });
    assert_eq!(refused.take(), Some(true));
}

#[test]
fn a_group_inside_a_group_passes_its_failure_up() {
    let drops = Drops::default();
    let (outer_token, inner_token) = (drops.token(), drops.token());
    let error = run(async move {
        let mut outer = TaskGroup::new();
        outer.spawn(endless(outer_token));
        outer.spawn(async move {
            let mut inner = TaskGroup::new();
            inner.spawn(endless(inner_token));
            inner.spawn(after(1, Err("deep")));
            inner.wait().await.map_err(|error| match error {
                GroupError::Failed(_, error) => error,
                other => panic!("not a failure: {other:?}"),
            })
        });
        outer.wait().await.expect_err("it fails")
    });
    assert!(text(error).ends_with("failed: deep"));
    assert_eq!(drops.count(), 2);
}

#[test]
fn cancelling_the_outer_group_ends_the_inner_one() {
    let drops = Drops::default();
    let (token, counted) = (drops.token(), drops.clone());
    run(async move {
        let outer = TaskGroup::new();
        outer.spawn(async move {
            let mut inner = TaskGroup::new();
            inner.spawn(endless(token));
            inner.wait().await.map_err(|_| "inner")
        });
        sleep(SECOND).await;
        outer.cancel();
        assert_eq!((counted.count(), outer.len()), (1, 0));
    });
}

#[test]
fn a_wait_that_is_dropped_cancels_nothing_and_can_be_repeated() {
    run(async {
        let mut group = TaskGroup::new();
        group.spawn(after(5, Ok(())));
        for _ in 0..2 {
            let waited = net::timeout(SECOND, group.wait()).await;
            assert!(waited.is_err());
            assert_eq!(group.len(), 1);
        }
        group.wait().await.expect("no failure");
        group.wait().await.expect("no failure");
    });
}

#[test]
fn a_wait_that_was_dropped_wakes_nobody() {
    let (event_loop, _) = EventLoop::manual();
    let steps = Rc::new(std::cell::Cell::new(0));
    let counted = Rc::clone(&steps);
    event_loop
        .run_until(async move {
            let mut group = TaskGroup::<&str>::new();
            group.spawn(after(2, Ok(())));
            let _ = net::timeout(SECOND, group.wait()).await;
            let mut pause = std::pin::pin!(sleep(5 * SECOND));
            std::future::poll_fn(move |cx| {
                counted.set(counted.get() + 1);
                pause.as_mut().poll(cx)
            })
            .await;
        })
        .expect("a run");
    assert_eq!(steps.get(), 2);
}

#[test]
fn an_error_after_a_cancel_is_returned() {
    let error = run(async {
        let group = Rc::new(RefCell::new(TaskGroup::new()));
        let own = Rc::clone(&group);
        group.borrow().spawn(async move {
            own.borrow().cancel();
            Err("all the same")
        });
        yield_now().await;
        let mut group = Rc::into_inner(group).expect("the member is gone").into_inner();
        group.wait().await.expect_err("it failed")
    });
    assert!(text(error).ends_with("failed: all the same"));
}

#[test]
fn a_member_that_cancels_its_group_counts_until_it_ends() {
    run(async {
        let group = Rc::new(RefCell::new(TaskGroup::<&str>::new()));
        let own = Rc::clone(&group);
        let counted = Log::default();
        let count = counted.clone();
        group.borrow().spawn(endless(()));
        group.borrow().spawn(async move {
            own.borrow().cancel();
            count.push(own.borrow().len());
            Ok(())
        });
        yield_now().await;
        assert_eq!(counted.take(), [1]);
        assert!(group.borrow().is_empty());
    });
}

#[test]
fn dropping_a_group_leaves_its_owner_its_name() {
    let (event_loop, _) = EventLoop::manual();
    let task = event_loop.spawn(async {
        let group = TaskGroup::new();
        group.spawn_named("member", endless(()));
        yield_now().await;
        drop(group);
        hold(()).await;
    });
    let owner = task.named("owner");
    for _ in 0..3 {
        event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    }
    let tasks = event_loop.tasks();
    assert_eq!(tasks.len(), 1);
    assert_eq!((tasks[0].id, tasks[0].name.as_deref()), (owner.id(), Some("owner")));
}

#[test]
fn a_panic_in_a_cancelled_members_destructor_is_reported_by_name() {
    let (event_loop, _) = EventLoop::manual();
    let failed = failures(&event_loop);
    event_loop
        .run_until(async {
            let mut group = TaskGroup::new();
            group.spawn_named("sulky", endless(OnDrop(|| panic!("oh"))));
            group.spawn(async { Err("first") });
            let error = group.wait().await.expect_err("it failed");
            assert!(text(error).ends_with("failed: first"));
        })
        .expect("a run");
    event_loop.run().expect("a run");
    let said = failed.take();
    assert_eq!(said.len(), 1);
    assert!(said[0].ends_with("(sulky) panicked: oh"), "{said:?}");
}

#[test]
fn a_panic_that_nobody_waits_for_reaches_the_hook() {
    let (event_loop, _) = EventLoop::manual();
    let failed = failures(&event_loop);
    event_loop
        .run_until(async {
            let group = TaskGroup::<&str>::new();
            group.spawn(async { panic!("oh") });
            yield_now().await;
            drop(group);
        })
        .expect("a run");
    assert_eq!(failed.take().len(), 1);
}

#[test]
fn a_wait_is_listed_with_what_is_left() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let task = event_loop.spawn(async {
        let mut group = TaskGroup::<&str>::new();
        group.spawn(after(1, Ok(())));
        group.spawn(after(3, Ok(())));
        group.wait().await.map_err(text)
    });
    let waits = |event_loop: &EventLoop| {
        let mut tasks = event_loop.tasks();
        let position = tasks.iter().position(|t| t.id == task.id());
        tasks.swap_remove(position.expect("it waits")).waits
    };
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    let kinds = waits(&event_loop);
    assert_eq!((kinds.len(), &kinds[0].kind), (1, &WaitKind::Group(2)));
    event_loop.turn(None).expect("a turn");
    let kinds = waits(&event_loop);
    assert_eq!((kinds.len(), &kinds[0].kind), (1, &WaitKind::Group(1)));
    assert_eq!((kinds[0].since, kinds[0].lasted), (Some(start), SECOND));
    event_loop.run().expect("a run");
}

#[test]
fn a_group_that_outlives_its_loop_runs_nothing() {
    let drops = Drops::default();
    let token = drops.token();
    let (event_loop, _) = EventLoop::manual();
    let mut group = event_loop
        .run_until(async {
            let group = TaskGroup::new();
            group.spawn(endless(()));
            group
        })
        .expect("a run");
    drop(event_loop);
    assert!(group.is_empty());
    group.spawn(endless(token));
    assert_eq!(drops.count(), 1);
    assert!(matches!(group.wait().now_or_never(), Some(Ok(()))));
}

#[test]
fn members_are_cancelled_in_the_order_of_their_numbers() {
    let (event_loop, _clock) = EventLoop::manual();
    let order = util::run(&event_loop, async {
        let order = Rc::<RefCell<Vec<u32>>>::default();
        let group = TaskGroup::<()>::new();
        for number in 0..20 {
            let order = Rc::clone(&order);
            let told = util::OnDrop(move || order.borrow_mut().push(number));
            group.spawn(async move {
                util::hold(told).await;
                Ok(())
            });
        }
        yield_now().await;
        drop(group);
        order.take()
    });
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(order.len(), 20);
}

#[test]
fn a_deadline_cancels_what_has_not_ended() {
    let drops = Drops::default();
    let (first, second, counted) = (drops.token(), drops.token(), drops.clone());
    let log = Log::default();
    let done = log.clone();
    run(async move {
        let mut group = TaskGroup::new();
        group.spawn(async move {
            after(2, Ok(())).await?;
            done.push("in time");
            Ok(())
        });
        group.spawn(endless(first));
        group.spawn(endless(second));
        let start = net::now();
        let error = group.wait_until(start + 5 * SECOND).await.expect_err("too late");
        assert!(matches!(error, Failed::Elapsed(2)), "{error:?}");
        assert_eq!(text(error), "the time allowed has elapsed: tasks cancelled: 2");
        assert_eq!((counted.count(), group.len()), (2, 0));
        assert_eq!(net::now() - start, 5 * SECOND);
        group.spawn(after(1, Ok(())));
        group.wait().await.expect("it can be used again");
    });
    assert_eq!(log.take(), ["in time"]);
}

#[test]
fn a_group_that_ends_before_its_deadline_leaves_no_timer() {
    run(async {
        let mut group = TaskGroup::new();
        group.spawn(after(1, Ok(())));
        group.wait_until(net::now() + 5 * SECOND).await.expect("in time");
        group.wait_until(net::now()).await.expect("nothing to wait for");
        group.spawn(after(1, Err("oh")));
        group.spawn(endless(()));
        let error = group.wait_until(net::now() + 5 * SECOND).await.expect_err("it failed");
        assert!(text(error).ends_with("failed: oh"));
        assert!(group.is_empty());
    });
}

#[test]
fn a_collecting_group_returns_its_failures_and_then_the_deadline() {
    let errors = run(async {
        let mut group = TaskGroup::collecting();
        group.spawn(after(1, Err("early")));
        group.spawn(after(9, Err("never")));
        group.wait_all_until(net::now() + 5 * SECOND).await
    });
    assert!(matches!(errors[..], [Failed::Failed(_, "early"), Failed::Elapsed(1)]), "{errors:?}");
}

#[test]
fn what_is_added_while_the_deadline_cancels_is_cancelled() {
    let drops = Drops::default();
    let token = drops.token();
    run(async move {
        let mut group = TaskGroup::new();
        let (handle, mut token) = (group.handle(), Some(token));
        let added = OnDrop(move || {
            let Some(token) = token.take() else { return };
            assert!(handle.spawn(endless(token)).is_ok());
        });
        group.spawn(endless(added));
        let error = group.wait_until(net::now() + SECOND).await.expect_err("too late");
        assert!(matches!(error, Failed::Elapsed(1)), "{error:?}");
        assert!(group.is_empty());
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn one_member_is_cancelled_and_the_others_go_on() {
    let drops = Drops::default();
    let (first, second, counted) = (drops.token(), drops.token(), drops.clone());
    run(async move {
        let mut group = TaskGroup::new();
        let member = group.spawn(endless(first));
        let other = group.spawn(endless(second));
        let stranger = spawn(sleep(SECOND));
        group.spawn(after(1, Ok(())));
        yield_now().await;
        assert!(group.cancel_task(member));
        assert_eq!((counted.count(), group.len()), (1, 2));
        assert!(!group.cancel_task(member), "it has ended");
        assert!(!group.cancel_task(stranger.id()), "it is no member");
        let handle = group.handle();
        group.spawn(async move {
            assert!(handle.cancel_task(other));
            Ok(())
        });
        group.wait().await.expect("no failure");
        stranger.await.expect("it was left alone");
    });
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_member_that_cancels_itself_ends_at_its_next_wait() {
    run(async {
        let mut group = TaskGroup::<&str>::new();
        let (handle, own) = (group.handle(), Rc::new(std::cell::Cell::new(None)));
        let known = Rc::clone(&own);
        own.set(Some(group.spawn(async move {
            yield_now().await;
            assert!(handle.cancel_task(known.get().expect("it was told")));
            hold(()).await;
            Ok(())
        })));
        group.wait().await.expect("a cancellation is no failure");
    });
}

#[test]
fn a_member_names_the_members_it_adds() {
    let (event_loop, _) = EventLoop::manual();
    drop(event_loop.spawn(async {
        let mut group = TaskGroup::<&str>::new();
        let handle = group.handle();
        group.spawn_named("parent", async move {
            handle.spawn_named("child", endless(())).map_err(|_| "no group")?;
            endless(()).await
        });
        group.wait().await.map_err(text)
    }));
    for _ in 0..3 {
        event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    }
    let names: Vec<_> = event_loop.tasks().into_iter().filter_map(|task| task.name).collect();
    assert_eq!(names, ["parent", "child"]);
}

#[test]
fn a_timeout_may_be_a_moment() {
    run(async {
        let soon = net::now() + SECOND;
        assert_eq!(net::timeout_at(soon, sleep(2 * SECOND)).await, Err(net::Elapsed));
        assert_eq!(net::timeout_at(soon + 2 * SECOND, sleep(SECOND)).await, Ok(()));
        assert_eq!(net::now() - soon, SECOND);
    });
}

#[test]
fn a_group_fails_as_its_task_does() {
    use std::io::{Error, ErrorKind};
    run(async {
        let mut group = TaskGroup::new();
        group.spawn(async { Err(Error::new(ErrorKind::ConnectionReset, "gone")) });
        let error = Error::from(group.wait().await.expect_err("the task's error"));
        assert_eq!((error.kind(), text(error)), (ErrorKind::ConnectionReset, "gone".into()));

        group.spawn(async { panic!("oh") });
        let error = Error::from(group.wait().await.expect_err("the task's panic"));
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(text(error).ends_with("panicked: oh"));

        group.spawn(hold_for_ever());
        let error = group.wait_until(net::now() + SECOND).await.expect_err("too long");
        assert_eq!(Error::from(error).kind(), ErrorKind::TimedOut);
    });
}

async fn hold_for_ever() -> std::io::Result<()> {
    hold(()).await;
    Ok(())
}
