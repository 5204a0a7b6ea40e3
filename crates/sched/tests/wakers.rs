//! Wakers: kept, compared, sent to other threads, and outliving whatever they can.

mod util;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use generator::Step;
use sched::{Outcome, Scheduler, SpawnError, TaskState};
use util::{OnDrop, act, log, quiet_panic, run, yields};

/// A scheduler whose owner parks.
fn parking() -> Scheduler<(), ()> {
    let owner = thread::current();
    Scheduler::with_unpark(move || owner.unpark())
}

#[test]
fn the_waker_stays_the_same_once_it_was_cloned() {
    let scheduler = Scheduler::<(), ()>::new();
    let inner = scheduler.clone();
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let clone = Rc::clone(&kept);
    let id = scheduler.spawn(act(move |waker| {
        let id = inner.running();
        assert!(id.is_some() && inner.own(waker) == id);
        let mut clone = clone.borrow_mut();
        match &*clone {
            None => {
                *clone = Some(waker.clone());
                assert!(waker.clone().will_wake(clone.as_ref().unwrap()), "one for all clones");
                assert_eq!(inner.own(clone.as_ref().unwrap()), None);
                assert!(inner.waker(id.unwrap()).unwrap().will_wake(clone.as_ref().unwrap()));
            }
            Some(known) => {
                assert!(known.will_wake(waker) && waker.will_wake(known));
                assert_eq!(inner.own(known), id);
                assert!(inner.waker(id.unwrap()).unwrap().will_wake(known));
            }
        }
        Step::Yielded(())
    }));
    for _ in 0..3 {
        assert_eq!(run(&scheduler), [(id, "yielded")]);
        let kept = kept.borrow();
        let kept = kept.as_ref().unwrap();
        assert_eq!(scheduler.own(kept), None, "outside of steps there is none");
        assert!(scheduler.waker(id).unwrap().will_wake(kept));
        kept.wake_by_ref();
        assert_eq!(scheduler.ready(), 1);
    }
    scheduler.clear();
}

#[test]
fn a_waker_asked_for_in_a_step_is_the_one_that_later_steps_lend() {
    let scheduler = Scheduler::<(), ()>::new();
    let inner = scheduler.clone();
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let slot = Rc::clone(&kept);
    let id = scheduler.spawn(act(move |waker| {
        let asked = inner.waker(inner.running().unwrap()).unwrap();
        let known = slot.replace(Some(asked.clone()));
        assert!(known.is_none_or(|known| known.will_wake(waker) && known.will_wake(&asked)));
        Step::Yielded(())
    }));
    for _ in 0..2 {
        assert_eq!(run(&scheduler), [(id, "yielded")]);
        assert!(scheduler.wakers_out());
        scheduler.wake(id);
    }
    scheduler.clear();
}

#[test]
fn foreign_wakers_are_not_ones_own() {
    let (scheduler, other) = (Scheduler::<(), ()>::new(), Scheduler::<(), ()>::new());
    let (inner, outer) = (scheduler.clone(), other.clone());
    scheduler.spawn(act(move |waker| {
        assert_eq!(inner.own(Waker::noop()), None);
        assert_eq!(outer.own(waker), None);
        let (nested, mine) = (inner.clone(), waker.clone());
        outer.spawn(act(move |theirs| {
            assert_eq!(nested.own(theirs), None);
            assert!(!theirs.will_wake(&mine));
            Step::Complete(())
        }));
        assert_eq!(run(&outer).len(), 1);
        Step::Complete(())
    }));
    assert_eq!(run(&scheduler).len(), 1);
}

#[test]
fn a_scoped_thread_clones_and_wakes_during_a_step() {
    let scheduler = parking();
    let hosts = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&hosts);
    let id = scheduler.spawn(act(move |waker| {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    waker.wake_by_ref();
                    kept.lock().unwrap().push(waker.clone());
                    let clone = waker.clone();
                    clone.wake();
                });
            }
            kept.lock().unwrap().push(waker.clone());
        });
        Step::Yielded(())
    }));
    assert!(matches!(scheduler.step(), Ok((_, Outcome::Yielded(())))));
    assert_eq!(scheduler.state(id), Some(TaskState::Parked));
    assert_eq!(scheduler.drain(), 1, "one wake for all");
    {
        let clones = hosts.lock().unwrap();
        assert!(clones.len() == 4 && clones.iter().all(|clone| clone.will_wake(&clones[0])));
    }
    assert_eq!(scheduler.step().unwrap().0, id, "and so with the kept waker");
    assert_eq!((scheduler.ready(), scheduler.drain()), (0, 1));
    scheduler.clear();
}

