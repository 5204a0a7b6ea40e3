//! Timers: never early, exact on a manual clock, bounded, and cancelled with their futures.

mod util;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use net::{Elapsed, EventLoop, JoinHandle, ManualClock, Sleep, WaitKind, interval, now, sleep};
use proptest::prelude::*;
use util::{Drops, Log, SECOND, hold, stuck};

fn turn(event_loop: &EventLoop) {
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
}

/// The time that `future` takes by the manual clock.
fn time_of<F: Future + 'static>(make: impl FnOnce() -> F) -> (F::Output, Duration) {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let future = event_loop.enter(make);
    let output = event_loop.run_until(future).expect("a run");
    (output, clock.now() - start)
}

#[test]
fn a_sleep_takes_exactly_its_time() {
    for nanos in [0, 1, 999, 1_000_000_007] {
        let duration = Duration::from_nanos(nanos);
        let (seen, passed) = time_of(|| async move {
            let start = now();
            sleep(duration).await;
            now() - start
        });
        assert_eq!((seen, passed), (duration, duration));
    }
}

#[test]
fn a_sleep_is_never_early_by_the_systems_clock() {
    let event_loop = EventLoop::new().expect("a loop");
    let late = util::run(&event_loop, async {
        let start = Instant::now();
        let micros = [1, 300, 999, 1001, 2500].map(Duration::from_micros);
        let mut sleeps = Vec::new();
        for duration in micros {
            sleeps.push(net::spawn(async move {
                let start = Instant::now();
                sleep(duration).await;
                start.elapsed() >= duration
            }));
        }
        for sleep in sleeps {
            assert!(sleep.await.expect("no panic"), "early");
        }
        start.elapsed()
    });
    assert!(late >= Duration::from_micros(2500));
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    let (event_loop, _) = EventLoop::manual();
    let log = Log::default();
    for (name, seconds) in [('c', 3), ('a', 1), ('b', 2)] {
        let log = log.clone();
        drop(event_loop.spawn(async move {
            sleep(seconds * SECOND).await;
            log.push(name);
        }));
    }
    event_loop.run().expect("a run");
    assert_eq!(log.take(), ['a', 'b', 'c']);
}

#[test]
fn nothing_fires_before_its_last_nanosecond() {
    let (event_loop, clock) = EventLoop::manual();
    let task = event_loop.spawn(async { sleep(SECOND).await });
    turn(&event_loop);
    clock.advance(SECOND - Duration::from_nanos(1));
    turn(&event_loop);
    assert!(!task.is_finished());
    clock.advance(Duration::from_nanos(1));
    turn(&event_loop);
    assert!(task.is_finished());
}

#[test]
fn a_deadline_in_the_past_is_ready_at_once() {
    let (_, passed) = time_of(|| async {
        net::sleep_until(now() - SECOND).await;
        net::sleep_until(now()).await;
    });
    assert_eq!(passed, Duration::ZERO);
}

