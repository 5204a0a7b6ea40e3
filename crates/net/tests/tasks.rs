//! Tasks: names, results, panics, cancellation in every state, and the end of a loop.

mod util;

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::rc::{Rc, Weak};
use std::time::Duration;

use net::{EventLoop, JoinError, JoinHandle, RunError, TaskState, spawn, yield_now};
use util::{Drops, Log, OnDrop, SECOND, Token, failures, hold, panic_of, stuck};

fn manual() -> EventLoop {
    EventLoop::manual().0
}

fn turn(event_loop: &EventLoop) -> bool {
    event_loop.turn(Some(Duration::ZERO)).expect("a turn")
}

async fn oh() {
    panic!("oh")
}

#[test]
fn run_ends_when_every_task_has_ended() {
    let event_loop = manual();
    let log = Log::default();
    for seconds in [3, 1, 2] {
        let log = log.clone();
        drop(event_loop.spawn(async move {
            net::sleep(seconds * SECOND).await;
            log.push(seconds);
        }));
    }
    event_loop.run().expect("a run");
    assert_eq!(log.take(), [1, 2, 3]);
    assert_eq!(event_loop.stats().tasks, 0);
}

#[test]
fn run_until_leaves_the_others_for_a_later_run() {
    let event_loop = manual();
    let other = event_loop.spawn(async { net::sleep(2 * SECOND).await });
    event_loop.run_until(net_sleep(SECOND)).expect("a run");
    assert!(!other.is_finished());
    event_loop.run().expect("a run");
    assert!(other.is_finished());
}

async fn net_sleep(duration: Duration) {
    net::sleep(duration).await;
}

#[test]
fn an_empty_loop_runs_and_turns_without_a_word() {
    let event_loop = manual();
    event_loop.run().expect("a run");
    assert!(!turn(&event_loop));
    assert!(!event_loop.turn(None).expect("nothing is stuck"));
}

#[test]
fn a_handle_gives_the_result_once() {
    let event_loop = manual();
    let mut task = event_loop.spawn(async { "value" });
    assert!(task.try_join().is_none());
    event_loop.run().expect("a run");
    assert!(matches!(task.try_join(), Some(Ok("value"))));
    assert!(matches!(task.try_join(), Some(Err(JoinError::Taken))));
}

#[test]
fn joins_may_come_before_and_after_the_end() {
    let event_loop = manual();
    let sum = event_loop.run_until(async {
        let early = spawn(async { 1 });
        let late = spawn(async {
            net::sleep(SECOND).await;
            2
        });
        yield_now().await;
        assert!(early.is_finished() && !late.is_finished());
        late.await.expect("late") + early.await.expect("early")
    });
    assert_eq!(sum.expect("a run"), 3);
}

#[test]
fn a_cancelled_task_joins_as_cancelled() {
    let event_loop = manual();
    let (drops, failed) = (Drops::default(), failures(&event_loop));
    let task = event_loop.spawn(hold(drops.token()));
    assert!(task.cancel());
    assert_eq!(drops.count(), 1);
    assert!(!task.cancel());
    assert!(task.is_finished());
    let joined = event_loop.run_until(task).expect("a run");
    assert!(matches!(joined, Err(JoinError::Cancelled)));
    assert!(failed.take().is_empty());
}

#[test]
fn a_parked_task_is_cancelled_at_once_and_its_timer_with_it() {
    let event_loop = manual();
    let task = event_loop.spawn(net_sleep(SECOND));
    assert!(turn(&event_loop));
    assert_eq!(event_loop.stats().timers, 1);
    assert!(task.cancel());
    assert_eq!(event_loop.stats().timers, 0);
    assert!(!turn(&event_loop));
}

