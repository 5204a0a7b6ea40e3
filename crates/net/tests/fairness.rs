//! The first law: between two steps of a task, each task that was ready before it has one.

mod util;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::{select, select_all};
use net::{
    BUDGET, EventLoop, JoinHandle, ManualClock, POLL_EVERY, TaskGroup, TaskId, TaskInfo, TaskState,
    sleep, yield_now,
};
use proptest::prelude::*;
use util::{SECOND, connected, run};

/// One thing that a random task does before its next step.
#[derive(Clone, Debug)]
enum Act {
    Yield,
    Sleep(u64),
    Join(usize),
    Wake(usize),
    Spawn,
    /// Waits to be woken, but not for ever.
    Park(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Yield),
        2 => (0..4_u64).prop_map(Act::Sleep),
        1 => (0..12_usize).prop_map(Act::Join),
        3 => (0..12_usize).prop_map(Act::Wake),
        1 => Just(Act::Spawn),
        2 => (1..4_u64).prop_map(Act::Park),
    ]
}

fn scripts() -> impl Strategy<Value = Vec<Vec<Act>>> {
    prop::collection::vec(prop::collection::vec(act(), 0..12), 1..12)
}

/// What random tasks see of the queue.
struct World {
    event_loop: Weak<EventLoop>,
    /// The tasks in the order of their spawns.
    ids: RefCell<Vec<TaskId>>,
    steps: RefCell<HashMap<TaskId, u32>>,
    /// Who was ready when a task was queued, and how many steps each had had.
    before: RefCell<HashMap<TaskId, Vec<(TaskId, u32)>>>,
    handles: RefCell<Vec<Option<JoinHandle<()>>>>,
    wakers: RefCell<HashMap<TaskId, Waker>>,
    /// Whether the task that runs has been woken: it is queued at the end of its step.
    again: Cell<bool>,
}

impl World {
    fn new(event_loop: &Rc<EventLoop>) -> Rc<World> {
        Rc::new(World {
            event_loop: Rc::downgrade(event_loop),
            ids: RefCell::default(),
            steps: RefCell::default(),
            before: RefCell::default(),
            handles: RefCell::default(),
            wakers: RefCell::default(),
            again: Cell::new(false),
        })
    }

    fn tasks(&self) -> Vec<TaskInfo> {
        self.event_loop.upgrade().expect("it runs").tasks()
    }

    /// Notes that `task` is about to be queued, and who is ready already.
    fn queue(&self, task: TaskId) {
        let steps = self.steps.borrow();
        let ready = |info: &TaskInfo| info.state == TaskState::Queued && info.id != task;
        let tasks = self.tasks().into_iter().filter(ready);
        let before = tasks.map(|info| (info.id, steps[&info.id])).collect();
        self.before.borrow_mut().insert(task, before);
    }

    fn wake(&self, other: usize) {
        let Some(&id) = self.ids.borrow().get(other) else {
            return;
        };
        let Some(waker) = self.wakers.borrow().get(&id).cloned() else {
            return;
        };
        match self.tasks().into_iter().find(|info| info.id == id) {
            Some(info) if info.state == TaskState::Parked => self.queue(id),
            Some(info) if info.state == TaskState::Running => self.run_again(id),
            _ => {}
        }
        waker.wake();
    }

    /// Notes that the running task is about to be woken: the first wake fixes its place.
    fn run_again(&self, task: TaskId) {
        if !self.again.replace(true) {
            self.queue(task);
        }
    }

    /// Notes a step of `task`: everybody who was ready before it has had exactly one.
    fn step(&self, task: TaskId) {
        let before = self.before.borrow_mut().remove(&task).unwrap_or_default();
        let mut steps = self.steps.borrow_mut();
        for (other, had) in before {
            assert_eq!(steps[&other], had + 1, "{other} between two steps of {task}");
        }
        *steps.entry(task).or_default() += 1;
    }
}

/// A task that tells the world of its steps.
struct Told<F> {
    world: Rc<World>,
    number: usize,
    body: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Future for Told<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let world = Rc::clone(&self.world);
        let id = world.ids.borrow()[self.number];
        world.step(id);
        world.wakers.borrow_mut().insert(id, cx.waker().clone());
        world.again.set(false);
        let polled = self.body.as_mut().poll(cx);
        if polled.is_ready() {
            world.wakers.borrow_mut().remove(&id);
        }
        polled
    }
}