#[test]
fn wakes_from_other_threads_arrive_and_are_not_doubled() {
    const THREADS: usize = 4;
    let rounds = if cfg!(miri) { 10 } else { 2_000 };
    let scheduler = parking();
    let news = Arc::new(AtomicUsize::new(0));
    let seen = Rc::new(Cell::new(0));
    let (shared, last) = (Arc::clone(&news), Rc::clone(&seen));
    let id = scheduler.spawn(act(move |_| {
        last.set(shared.load(Ordering::Relaxed));
        Step::Yielded(())
    }));
    let waker = scheduler.waker(id).unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (waker, news) = (waker.clone(), Arc::clone(&news));
            thread::spawn(move || {
                for _ in 0..rounds {
                    news.fetch_add(1, Ordering::Relaxed);
                    waker.wake_by_ref();
                }
            })
        })
        .collect();
    let mut steps = 0;
    while seen.get() < THREADS * rounds {
        match scheduler.step() {
            Ok(_) => steps += 1,
            Err(_) => thread::park(),
        }
    }
    assert!(steps <= THREADS * rounds + 1);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    scheduler.drain();
    run(&scheduler);
    assert_eq!(scheduler.drain(), 0);
    drop(waker);
    assert!(!scheduler.wakers_out());
}

#[test]
fn wakers_outlive_the_task_and_the_scheduler_on_any_thread() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let scheduler = Scheduler::<(), ()>::with_unpark(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let ended = scheduler.spawn(yields(0));
    let alive = scheduler.spawn(yields(1));
    let wakers = [ended, alive].map(|id| scheduler.waker(id).unwrap());
    run(&scheduler);
    wakers[0].wake_by_ref();
    assert_eq!(scheduler.ready(), 0);
    let handle = scheduler.handle();
    drop(scheduler);
    wakers.iter().for_each(Waker::wake_by_ref);
    let theirs = wakers.clone();
    thread::spawn(move || theirs.into_iter().for_each(Waker::wake)).join().unwrap();
    thread::spawn(move || drop(wakers)).join().unwrap();
    handle.unpark();
    assert_eq!(calls.load(Ordering::Relaxed), 0, "nobody is left to be called");
    drop(handle);
    assert_eq!(Arc::strong_count(&calls), 1, "nothing is left behind");
}

#[test]
fn a_destructor_wakes_while_its_scheduler_is_dropped() {
    let scheduler = Scheduler::<(), ()>::new();
    let other = scheduler.spawn(yields(3));
    let waker = scheduler.waker(other).unwrap();
    let woke = log();
    let count = Rc::clone(&woke);
    scheduler.spawn(util::holding(OnDrop(move || {
        waker.wake_by_ref();
        count.borrow_mut().push(());
    })));
    drop(scheduler);
    assert_eq!(woke.borrow().len(), 1);
}

#[test]
fn a_scheduler_lives_until_its_thread_is_torn_down() {
    type Late = Box<dyn FnMut()>;
    thread_local! {
        static LATE: RefCell<Option<(Scheduler<(), ()>, Waker)>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<OnDrop<Late>>> = const { RefCell::new(None) };
    }
    let out = thread::spawn(|| {
        // Registered first, so destroyed last: by then there is no list of schedulers any more.
        LAST.with(|last| *last.borrow_mut() = Some(OnDrop(Box::new(|| ()))));
        LATE.with(|_| ());
        let scheduler = Scheduler::<(), ()>::new();
        let id = scheduler.spawn(yields(1));
        run(&scheduler);
        let waker = scheduler.waker(id).unwrap();
        let inner = scheduler.clone();
        let late = waker.clone();
        LAST.with(|last| {
            *last.borrow_mut() = Some(OnDrop(Box::new(move || {
                late.wake_by_ref();
                let drained = inner.drain();
                // On Linux; the order is not the same everywhere.
                let took_other_way = !cfg!(target_os = "linux") || drained == 1;
                assert!(took_other_way, "{drained} wakes were taken in");
                assert_eq!(run(&inner), [(id, "complete")]);
                assert_eq!(run(&Scheduler::new()), []);
            })));
        });
        LATE.with(|slot| *slot.borrow_mut() = Some((scheduler, waker.clone())));
        waker
    });
    let waker = out.join().unwrap();
    waker.wake();
}

#[test]
fn wakers_out_tells_whether_anything_can_come() {
    let scheduler = parking();
    let id = scheduler.spawn(yields(5));
    assert!(!scheduler.wakers_out());
    let waker = scheduler.waker(id).unwrap();
    assert!(scheduler.wakers_out());
    thread::spawn(move || waker.wake()).join().unwrap();
    assert!(scheduler.wakers_out(), "the wake is still on its way");
    run(&scheduler);
    assert!(!scheduler.wakers_out());
    let handle = scheduler.handle();
    assert!(scheduler.wakers_out());
    drop(handle);
    assert!(!scheduler.wakers_out());
}