#[test]
fn a_sleep_that_is_dropped_is_cancelled() {
    let (event_loop, _) = EventLoop::manual();
    let task = event_loop.spawn(async {
        let mut pending = Box::pin(sleep(SECOND));
        std::future::poll_fn(|cx| {
            assert!(pending.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        hold(pending).await;
    });
    turn(&event_loop);
    assert_eq!(event_loop.stats().timers, 1);
    assert!(task.cancel());
    assert_eq!((event_loop.stats().timers, event_loop.next_deadline()), (0, None));
}

#[test]
fn a_sleep_polled_again_sets_no_second_timer() {
    let (event_loop, _) = EventLoop::manual();
    let mut pending = event_loop.enter(|| sleep(SECOND));
    for _ in 0..3 {
        let polled = Pin::new(&mut pending).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        assert_eq!(event_loop.stats().timers, 1);
    }
}

#[test]
fn a_sleep_may_move_to_another_task() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let woken = event_loop.run_until(async {
        let mut pending = sleep(SECOND);
        std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut pending).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        net::spawn(pending).await.expect("it ends");
    });
    woken.expect("a run");
    assert_eq!(clock.now() - start, SECOND);
}

#[test]
fn the_longest_sleep_never_ends_and_is_no_panic() {
    let (event_loop, _) = EventLoop::manual();
    let task = event_loop.spawn(async {
        let long = sleep(Duration::MAX);
        assert_eq!(long.deadline(), None);
        long.await;
    });
    let waits = stuck(event_loop.run());
    assert_eq!(waits[0].id, task.id());
    assert_eq!(event_loop.stats().timers, 0);
    assert!(task.cancel());
    let tick = event_loop.run_until(async {
        let timed = net::timeout(Duration::MAX, async { 1 }).await;
        let mut rare = interval(Duration::MAX);
        (timed, rare.tick().await == now())
    });
    assert_eq!(tick.expect("a run"), (Ok(1), true));
}

#[test]
fn a_long_sleep_of_the_system_is_no_panic_either() {
    let event_loop = EventLoop::new().expect("a loop");
    for seconds in [1 << 31, 1 << 40, 1 << 62] {
        drop(event_loop.spawn(async move { sleep(Duration::from_secs(seconds)).await }));
    }
    turn(&event_loop);
    util::run(&event_loop, sleep_milli());
}

async fn sleep_milli() {
    sleep(Duration::from_millis(1)).await;
}

#[test]
fn a_timeout_cuts_any_future_short_and_drops_it() {
    let drops = Drops::default();
    let token = drops.token();
    let (cut, passed) = time_of(|| net::timeout(SECOND, hold(token)));
    assert_eq!((cut, passed, drops.count()), (Err(Elapsed), SECOND, 1));
    assert_eq!(std::io::Error::from(Elapsed).kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn a_timeout_lets_through_what_comes_in_time() {
    let (value, passed) = time_of(|| {
        net::timeout(2 * SECOND, async {
            sleep(SECOND).await;
            5
        })
    });
    assert_eq!((value, passed), (Ok(5), SECOND));
}

#[test]
fn what_is_ready_when_its_time_is_up_is_in_time() {
    let (value, passed) = time_of(|| {
        net::timeout(SECOND, async {
            sleep(SECOND).await;
            5
        })
    });
    assert_eq!((value, passed), (Ok(5), SECOND));
}

#[test]
fn an_interval_leaves_out_missed_moments_and_does_not_drift() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let ticks = event_loop.run_until(async move {
        let mut beat = interval(10 * SECOND);
        let mut ticks = Vec::new();
        for late in [0, 3, 0, 25, 0, 10, 0] {
            clock.advance(late * SECOND);
            let tick = beat.tick().await;
            ticks.push(((tick - start).as_secs(), (clock.now() - start).as_secs()));
        }
        ticks
    });
    let expected = [(0, 0), (10, 10), (20, 20), (40, 45), (50, 50), (60, 60), (70, 70)];
    assert_eq!(ticks.expect("a run"), expected);
}

#[test]
fn an_interval_survives_more_missed_moments_than_fit_in_32_bits() {
    let (event_loop, clock) = EventLoop::manual();
    let watch = clock.clone();
    let (first, second) = event_loop
        .run_until(async move {
            let mut beat = interval(Duration::from_nanos(1));
            beat.tick().await;
            watch.advance(7 * SECOND);
            (beat.tick().await, beat.tick().await)
        })
        .expect("a run");
    assert_eq!(
        (clock.now() - first, clock.now() - second),
        (Duration::from_nanos(1), Duration::ZERO)
    );
}

#[test]
fn a_tick_that_is_dropped_loses_nothing() {
    let (ticks, passed) = time_of(|| async {
        let start = now();
        let mut beat = interval(10 * SECOND);
        beat.tick().await;
        assert!(net::timeout(SECOND, beat.tick()).await.is_err());
        beat.tick().await - start
    });
    assert_eq!((ticks, passed), (10 * SECOND, 10 * SECOND));
}

#[test]
fn a_million_timers_set_and_cancelled_leave_nothing() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let most = event_loop.run_until(async {
        let mut most = 0;
        for round in 0..1_000_000_u32 {
            let mut timer = sleep(SECOND + Duration::from_nanos(u64::from(round)));
            let polled = Pin::new(&mut timer).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending() || round % net::BUDGET == 63);
            if round % 60 == 0 {
                net::yield_now().await;
            }
            most = most.max(usize::from(timer.deadline().is_some()));
        }
        most
    });
    assert_eq!(most.expect("a run"), 1);
    assert_eq!((event_loop.stats().timers, event_loop.next_deadline()), (0, None));
    assert_eq!(clock.now(), start);
}