fn start(world: &Rc<World>, script: Vec<Act>) {
    let number = world.ids.borrow().len();
    let body = Box::pin(follow(Rc::clone(world), script));
    let told = Told { world: Rc::clone(world), number, body };
    let handle = net::spawn(told);
    world.ids.borrow_mut().push(handle.id());
    world.steps.borrow_mut().insert(handle.id(), 0);
    world.queue(handle.id());
    world.handles.borrow_mut().push(Some(handle));
}

async fn follow(world: Rc<World>, script: Vec<Act>) {
    for act in script {
        match act {
            Act::Yield => {
                let running = |info: &TaskInfo| info.state == TaskState::Running;
                let me = world.tasks().into_iter().find(running);
                world.run_again(me.expect("a task runs").id);
                yield_now().await;
            }
            Act::Sleep(millis) => sleep(Duration::from_millis(millis)).await,
            Act::Join(other) => join(&world, other).await,
            Act::Wake(other) => world.wake(other),
            Act::Spawn => start(&world, vec![Act::Yield, Act::Wake(0), Act::Yield]),
            Act::Park(millis) => {
                let woken = Once(false);
                let _ = net::timeout(Duration::from_millis(millis), woken).await;
            }
        }
    }
}

async fn join(world: &World, other: usize) {
    let handle = world.handles.borrow_mut().get_mut(other).and_then(Option::take);
    if let Some(handle) = handle {
        let _ = net::timeout(Duration::from_millis(3), handle).await;
    }
}

/// Pending once.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_was_ready_first_has_exactly_one_step(scripts in scripts()) {
        let event_loop = Rc::new(EventLoop::manual().0);
        let world = World::new(&event_loop);
        event_loop.enter(|| scripts.into_iter().for_each(|script| start(&world, script)));
        event_loop.run().expect("every wait ends");
        let failed = world.handles.borrow_mut().drain(..).flatten().find_map(|mut handle| {
            handle.try_join().and_then(Result::err).map(|error| error.to_string())
        });
        prop_assert_eq!(failed, None);
        world.wakers.take();
    }
}

/// How many steps a task takes for `operations` that are all ready at once.
fn steps_of<F: Future<Output = ()> + 'static>(body: impl FnOnce() -> F) -> u32 {
    let (event_loop, _) = EventLoop::manual();
    let steps = Rc::new(Cell::new(0));
    let seen = Rc::clone(&steps);
    let mut body = Box::pin(event_loop.enter(body));
    event_loop
        .run_until(std::future::poll_fn(move |cx| {
            seen.set(seen.get() + 1);
            body.as_mut().poll(cx)
        }))
        .expect("a run");
    steps.get()
}

#[test]
fn a_leaf_that_is_always_ready_gives_up_the_turn_with_the_budget() {
    for (operations, steps) in [(BUDGET, 1), (BUDGET + 1, 2), (10 * BUDGET, 10)] {
        let zero_sleeps = steps_of(|| async move {
            for _ in 0..operations {
                sleep(Duration::ZERO).await;
            }
        });
        assert_eq!(zero_sleeps, steps, "sleeps");
        let groups = steps_of(|| async move {
            let mut group = TaskGroup::<std::io::Error>::new();
            for _ in 0..operations {
                group.wait().await.expect("it is empty");
            }
        });
        assert_eq!(groups, steps, "group waits");
    }
}

#[test]
fn joining_many_finished_tasks_gives_up_the_turn_with_the_budget() {
    let (event_loop, _) = EventLoop::manual();
    let finished: Vec<_> = (0..3 * BUDGET).map(|_| event_loop.spawn(async {})).collect();
    event_loop.run().expect("a run");
    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    let mut joins = Box::pin(async move {
        for task in finished {
            task.await.expect("it ended");
        }
    });
    let joined = event_loop.run_until(std::future::poll_fn(move |cx| {
        counted.set(counted.get() + 1);
        joins.as_mut().poll(cx)
    }));
    joined.expect("a run");
    assert_eq!(steps.get(), 3);
}

#[test]
fn ticks_that_are_due_give_up_the_turn_with_the_budget() {
    let (event_loop, clock) = EventLoop::manual();
    let other = event_loop.spawn(yield_now());
    let ticking = event_loop.spawn(async move {
        let mut beat = net::interval(SECOND);
        loop {
            beat.tick().await;
            clock.advance(SECOND);
            // The lap's time does not move, so that nothing here waits.
            sleep(Duration::ZERO).await;
        }
    });
    for _ in 0..3 {
        event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    }
    assert!(other.is_finished() && !ticking.is_finished());
}