#[test]
fn a_task_that_cancels_itself_runs_to_its_next_wait() {
    let event_loop = manual();
    let own = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let (log, drops) = (Log::default(), Drops::default());
    let (handle, steps, token) = (Rc::clone(&own), log.clone(), drops.token());
    let task = event_loop.spawn(async move {
        let _token = token;
        assert!(handle.borrow().as_ref().is_some_and(JoinHandle::cancel));
        steps.push("still here");
        yield_now().await;
        steps.push("never");
    });
    *own.borrow_mut() = Some(task.named("suicidal"));
    event_loop.run().expect("a run");
    assert_eq!((log.take(), drops.count()), (vec!["still here"], 1));
    let mut task = own.take().expect("put there");
    assert!(matches!(task.try_join(), Some(Err(JoinError::Cancelled))));
}

#[test]
fn a_task_that_cancels_itself_and_returns_has_returned() {
    let event_loop = manual();
    let own = Rc::new(RefCell::new(None::<JoinHandle<i32>>));
    let handle = Rc::clone(&own);
    let task = event_loop.spawn(async move {
        handle.borrow().as_ref().map(JoinHandle::cancel);
        9
    });
    *own.borrow_mut() = Some(task);
    event_loop.run().expect("a run");
    let result = own.take().expect("put there").try_join();
    assert!(matches!(result, Some(Ok(9))));
}

#[test]
fn dropping_a_handle_cancels_nothing() {
    let event_loop = manual();
    let log = Log::default();
    let done = log.clone();
    drop(event_loop.spawn(async move {
        net::sleep(SECOND).await;
        done.push("done");
    }));
    event_loop.run().expect("a run");
    assert_eq!(log.take(), ["done"]);
}

#[test]
fn a_panic_reaches_whoever_joins_and_nobody_else() {
    let event_loop = manual();
    let failed = failures(&event_loop);
    let ended = event_loop.run_until(async { spawn(oh()).await }).expect("a run");
    let error = ended.expect_err("a panic");
    assert_eq!(error.to_string(), "the task panicked: oh");
    let payload = error.into_panic().expect("a payload");
    assert_eq!(payload.downcast_ref(), Some(&"oh"));
    assert!(failed.take().is_empty());
    assert_eq!(event_loop.stats().failures, 0);
}

#[test]
fn a_panic_without_a_handle_reaches_the_hook_with_its_name() {
    let event_loop = manual();
    let failed = failures(&event_loop);
    let task = event_loop.spawn(oh()).named("clumsy");
    let id = task.id();
    drop(task);
    let other = event_loop.spawn(async { 1 });
    event_loop.run().expect("a panic does not stop the loop");
    assert_eq!(failed.take(), [format!("task {id} (clumsy) panicked: oh")]);
    assert_eq!(event_loop.stats().failures, 1);
    assert!(other.is_finished());
}

#[test]
fn a_panic_whose_handle_is_dropped_unread_reaches_the_hook() {
    let event_loop = manual();
    let failed = failures(&event_loop);
    let task = event_loop.spawn(oh());
    event_loop.run().expect("a run");
    assert!(failed.take().is_empty());
    let id = task.id();
    drop(task);
    assert_eq!(failed.take(), [format!("task {id} panicked: oh")]);
    assert_eq!(event_loop.stats().failures, 1);
}

#[test]
fn a_panic_in_a_destructor_reaches_the_hook_with_its_name() {
    let event_loop = manual();
    let failed = failures(&event_loop);
    let ends = event_loop.spawn(async { drop(OnDrop(|| panic!("ended"))) });
    drop(ends.named("ending"));
    let cancelled = event_loop.spawn(hold(OnDrop(|| panic!("cancelled"))));
    let cancelled = cancelled.named("parked");
    turn(&event_loop);
    assert!(cancelled.cancel());
    event_loop.run().expect("a run");
    let said = failed.take();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].ends_with("(ending) panicked: ended"), "{said:?}");
    assert!(said[1].ends_with("(parked) panicked: cancelled"), "{said:?}");
}