#[test]
fn closures_from_other_threads_make_bodies_that_are_not_send() {
    let scheduler = parking();
    let handle = scheduler.handle();
    let sender = thread::spawn(move || {
        for _ in 0..10 {
            handle
                .spawn(|| {
                    let here = Rc::new(thread::current().id());
                    act(move |_| {
                        assert_eq!(*here, thread::current().id());
                        Step::Complete(())
                    })
                })
                .unwrap();
        }
    });
    let mut done = 0;
    while done < 10 {
        match scheduler.step() {
            Ok((_, Outcome::Complete(()))) => done += 1,
            Ok(_) => unreachable!(),
            Err(_) => thread::park(),
        }
    }
    sender.join().unwrap();
}

#[test]
fn a_spawn_beyond_the_limit_or_after_the_end_comes_back() {
    let scheduler = Scheduler::<(), ()>::new();
    let handle = scheduler.handle();
    scheduler.set_spawn_limit(2);
    let token = Arc::new(());
    let make = || {
        let token = Arc::clone(&token);
        move || util::holding(token)
    };
    assert!(handle.spawn(make()).is_ok() && handle.spawn(make()).is_ok());
    let refused = handle.spawn(make()).unwrap_err();
    assert!(matches!(refused, SpawnError::Full(_)));
    assert_eq!(
        format!("{refused:?}: {refused}"),
        "Full(..): too many spawns wait for the scheduler"
    );
    assert_eq!(scheduler.drain(), 2);
    assert!(handle.spawn(refused.into_inner()).is_ok());
    assert_eq!(Arc::strong_count(&token), 4);
    assert!(!handle.is_closed());
    drop(scheduler);
    assert!(handle.is_closed());
    assert_eq!(Arc::strong_count(&token), 1, "what was not taken in is dropped");
    let refused = handle.spawn(make()).unwrap_err();
    assert!(matches!(refused, SpawnError::Closed(_)));
}

#[test]
fn a_closure_that_panics_makes_a_task_that_panicked() {
    let scheduler = Scheduler::<(), ()>::new();
    let make = || {
        quiet_panic::<()>("closure");
        yields(0)
    };
    assert!(scheduler.handle().spawn(make).is_ok());
    assert_eq!(scheduler.drain(), 1);
    assert_eq!(run(&scheduler)[0].1, "closure");
    assert!(scheduler.is_empty());
}

#[test]
fn a_hook_is_called_after_each_sending() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let scheduler = Scheduler::<(), ()>::with_unpark(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let id = scheduler.spawn(yields(1));
    run(&scheduler);
    let waker = scheduler.waker(id).unwrap();
    waker.wake_by_ref();
    assert_eq!(calls.load(Ordering::Relaxed), 0, "not for a wake from here");
    run(&scheduler);
    let handle = scheduler.handle();
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            handle.unpark();
            handle.spawn(|| yields(0)).unwrap();
            barrier.wait();
        });
        barrier.wait();
    });
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(run(&scheduler).len(), 1);
}

#[test]
fn a_waker_is_cloned_in_step_after_step() {
    let scheduler = Scheduler::<(), ()>::new();
    let kept = log::<Waker>();
    let clones = Rc::clone(&kept);
    let id = scheduler.spawn(act(move |waker| {
        clones.borrow_mut().push(waker.clone());
        waker.wake_by_ref();
        Step::Yielded(())
    }));
    for _ in 0..4 {
        scheduler.step().expect("it woke itself");
    }
    assert!(kept.borrow().iter().all(|waker| waker.will_wake(&kept.borrow()[0])));
    scheduler.cancel(id);
    drop(scheduler);
    // The last clone gives the memory back.
    kept.borrow_mut().drain(..).for_each(Waker::wake);
}

#[test]
fn a_wake_that_gives_up_the_waker_does_so_before_the_owner_is_told() {
    let (told, news) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    // The hook lets the owner look while the waking thread is in it.
    let scheduler = Scheduler::<(), ()>::with_unpark(move || {
        told.send(()).unwrap();
        gone.lock().unwrap().recv().unwrap();
    });
    let id = scheduler.spawn(yields(5));
    run(&scheduler);
    for by_two in [false, true] {
        let waker = scheduler.waker(id).unwrap();
        let earlier = by_two.then(|| waker.clone());
        let thread = thread::spawn(move || {
            earlier.into_iter().for_each(Waker::wake);
            waker.wake();
        });
        for left in (0..=usize::from(by_two)).rev() {
            news.recv_timeout(Duration::from_secs(20)).unwrap();
            scheduler.drain();
            run(&scheduler);
            assert_eq!(scheduler.wakers_out(), left > 0, "the owner would sleep for ever");
            go.send(()).unwrap();
        }
        thread.join().unwrap();
    }
}
