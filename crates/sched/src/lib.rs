//! A fair round-robin run queue of resumable tasks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crossbeam_queue::SegQueue;
use generator::{Resumable, Step};

type Body<Y, T> = Pin<Box<dyn for<'w> Resumable<&'w Waker, Yield = Y, Return = T>>>;

/// A task's number, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId(usize);

/// What a step brought.
#[derive(Debug)]
pub enum Outcome<Y, T> {
    /// The task asks for something.
    Yielded(Y),
    /// The task ended.
    Complete(T),
}

/// The run queue.
pub struct Scheduler<Y, T = ()> {
    core: Rc<Core<Y, T>>,
}

struct Core<Y, T> {
    bodies: RefCell<Vec<Option<Body<Y, T>>>>,
    queue: RefCell<VecDeque<TaskId>>,
    woken: Arc<SegQueue<TaskId>>,
}

struct TaskWaker(TaskId, Arc<SegQueue<TaskId>>);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.1.push(self.0);
    }
}

impl<Y, T> Scheduler<Y, T> {
    /// An empty queue.
    pub fn new() -> Self {
        let core = Core {
            bodies: RefCell::default(),
            queue: RefCell::default(),
            woken: Arc::default(),
        };
        Scheduler {
            core: Rc::new(core),
        }
    }

    /// Adds a task at the end of the queue.
    pub fn spawn<B>(&self, body: B) -> TaskId
    where
        B: for<'w> Resumable<&'w Waker, Yield = Y, Return = T> + 'static,
    {
        let mut bodies = self.core.bodies.borrow_mut();
        let task = TaskId(bodies.len());
        bodies.push(Some(Box::pin(body)));
        self.core.queue.borrow_mut().push_back(task);
        task
    }

    /// Resumes the first task of the queue.
    pub fn step(&self) -> Option<(TaskId, Outcome<Y, T>)> {
        while let Some(task) = self.core.woken.pop() {
            self.wake(task);
        }
        let task = self.core.queue.borrow_mut().pop_front()?;
        let mut body = self.core.bodies.borrow_mut()[task.0].take()?;
        let waker = Waker::from(Arc::new(TaskWaker(task, Arc::clone(&self.core.woken))));
        Some((
            task,
            match body.as_mut().resume(&waker) {
                Step::Yielded(ask) => {
                    self.core.bodies.borrow_mut()[task.0] = Some(body);
                    Outcome::Yielded(ask)
                }
                Step::Complete(value) => Outcome::Complete(value),
            },
        ))
    }

    /// Queues a task.
    pub fn wake(&self, task: TaskId) {
        let mut queue = self.core.queue.borrow_mut();
        if !queue.contains(&task) {
            queue.push_back(task);
        }
    }

    /// How many tasks are queued.
    pub fn ready(&self) -> usize {
        self.core.queue.borrow().len()
    }
}

impl<Y, T> Default for Scheduler<Y, T> {
    fn default() -> Self {
        Scheduler::new()
    }
}

impl<Y, T> fmt::Debug for Scheduler<Y, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("ready", &self.ready())
            .finish()
    }
}