#[test]
fn a_panic_of_a_destructor_at_the_end_of_the_loop_reaches_the_hook() {
    let event_loop = manual();
    let failed = failures(&event_loop);
    let task = event_loop.spawn(hold(OnDrop(|| panic!("last words"))));
    drop(task.named("sulky"));
    turn(&event_loop);
    drop(event_loop);
    let said = failed.take();
    assert_eq!(said.len(), 1);
    assert!(said[0].ends_with("(sulky) panicked: last words"), "{said:?}");
}

#[test]
fn a_later_hook_replaces_an_earlier_one() {
    let event_loop = manual();
    let (first, second) = (failures(&event_loop), failures(&event_loop));
    drop(event_loop.spawn(oh()));
    event_loop.run().expect("a run");
    assert_eq!((first.take().len(), second.take().len()), (0, 1));
}

#[test]
fn a_payload_that_is_not_text_is_reported_all_the_same() {
    let event_loop = manual();
    let failed = failures(&event_loop);
    drop(event_loop.spawn(async {
        if true {
            resume_unwind(Box::new(7))
        }
    }));
    event_loop.run().expect("a run");
    assert!(failed.take()[0].ends_with("panicked: a value that is not text"));
}

#[test]
fn run_until_panics_with_the_payload_of_its_future() {
    let event_loop = manual();
    let failed = failures(&event_loop);
    let other = event_loop.spawn(net_sleep(SECOND));
    let said = panic_of(|| event_loop.run_until(oh()));
    assert_eq!(said, "oh");
    assert!(failed.take().is_empty());
    event_loop.run().expect("the loop goes on");
    assert!(other.is_finished());
}

#[test]
fn a_task_may_not_run_its_own_loop() {
    let event_loop = Rc::new(manual());
    let inner = Rc::downgrade(&event_loop);
    let nested = event_loop.run_until(async move {
        let event_loop = inner.upgrade().expect("it runs");
        [event_loop.run(), event_loop.run_until(async {}), event_loop.turn(None).map(drop)]
    });
    for result in nested.expect("a run") {
        let error = result.expect_err("refused");
        assert!(matches!(error, RunError::Nested));
        assert_eq!(error.to_string(), "this event loop already runs");
    }
}

#[test]
fn tasks_spawn_in_their_steps_and_destructors() {
    let event_loop = manual();
    let log = Log::default();
    let (step, dropped) = (log.clone(), log.clone());
    drop(event_loop.spawn(async move {
        let _guard = OnDrop(move || {
            let log = dropped.clone();
            drop(spawn(async move { log.push("by a destructor") }));
        });
        let log = step.clone();
        drop(spawn(async move { log.push("by a step") }));
    }));
    event_loop.run().expect("a run");
    assert_eq!(log.take(), ["by a step", "by a destructor"]);
}

#[test]
fn a_destructor_may_cancel_its_siblings_and_itself() {
    let event_loop = manual();
    let drops = Drops::default();
    let handles = Rc::new(RefCell::new(Vec::<JoinHandle<()>>::new()));
    for _ in 0..4 {
        let (others, token) = (Rc::clone(&handles), drops.token());
        let guard = OnDrop(move || {
            for other in others.borrow().iter() {
                other.cancel();
            }
        });
        let task = event_loop.spawn(hold((guard, token)));
        handles.borrow_mut().push(task);
    }
    turn(&event_loop);
    assert!(handles.borrow()[2].cancel());
    assert_eq!((drops.count(), event_loop.stats().tasks), (4, 0));
}

#[test]
fn dropping_the_loop_drops_each_task_once_and_what_they_spawn() {
    let drops = Drops::default();
    let event_loop = manual();
    let parked = event_loop.spawn(hold(drops.token()));
    turn(&event_loop);
    let (spawned, queued) = (drops.token(), drops.token());
    let mut spawned = Some(spawned);
    let spawns = OnDrop(move || drop(spawn(hold(spawned.take()))));
    drop(event_loop.spawn(hold((spawns, queued))));
    let timed = drops.token();
    let sleeper = event_loop.spawn(async move {
        net::sleep(SECOND).await;
        drop(timed);
    });
    turn(&event_loop);
    drop(event_loop);
    assert_eq!(drops.count(), 4);
    for mut handle in [parked, sleeper] {
        assert!(handle.is_finished());
        assert!(!handle.cancel());
        assert!(matches!(handle.try_join(), Some(Err(JoinError::Cancelled))));
    }
}

