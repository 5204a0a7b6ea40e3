//! Stepping, waking and cancelling in every state, and what user code may do meanwhile.

mod util;

use std::rc::Rc;

use generator::Step;
use sched::{Cancel, Outcome, Scheduler, StepError, TaskState};
use util::{OnDrop, act, holding, log, quiet_panic, run, said, short, yields};

#[test]
fn a_task_that_yielded_is_parked_until_it_is_woken() {
    let scheduler = Scheduler::<(), ()>::new();
    let id = scheduler.spawn(yields(1));
    assert_eq!(scheduler.state(id), Some(TaskState::Queued));
    assert!(matches!(scheduler.step(), Ok((task, Outcome::Yielded(()))) if task == id));
    assert_eq!(scheduler.state(id), Some(TaskState::Parked));
    assert!(matches!(scheduler.step(), Err(StepError::Idle)));
    assert!(scheduler.wake(id) && scheduler.wake(id), "two wakes, one step");
    assert_eq!(run(&scheduler), [(id, "complete")]);
    assert!(!scheduler.contains(id) && !scheduler.wake(id) && !scheduler.cancel(id).found());
    assert!(scheduler.is_empty());
}

#[test]
fn an_id_is_eight_bytes_and_reads_as_number_and_generation() {
    let scheduler = Scheduler::<(), ()>::new();
    let first = scheduler.spawn(yields(0));
    run(&scheduler);
    let second = scheduler.spawn(yields(0));
    assert_eq!((first.to_string(), second.to_string()), ("0v1".into(), "0v2".into()));
    assert_eq!(format!("{second:?}"), "TaskId(0v2)");
    assert!(first < second && first.index() == second.index());
    assert!(!scheduler.wake(first));
    assert_eq!(scheduler.cancel(first), Cancel::Stale);
    assert_eq!(scheduler.ids(), [second]);
    assert_eq!(size_of::<Option<sched::TaskId>>(), 8);
}

#[test]
fn turns_go_round() {
    let scheduler = Scheduler::<(), ()>::new();
    let ids = [2, 0, 1].map(|times| scheduler.spawn(yields(times)));
    let mut order = Vec::new();
    while let Ok((id, outcome)) = scheduler.step() {
        order.push((ids.iter().position(|&other| other == id).unwrap(), short(&outcome)));
        scheduler.wake(id);
    }
    let (yielded, complete) = ("yielded", "complete");
    assert_eq!(
        order,
        [(0, yielded), (1, complete), (2, yielded), (0, yielded), (2, complete), (0, complete)]
    );
}

#[test]
fn a_task_woken_during_its_step_is_queued_once() {
    let scheduler = Scheduler::<(), ()>::new();
    let inner = scheduler.clone();
    let mut first = true;
    let id = scheduler.spawn(act(move |waker| {
        assert_eq!(inner.own(waker), inner.running());
        let id = inner.running().unwrap();
        if std::mem::take(&mut first) {
            waker.wake_by_ref();
            inner.wake(id);
            let clone = waker.clone();
            clone.wake();
        }
        Step::Yielded(())
    }));
    assert!(scheduler.step().is_ok());
    assert_eq!((scheduler.state(id), scheduler.ready()), (Some(TaskState::Queued), 1));
    assert_eq!(run(&scheduler), [(id, "yielded")]);
    scheduler.clear();
}

#[test]
fn a_cancelled_task_is_dropped_at_once_unless_it_runs() {
    let scheduler = Scheduler::<(), ()>::new();
    let dropped = log();
    let body = |name| {
        let dropped = Rc::clone(&dropped);
        holding(OnDrop(move || dropped.borrow_mut().push(name)))
    };
    let parked = scheduler.spawn(body("parked"));
    run(&scheduler);
    let queued = scheduler.spawn(body("queued"));
    assert_eq!(scheduler.cancel(parked), Cancel::Dropped);
    assert_eq!(scheduler.cancel(queued), Cancel::Dropped);
    assert_eq!(*dropped.borrow(), ["parked", "queued"]);
    assert_eq!(run(&scheduler), []);

    let inner = scheduler.clone();
    let guard = body("running");
    let running = scheduler.spawn(act(move |_| {
        let _ = &guard;
        let id = inner.running().unwrap();
        assert_eq!(inner.cancel(id), Cancel::Deferred);
        assert_eq!(inner.cancel(id), Cancel::Deferred);
        assert!(!inner.wake(id));
        assert_eq!(inner.state(id), Some(TaskState::Running));
        Step::Yielded(())
    }));
    assert_eq!(run(&scheduler), [(running, "cancelled")]);
    assert_eq!(*dropped.borrow(), ["parked", "queued", "running"]);
}