/// Turns of a loop in which a task never waits, until `task` has ended.
fn turns_until(event_loop: &EventLoop, task: &JoinHandle<()>, bound: usize) -> usize {
    for turns in 1..=bound {
        event_loop.turn(None).expect("a turn");
        if task.is_finished() {
            return turns;
        }
    }
    panic!("starved for {bound} turns")
}

fn busy(event_loop: &EventLoop) -> (JoinHandle<()>, Rc<Cell<usize>>) {
    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    let task = event_loop.spawn(async move {
        loop {
            counted.set(counted.get() + 1);
            yield_now().await;
        }
    });
    (task, steps)
}

#[test]
fn a_task_that_never_waits_cannot_starve_a_timer() {
    let (event_loop, clock): (EventLoop, ManualClock) = EventLoop::manual();
    let (_busy, steps) = busy(&event_loop);
    let timer = event_loop.spawn(async { sleep(SECOND).await });
    event_loop.turn(Some(Duration::ZERO)).expect("a turn");
    clock.advance(SECOND);
    let before = steps.get();
    turns_until(&event_loop, &timer, 1);
    assert!(steps.get() - before <= POLL_EVERY);
}

#[test]
fn a_task_that_never_waits_cannot_starve_a_socket() {
    let event_loop = EventLoop::new().expect("a loop");
    let (mut near, mut far) = run(&event_loop, connected());
    let (_busy, steps) = busy(&event_loop);
    let reader = event_loop.spawn(async move {
        let news = near.chunk().await;
        assert!(news.expect("a read").is_some());
    });
    event_loop.turn(None).expect("a turn");
    event_loop.enter(|| far.try_write(b"news")).expect("room");
    let before = steps.get();
    let turns = turns_until(&event_loop, &reader, 1000);
    assert!(steps.get() - before <= turns * POLL_EVERY);
}

#[test]
fn a_long_lap_polls_the_selector_once() {
    let (event_loop, clock) = EventLoop::manual();
    let tasks = 3 * POLL_EVERY;
    let all: Vec<_> = (0..tasks).map(|_| busy(&event_loop).1).collect();
    let timer = event_loop.spawn(async { sleep(SECOND).await });
    event_loop.turn(None).expect("a turn");
    assert!(all.iter().all(|steps| steps.get() == 1));
    clock.advance(SECOND);
    event_loop.turn(None).expect("a turn");
    // It came to the end of the lap.
    assert!(all.iter().all(|steps| steps.get() == 2));
    event_loop.turn(None).expect("a turn");
    assert!(timer.is_finished());
}

#[test]
fn a_stream_that_is_always_ready_gives_up_the_turn() {
    let event_loop = EventLoop::new().expect("a loop");
    let (mut near, mut far) = run(&event_loop, connected());
    let (steps, counted) = (Rc::new(Cell::new(0)), 4 * BUDGET);
    event_loop.enter(|| far.try_write(&vec![1; counted as usize])).expect("room");
    let seen = Rc::clone(&steps);
    let mut reading = Box::pin(async move {
        for _ in 0..counted {
            assert_eq!(near.read(&mut [0]).await.expect("a byte"), 1);
        }
    });
    run(
        &event_loop,
        std::future::poll_fn(move |cx| {
            seen.set(seen.get() + 1);
            reading.as_mut().poll(cx)
        }),
    );
    assert!(steps.get() >= 4, "{} steps", steps.get());
}

#[test]
fn waits_that_go_on_spend_nothing() {
    let (event_loop, clock) = EventLoop::manual();
    let start = clock.now();
    let held = || event_loop.spawn(std::future::pending::<()>());
    let joins: Vec<_> = (0..2 * BUDGET).map(|_| held()).collect();
    let task = event_loop.spawn(async move {
        let sleeps = (1..=2 * BUDGET).rev().map(|seconds| sleep(seconds * SECOND));
        select_all(sleeps).await;
        select(select_all(joins), sleep(SECOND)).await;
    });
    // The soonest brings it back, and it has no turns meanwhile.
    turns_until(&event_loop, &task, 3);
    assert_eq!(clock.now() - start, 2 * SECOND);
}