#[test]
fn a_hundred_thousand_sleepers_end_in_as_many_steps() {
    const SLEEPERS: u32 = 100_000;
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    for index in 0..SLEEPERS {
        let millis = u64::from(index.wrapping_mul(2_654_435_761) % 1000);
        drop(event_loop.spawn(async move { sleep(Duration::from_millis(millis)).await }));
    }
    turn(&event_loop);
    assert!(event_loop.stats().timers > 99_000);
    let mut turns = 0;
    while event_loop.turn(None).expect("a turn") {
        turns += 1;
    }
    assert!(turns <= 1000, "one turn for each millisecond: {turns}");
    assert_eq!(clock.now() - start, Duration::from_millis(999));
}

#[test]
fn a_sleep_is_listed_with_its_deadline() {
    let (event_loop, clock) = EventLoop::manual();
    let deadline = clock.now() + SECOND;
    drop(event_loop.spawn(async { sleep(SECOND).await }));
    turn(&event_loop);
    let wait = event_loop.tasks()[0].waits[0].clone();
    assert_eq!(wait.kind, WaitKind::Deadline(deadline));
}

/// What a random test does with the timers of a loop.
#[derive(Clone, Debug)]
enum Act {
    Set(u64),
    Cancel(usize),
    Advance(u64),
    Turn,
    Jump,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..50_u64).prop_map(Act::Set),
        2 => (0..20_usize).prop_map(Act::Cancel),
        2 => (0..30_u64).prop_map(Act::Advance),
        2 => Just(Act::Turn),
        1 => Just(Act::Jump),
    ];
    prop::collection::vec(act, 1..120)
}

/// The loop under test beside a sorted map that says what it should do.
struct Model {
    event_loop: EventLoop,
    clock: ManualClock,
    fired: Rc<RefCell<Vec<usize>>>,
    tasks: Vec<JoinHandle<()>>,
    /// Deadline and number of every timer that has to fire.
    set: BTreeMap<(Instant, usize), ()>,
}