#[test]
fn a_task_that_ends_in_the_step_of_its_cancellation_has_ended_by_itself() {
    let scheduler = Scheduler::<(), u8>::new();
    let inner = scheduler.clone();
    scheduler.spawn(act(move |_| {
        inner.cancel(inner.running().unwrap());
        Step::Complete(7)
    }));
    assert!(matches!(scheduler.step(), Ok((_, Outcome::Complete(7)))));
}

#[test]
fn a_nested_step_is_refused_also_in_the_destructor_at_the_end_of_a_step() {
    let scheduler = Scheduler::<(), ()>::new();
    let (inner, last) = (scheduler.clone(), scheduler.clone());
    let guard = OnDrop(move || assert_eq!(last.step().unwrap_err(), StepError::Nested));
    scheduler.spawn(act(move |_| {
        let _ = &guard;
        assert_eq!(inner.step().unwrap_err(), StepError::Nested);
        assert_eq!(inner.drain(), 0);
        Step::Complete(())
    }));
    assert_eq!(run(&scheduler).len(), 1);
    assert!(matches!(scheduler.step(), Err(StepError::Idle)));
}

#[test]
fn spawning_and_cancelling_in_one_step_does_not_fill_the_queue() {
    let scheduler = Scheduler::<(), ()>::new();
    let inner = scheduler.clone();
    let survivor = log();
    let kept = Rc::clone(&survivor);
    scheduler.spawn(act(move |_| {
        for _ in 0..100_000 {
            let id = inner.spawn(yields(0));
            assert_eq!(inner.cancel(id), Cancel::Dropped);
        }
        assert_eq!(inner.ready(), 0);
        kept.borrow_mut().push(inner.spawn(yields(0)));
        Step::Complete(())
    }));
    assert!(scheduler.step().is_ok());
    assert_eq!(run(&scheduler), [(survivor.borrow()[0], "complete")]);
    assert_eq!(survivor.borrow()[0].index(), 1, "one slot was enough");
}

#[test]
fn a_stale_entry_gives_the_next_tenant_no_second_step() {
    let scheduler = Scheduler::<(), ()>::new();
    let others = [(); 3].map(|()| scheduler.spawn(yields(0)));
    let first = scheduler.spawn(yields(0));
    scheduler.cancel(first);
    let tenant = scheduler.spawn(yields(5));
    assert_eq!(tenant.index(), first.index());
    assert_eq!(scheduler.ready(), 4);
    let steps = run(&scheduler);
    assert_eq!(steps.iter().filter(|(id, _)| *id == tenant).count(), 1);
    assert_eq!(steps.len(), others.len() + 1);
}

#[test]
fn a_panic_ends_its_task_only() {
    let scheduler = Scheduler::<(), ()>::new();
    let bad = scheduler.spawn(act(|_| quiet_panic("bad")));
    let good = scheduler.spawn(yields(0));
    assert_eq!(run(&scheduler), [(bad, "bad"), (good, "complete")]);
    assert!(scheduler.is_empty());
}

#[test]
fn a_destructor_that_panics_is_reported_by_the_next_step_of_its_task() {
    let scheduler = Scheduler::<(), ()>::new();
    let body = || holding(OnDrop(|| quiet_panic("dropped")));
    let parked = scheduler.spawn(body());
    run(&scheduler);
    let queued = scheduler.spawn(body());
    assert_eq!(scheduler.cancel(parked), Cancel::Dropped);
    assert_eq!(scheduler.cancel(queued), Cancel::Dropped);
    assert_eq!(scheduler.state(parked), Some(TaskState::Failed));
    assert_eq!(scheduler.ready(), 2);
    assert!(!scheduler.wake(parked) && !scheduler.cancel(queued).found());
    scheduler.clear();
    let mut seen = run(&scheduler);
    seen.sort();
    assert_eq!(seen, [(parked, "dropped"), (queued, "dropped")]);
    assert!(scheduler.is_empty() && scheduler.ready() == 0);
}