/// Whatever the loop itself owns goes when this does.
fn core_of(event_loop: &EventLoop) -> Weak<Token> {
    let token = Rc::new(Drops::default().token());
    let core = Rc::downgrade(&token);
    event_loop.on_failure(move |_| drop(Rc::clone(&token)));
    core
}

#[test]
fn a_dropped_loop_leaves_no_cycle_behind() {
    let event_loop = manual();
    let core = core_of(&event_loop);
    let joined = event_loop.spawn(hold(()));
    drop(event_loop.spawn(async move { joined.await.map(drop) }));
    drop(event_loop.spawn(net_sleep(SECOND)));
    drop(event_loop.spawn(async {
        let mut group = net::TaskGroup::<std::io::Error>::new();
        let handle = group.handle();
        group.spawn(async move {
            handle.spawn(hold_ok()).map(drop).map_err(drop).ok();
            hold_ok().await
        });
        group.wait().await.map_err(drop)
    }));
    turn(&event_loop);
    assert_eq!(event_loop.stats().tasks, 6);
    drop(event_loop);
    assert_eq!(core.strong_count(), 0);
}

async fn hold_ok() -> std::io::Result<()> {
    hold(()).await;
    Ok(())
}

#[test]
fn a_loop_with_sockets_leaves_no_cycle_behind() {
    let event_loop = EventLoop::new().expect("a loop");
    let core = core_of(&event_loop);
    let listener = event_loop.enter(util::listener);
    drop(event_loop.spawn(async move { listener.accept().await.map(drop) }));
    turn(&event_loop);
    assert_eq!(event_loop.stats().socket_waits, 1);
    drop(event_loop);
    assert_eq!(core.strong_count(), 0);
}

#[test]
fn names_are_listed_and_forgotten_with_the_task() {
    let event_loop = manual();
    let task = event_loop.spawn(hold(())).named("first");
    let name = |event_loop: &EventLoop| event_loop.tasks().first().and_then(|t| t.name.clone());
    assert_eq!(name(&event_loop).as_deref(), Some("first"));
    let task = task.named(String::from("renamed"));
    assert_eq!(name(&event_loop).as_deref(), Some("renamed"));
    assert!(task.cancel());
    let task = task.named("too late");
    let next = event_loop.spawn(hold(()));
    assert_eq!(next.id().index(), task.id().index(), "the slot is used again");
    assert_eq!(name(&event_loop), None);
    assert!(!task.cancel());
    assert_eq!(event_loop.stats().tasks, 1);
}

#[test]
fn a_task_woken_many_times_runs_once() {
    let event_loop = manual();
    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    let task = event_loop.spawn(std::future::poll_fn(move |_| {
        counted.set(counted.get() + 1);
        std::task::Poll::<()>::Pending
    }));
    turn(&event_loop);
    let waker = task.waker().expect("it lives");
    for _ in 0..3 {
        waker.wake_by_ref();
        event_loop.enter(|| waker.wake_by_ref());
    }
    turn(&event_loop);
    assert_eq!(steps.get(), 2);
}

#[test]
fn what_ends_inside_states_and_listings_is_consistent() {
    let event_loop = Rc::new(manual());
    let inner = Rc::downgrade(&event_loop);
    let task = event_loop.spawn(async move {
        let event_loop = inner.upgrade().expect("it runs");
        let tasks = event_loop.tasks();
        drop(event_loop);
        (tasks.len(), tasks[0].state, tasks[0].to_string())
    });
    let id = task.id();
    let listed = event_loop.run_until(task).expect("a run").expect("a value");
    // The second is `run_until`'s own.
    assert_eq!(listed, (2, TaskState::Running, format!("task {id} is running")));
    assert!(stuck(event_loop.run_until(hold(()))).len() == 1);
}