impl Model {
    fn new() -> Model {
        let (event_loop, clock) = EventLoop::manual();
        Model { event_loop, clock, fired: Rc::default(), tasks: Vec::new(), set: BTreeMap::new() }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Set(millis) => self.set(Duration::from_millis(millis)),
            Act::Cancel(index) => self.cancel(index),
            Act::Advance(millis) => self.clock.advance(Duration::from_millis(millis)),
            Act::Turn => self.turn(Some(Duration::ZERO)),
            Act::Jump if self.set.is_empty() => {}
            Act::Jump => self.turn(None),
        }
        self.check();
    }

    fn set(&mut self, after: Duration) {
        // A new task would have its step before those whose time has come.
        self.turn(Some(Duration::ZERO));
        self.check();
        let number = self.tasks.len();
        let fired = Rc::clone(&self.fired);
        let timer: Sleep = self.event_loop.enter(|| sleep(after));
        self.set.insert((self.clock.now() + after, number), ());
        self.tasks.push(self.event_loop.spawn(async move {
            timer.await;
            fired.borrow_mut().push(number);
        }));
        // Its first step sets it.
        self.turn(Some(Duration::ZERO));
    }

    fn cancel(&mut self, index: usize) {
        if self.tasks.is_empty() {
            return;
        }
        let number = index % self.tasks.len();
        let known = self.set.len();
        self.set.retain(|(_, set), ()| *set != number);
        assert_eq!(self.tasks[number].cancel(), self.set.len() < known);
    }

    fn turn(&mut self, timeout: Option<Duration>) {
        if timeout.is_none() {
            let (next, _) = *self.set.keys().next().expect("one is set");
            let deadline = self.event_loop.next_deadline();
            assert_eq!(deadline, Some(next));
        }
        self.event_loop.turn(timeout).expect("a turn");
    }

    fn check(&mut self) {
        let now = self.clock.now();
        let mut latest = None;
        for number in self.fired.take() {
            let due = self.set.keys().find(|(_, set)| *set == number);
            let &(deadline, number) = due.expect("it was set, and not cancelled");
            assert!(deadline <= now, "early by {:?}", deadline - now);
            assert!(latest <= Some(deadline), "out of order");
            latest = Some(deadline);
            self.set.remove(&(deadline, number));
        }
        assert_eq!(self.event_loop.stats().timers, self.set.len());
    }

    fn finish(mut self) {
        self.turn(Some(Duration::ZERO));
        self.check();
        assert!(self.set.keys().all(|(at, _)| *at > self.clock.now()));
        self.event_loop.run().expect("a run");
        self.check();
        assert!(self.set.is_empty());
    }
}

#[test]
fn the_time_of_day_is_the_same_for_all_of_a_lap_and_follows_the_clock() {
    let (event_loop, clock) = EventLoop::manual();
    let day = |event_loop: &EventLoop| {
        let days = Log::default();
        for _ in 0..2 {
            let (days, clock) = (days.clone(), clock.clone());
            drop(event_loop.spawn(async move {
                days.push(net::time_of_day().duration_since(SystemTime::UNIX_EPOCH).unwrap());
                clock.advance(SECOND);
            }));
        }
        turn(event_loop);
        days.take()
    };
    assert_eq!(day(&event_loop), [Duration::ZERO; 2]);
    assert_eq!(day(&event_loop), [2 * SECOND; 2]);
}

#[test]
fn the_time_of_day_is_the_system_s() {
    let before = SystemTime::now();
    let told = EventLoop::new().unwrap().run_until(async { net::time_of_day() }).unwrap();
    assert!(before <= told && told <= SystemTime::now());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn timers_agree_with_a_sorted_map(acts in acts()) {
        let mut model = Model::new();
        for act in acts {
            model.act(act);
        }
        model.finish();
    }
}

#[test]
fn a_timeout_ends_a_future_that_is_always_busy() {
    let event_loop = EventLoop::new().unwrap();
    let ended = util::run(&event_loop, async {
        let past = net::now();
        let busy = async move {
            loop {
                net::sleep_until(past).await;
            }
        };
        net::timeout(Duration::from_millis(5), busy).await
    });
    assert_eq!(ended, Err::<(), _>(net::Elapsed));
}

#[test]
fn equal_deadlines_fire_in_the_order_in_which_they_were_set() {
    let (event_loop, _clock) = EventLoop::manual();
    let fired = util::run(&event_loop, async {
        let at = net::now() + Duration::from_secs(5);
        // Slots that are free again, in the reverse order.
        for _ in 0..2 {
            let mut early = [net::sleep_until(at), net::sleep_until(at)];
            for sleep in &mut early {
                assert!(futures_util::poll!(sleep).is_pending());
            }
        }
        let fired = Rc::<RefCell<Vec<i32>>>::default();
        let sleeper = |number| {
            let fired = Rc::clone(&fired);
            net::spawn(async move {
                net::sleep_until(at).await;
                fired.borrow_mut().push(number);
            })
        };
        let sleepers: Vec<_> = (0..3).map(sleeper).collect();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        fired.take()
    });
    assert_eq!(fired, [0, 1, 2]);
}
