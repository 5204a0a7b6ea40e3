//! Random programs of spawns, wakes, cancellations, ends and panics, from outside, from steps and
//! from destructors, run by the scheduler and by a naive model of it.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p sched --test model` for a long run.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Waker;
use std::thread::{self, ThreadId};

use generator::{Resumable, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use sched::{Cancel, Outcome, Scheduler, StepError, TaskId, TaskState};

/// Tasks are known by the order in which they were spawned.
type Number = usize;

#[derive(Clone, Debug)]
enum Op {
    Spawn(usize),
    Wake(Number),
    Cancel(Number),
}

#[derive(Clone, Debug)]
struct Script {
    steps: Vec<Vec<Op>>,
    panics: bool,
    on_drop: Vec<Op>,
}

#[derive(Clone, Debug)]
enum Outer {
    Step,
    /// Step, and at once wake the task that was stepped.
    Again,
    Do(Op),
}

#[derive(Clone, Debug, PartialEq)]
enum Event {
    Spawned(Number),
    Woken(Number, bool),
    Cancelled(Number, Cancel),
    Dropped(Number),
    Stepped(Number, &'static str),
    Idle,
}

const TASKS: usize = 40;

struct World {
    scheduler: Scheduler<(), ()>,
    scripts: Vec<Script>,
    ids: RefCell<Vec<TaskId>>,
    events: RefCell<Vec<Event>>,
    home: ThreadId,
}

struct Body {
    world: Rc<World>,
    number: Number,
    script: usize,
    at: usize,
}

impl World {
    fn apply(self: &Rc<World>, op: &Op) {
        let tasks = self.ids.borrow().len();
        let event = match *op {
            Op::Spawn(script) if tasks < TASKS => {
                let script = script % self.scripts.len();
                let body = Body { world: Rc::clone(self), number: tasks, script, at: 0 };
                self.ids.borrow_mut().push(self.scheduler.spawn(body));
                Event::Spawned(tasks)
            }
            Op::Wake(number) if tasks > 0 => {
                let id = self.ids.borrow()[number % tasks];
                Event::Woken(number % tasks, self.scheduler.wake(id))
            }
            Op::Cancel(number) if tasks > 0 => {
                let id = self.ids.borrow()[number % tasks];
                Event::Cancelled(number % tasks, self.scheduler.cancel(id))
            }
            _ => return,
        };
        self.events.borrow_mut().push(event);
    }

    fn step(&self) -> Option<Number> {
        let (event, number) = match self.scheduler.step() {
            Err(error) => {
                assert_eq!(error, StepError::Idle);
                (Event::Idle, None)
            }
            Ok((id, outcome)) => {
                let number = self.ids.borrow().iter().position(|&other| other == id).unwrap();
                let word = match outcome {
                    Outcome::Yielded(()) => "yielded",
                    Outcome::Complete(()) => "complete",
                    Outcome::Joined => "joined",
                    Outcome::Cancelled => "cancelled",
                    Outcome::Panicked(_) => "panicked",
                };
                (Event::Stepped(number, word), Some(number))
            }
        };
        self.events.borrow_mut().push(event);
        number
    }
}

impl Resumable<&Waker> for Body {
    type Yield = ();
    type Return = ();

    fn resume(mut self: Pin<&mut Self>, _: &Waker) -> Step<(), ()> {
        let world = Rc::clone(&self.world);
        let script = &world.scripts[self.script];
        assert_eq!(world.scheduler.running(), Some(world.ids.borrow()[self.number]));
        assert!(matches!(world.scheduler.step(), Err(StepError::Nested)));
        if let Some(ops) = script.steps.get(self.at) {
            self.at += 1;
            ops.iter().for_each(|op| world.apply(op));
        }
        match (self.at < script.steps.len(), script.panics) {
            (true, _) => Step::Yielded(()),
            (false, false) => Step::Complete(()),
            (false, true) => resume_unwind(Box::new("scripted")),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        assert_eq!(thread::current().id(), self.world.home);
        self.world.events.borrow_mut().push(Event::Dropped(self.number));
        let world = Rc::clone(&self.world);
        world.scripts[self.script].on_drop.iter().for_each(|op| world.apply(op));
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Queued,
    Parked,
    Running { woken: bool, cancelled: bool },
    Gone,
}

/// The same with a list that is searched.
#[derive(Default)]
struct Model {
    scripts: Vec<Script>,
    tasks: Vec<ModelTask>,
    queue: Vec<Number>,
    events: Vec<Event>,
}

struct ModelTask {
    script: usize,
    at: usize,
    state: State,
    /// Which tasks were ready when this one was queued, and have had neither a step nor an end since.
    before: HashSet<Number>,
}

impl Model {
    fn enqueue(&mut self, number: Number) {
        let state = &mut self.tasks[number].state;
        match state {
            // A wake during the task's own step counts from that moment.
            State::Running { woken, .. } => *woken = true,
            _ => *state = State::Queued,
        }
        self.tasks[number].before = self.queue.iter().copied().collect();
        self.queue.push(number);
    }

    fn apply(&mut self, op: &Op) {
        let tasks = self.tasks.len();
        let event = match *op {
            Op::Spawn(script) if tasks < TASKS => {
                let script = script % self.scripts.len();
                let (state, before) = (State::Gone, HashSet::new());
                self.tasks.push(ModelTask { script, at: 0, state, before });
                self.enqueue(tasks);
                Event::Spawned(tasks)
            }
            Op::Wake(number) if tasks > 0 => {
                Event::Woken(number % tasks, self.wake(number % tasks))
            }
            Op::Cancel(number) if tasks > 0 => {
                let number = number % tasks;
                let result = self.cancel(number);
                Event::Cancelled(number, result)
            }
            _ => return,
        };
        self.events.push(event);
    }

    fn wake(&mut self, number: Number) -> bool {
        match &mut self.tasks[number].state {
            State::Running { cancelled: false, woken: false } | State::Parked => {
                self.enqueue(number);
                true
            }
            State::Running { cancelled, .. } => !*cancelled,
            State::Queued => true,
            State::Gone => false,
        }
    }

    fn cancel(&mut self, number: Number) -> Cancel {
        match &mut self.tasks[number].state {
            State::Parked | State::Queued => {
                self.end(number);
                Cancel::Dropped
            }
            State::Running { cancelled, .. } => {
                *cancelled = true;
                self.queue.retain(|&other| other != number);
                Cancel::Deferred
            }
            State::Gone => Cancel::Stale,
        }
    }

    fn end(&mut self, number: Number) {
        self.tasks[number].state = State::Gone;
        self.queue.retain(|&other| other != number);
        self.tasks.iter_mut().for_each(|task| {
            task.before.remove(&number);
        });
        self.events.push(Event::Dropped(number));
        let ops = self.scripts[self.tasks[number].script].on_drop.clone();
        ops.iter().for_each(|op| self.apply(op));
    }

    fn step(&mut self) -> Option<Number> {
        if self.queue.is_empty() {
            self.events.push(Event::Idle);
            return None;
        }
        let number = self.queue.remove(0);
        // Law 1: whoever was ready when it was queued has had its step, or has ended.
        assert!(self.tasks[number].before.is_empty());
        for task in self.tasks.iter_mut().filter(|task| task.state == State::Queued) {
            task.before.remove(&number);
        }
        self.tasks[number].state = State::Running { woken: false, cancelled: false };
        let script = self.scripts[self.tasks[number].script].clone();
        let at = self.tasks[number].at;
        if let Some(ops) = script.steps.get(at) {
            self.tasks[number].at += 1;
            ops.iter().for_each(|op| self.apply(op));
        }
        let more = self.tasks[number].at < script.steps.len();
        let word = match (more, script.panics, self.tasks[number].state) {
            (true, _, State::Running { cancelled: false, woken }) => {
                self.tasks[number].state = if woken { State::Queued } else { State::Parked };
                "yielded"
            }
            (true, ..) => {
                self.end(number);
                "cancelled"
            }
            (false, panics, _) => {
                self.end(number);
                if panics { "panicked" } else { "complete" }
            }
        };
        self.events.push(Event::Stepped(number, word));
        Some(number)
    }
}

fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => any::<usize>().prop_map(Op::Spawn),
        5 => any::<usize>().prop_map(Op::Wake),
        2 => any::<usize>().prop_map(Op::Cancel),
    ];
    vec(op, 0..most)
}

fn script() -> impl Strategy<Value = Script> {
    (vec(ops(4), 0..5), prop::bool::weighted(0.1), ops(3))
        .prop_map(|(steps, panics, on_drop)| Script { steps, panics, on_drop })
}

fn outer() -> impl Strategy<Value = Outer> {
    prop_oneof![
        4 => Just(Outer::Step),
        4 => Just(Outer::Again),
        3 => ops(2).prop_map(|ops| ops.into_iter().next().map_or(Outer::Step, Outer::Do)),
    ]
}

/// Everything that one can see from outside agrees.
fn compare(world: &World, model: &Model) {
    assert_eq!(*world.events.borrow(), model.events);
    assert_eq!(world.scheduler.ready(), model.queue.len());
    let alive = model.tasks.iter().filter(|task| task.state != State::Gone).count();
    assert_eq!(world.scheduler.len(), alive);
    for (task, &id) in model.tasks.iter().zip(world.ids.borrow().iter()) {
        let expected = match task.state {
            State::Queued => Some(TaskState::Queued),
            State::Parked => Some(TaskState::Parked),
            State::Running { .. } => Some(TaskState::Running),
            State::Gone => None,
        };
        assert_eq!(world.scheduler.state(id), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_scheduler_does_what_the_model_does(
        scripts in vec(script(), 1..5),
        program in vec(outer(), 0..80),
    ) {
        let world = Rc::new(World {
            scheduler: Scheduler::new(),
            scripts: scripts.clone(),
            ids: RefCell::default(),
            events: RefCell::default(),
            home: thread::current().id(),
        });
        let mut model = Model { scripts, ..Model::default() };
        for outer in &program {
            match outer {
                Outer::Step => {
                    world.step();
                    model.step();
                }
                Outer::Again => {
                    if let Some(number) = world.step() {
                        world.apply(&Op::Wake(number));
                    }
                    if let Some(number) = model.step() {
                        model.apply(&Op::Wake(number));
                    }
                }
                Outer::Do(op) => {
                    world.apply(op);
                    model.apply(op);
                }
            }
            compare(&world, &model);
        }
        // Once clears up to 16 generations of tasks that destructors spawn.
        for _ in 0..TASKS / 16 + 1 {
            world.scheduler.clear();
        }
        prop_assert!(world.scheduler.is_empty());

        let ids = world.ids.borrow();
        prop_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "ids alias");
        for number in 0..ids.len() {
            let events = world.events.borrow();
            let drops = events.iter().filter(|event| **event == Event::Dropped(number)).count();
            prop_assert_eq!(drops, 1, "destructor of {}", number);
        }
        prop_assert_eq!(Rc::strong_count(&world), 1, "a body is left");
    }
}