#[test]
fn a_task_that_returns_and_then_panics_in_its_destructor_tells_both() {
    let scheduler = Scheduler::<(), ()>::new();
    let guard = OnDrop(|| quiet_panic("dropped"));
    let returns = scheduler.spawn(act(move |_| {
        let _ = &guard;
        Step::Complete(())
    }));
    assert_eq!(run(&scheduler), [(returns, "complete"), (returns, "dropped")]);
    let guard = OnDrop(|| quiet_panic("dropped"));
    let panics = scheduler.spawn(act(move |_| {
        let _ = &guard;
        quiet_panic("body")
    }));
    assert_eq!(run(&scheduler), [(panics, "body"), (panics, "dropped")]);
    assert!(scheduler.is_empty());
}

#[test]
fn the_value_of_a_cancelled_step_is_dropped_and_may_panic() {
    let scheduler = Scheduler::new();
    let inner = scheduler.clone();
    scheduler.spawn(act(move |_| {
        inner.cancel(inner.running().unwrap());
        Step::<_, ()>::Yielded(OnDrop(|| quiet_panic("value")))
    }));
    match scheduler.step() {
        Ok((_, Outcome::Panicked(payload))) => assert_eq!(said(&payload), "value"),
        other => panic!("{}", other.is_ok()),
    }
    assert!(scheduler.is_empty());
}

#[test]
fn destructors_may_spawn_wake_and_cancel() {
    let scheduler = Scheduler::<(), ()>::new();
    let other = scheduler.spawn(yields(0));
    let (inner, spawned) = (scheduler.clone(), log());
    let kept = Rc::clone(&spawned);
    let id = scheduler.spawn(holding(OnDrop(move || {
        kept.borrow_mut().push(inner.spawn(yields(0)));
        assert_eq!(inner.cancel(other), Cancel::Dropped);
    })));
    let (inner, twice) = (scheduler.clone(), log());
    let count = Rc::clone(&twice);
    let myself = Rc::new(std::cell::Cell::new(None));
    let known = Rc::clone(&myself);
    myself.set(Some(scheduler.spawn(holding(OnDrop(move || {
        let id = known.get().unwrap();
        assert!(!inner.contains(id) && !inner.wake(id) && inner.waker(id).is_none());
        assert_eq!(inner.cancel(id), Cancel::Stale);
        count.borrow_mut().push(());
    })))));
    assert_eq!(scheduler.cancel(id), Cancel::Dropped);
    assert_eq!(scheduler.cancel(myself.get().unwrap()), Cancel::Dropped);
    assert_eq!(run(&scheduler), [(spawned.borrow()[0], "complete")]);
    assert_eq!(twice.borrow().len(), 1);
}

#[test]
fn clear_breaks_the_cycles_of_tasks_that_own_the_scheduler() {
    let scheduler = Scheduler::<(), ()>::new();
    let alive = Rc::new(());
    for _ in 0..10 {
        scheduler.spawn(holding((scheduler.clone(), Rc::clone(&alive))));
    }
    let (inner, token) = (scheduler.clone(), Rc::clone(&alive));
    scheduler.spawn(holding(OnDrop(move || {
        inner.spawn(holding((inner.clone(), Rc::clone(&token))));
    })));
    run(&scheduler);
    scheduler.clear();
    assert!(scheduler.is_empty());
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn clear_inside_a_step_takes_the_running_task_too() {
    let scheduler = Scheduler::<(), ()>::new();
    let inner = scheduler.clone();
    let id = scheduler.spawn(act(move |_| {
        inner.clear();
        Step::Yielded(())
    }));
    scheduler.spawn(yields(0));
    assert_eq!(run(&scheduler), [(id, "cancelled")]);
    assert!(scheduler.is_empty());
}

#[test]
fn dropping_the_scheduler_drops_all_tasks_and_goes_on_with_the_first_panic() {
    let dropped = log();
    let scheduler = Scheduler::<(), ()>::new();
    for name in ["a", "b", "c"] {
        let dropped = Rc::clone(&dropped);
        scheduler.spawn(holding(OnDrop(move || {
            dropped.borrow_mut().push(name);
            if name != "c" {
                quiet_panic::<()>(name);
            }
        })));
    }
    let scheduler = std::panic::AssertUnwindSafe(scheduler);
    let payload = std::panic::catch_unwind(|| drop({ scheduler }.0)).unwrap_err();
    assert_eq!(said(&payload), "a");
    assert_eq!(*dropped.borrow(), ["a", "b", "c"]);
}
