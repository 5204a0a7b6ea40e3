//! Who is there, and what each waits for since when.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Context;
use std::time::{Duration, Instant};

use sched::{TaskId, TaskState};

use crate::ask::Direction;
use crate::core::{Core, current, here};
use crate::family::Address;
use crate::source::{Source, Waiter};

/// A task as [`EventLoop::tasks`](crate::EventLoop::tasks) lists it.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// The name it was given.
    pub name: Option<Cow<'static, str>>,
    /// Whether it is queued, running or parked.
    pub state: TaskState,
    /// What it waits for. A parked task waits at least for a [`WaitKind::Waker`].
    pub waits: Vec<Wait>,
}

/// One thing that a task waits for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What it is.
    pub kind: WaitKind,
    /// When the wait began; `None` where only the holder of the waker could tell.
    pub since: Option<Instant>,
    /// How long that was at the time of the listing.
    pub lasted: Duration,
}

/// What a task can wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitKind {
    /// Readiness of a socket, or of the source of a `Pollable`, which mostly has no address.
    Socket {
        /// Reading or writing.
        direction: Direction,
        /// This side's address, where the socket has one.
        local: Option<Address>,
        /// The other side's address, where there is one.
        peer: Option<Address>,
    },
    /// A moment.
    Deadline(Instant),
    /// The end of another task. Listed until the handle that was polled is polled again or dropped,
    /// so a handle that was polled by reference and given up is still in here.
    Join(TaskId),
    /// The end of a group's tasks, so many of which are left.
    Group(usize),
    /// A descriptor to be closed, because the process has no more.
    Descriptor,
    /// A server to be asked to stop.
    Stop,
    /// The other threads of a server: to start, to have room, to hand over a connection.
    Threads,
    /// A closure that [`unblock`](crate::unblock) runs on another thread, or its turn there.
    Unblock,
    /// A value in a channel, or room for one.
    Channel {
        /// Reading: a value. Writing: room.
        direction: Direction,
        /// The name that this end of the channel was given.
        name: Option<Cow<'static, str>>,
    },
    /// A future of another library, under the name that [`Fair::named`](crate::Fair::named) gave it.
    Named(Cow<'static, str>),
    /// Its waker to be called, by somebody who is not known here.
    Waker,
}

/// What a loop has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Tasks that have not ended.
    pub tasks: usize,
    /// Tasks whose turn will come.
    pub ready: usize,
    /// Timers that are set.
    pub timers: usize,
    /// Directions of sockets that somebody waits in.
    pub socket_waits: usize,
    /// Failures that no join handle and no group claimed.
    pub failures: u64,
    /// Events that named a socket closed since; they were dropped.
    pub stale_events: u64,
}

/// What cannot be read off sources and timers: names, and the rarer waits.
#[derive(Debug, Default)]
pub(crate) struct Records {
    names: RefCell<HashMap<TaskId, Cow<'static, str>>>,
    waits: RefCell<BTreeMap<WaitKey, Record>>,
}

/// A task, and the number of one of its waits, which no other wait of any loop ever has: in the
/// records of another loop a key finds nothing.
type WaitKey = (TaskId, u64);

#[derive(Debug)]
struct Record {
    kind: WaitKind,
    since: u64,
}

/// Keeps a wait in the records for as long as its leaf holds this.
#[derive(Debug)]
pub(crate) struct WaitGuard {
    core: Rc<Core>,
    key: WaitKey,
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.core.records.forget(self.key);
    }
}

impl WaitGuard {
    /// Says what it waits for from now on; since when stays.
    pub(crate) fn change(&self, kind: WaitKind) {
        if let Some(record) = self.core.records.waits.borrow_mut().get_mut(&self.key) {
            record.kind = kind;
        }
    }
}

/// As [`WaitGuard`], for a leaf that may be sent to another thread and so cannot hold a loop. Dropped
/// while its loop does not run here, it leaves the wait in the records until the task ends.
#[derive(Debug)]
pub(crate) struct SendWaitGuard(WaitKey);

impl Drop for SendWaitGuard {
    fn drop(&mut self) {
        if let Ok(core) = current() {
            core.records.forget(self.0);
        }
    }
}

impl Records {
    pub(crate) fn name(&self, task: TaskId, name: Cow<'static, str>) {
        self.names.borrow_mut().insert(task, name);
    }

    /// Forgets a task that has ended, and gives its name back.
    pub(crate) fn end(&self, task: TaskId) -> Option<Cow<'static, str>> {
        let mut waits = self.waits.borrow_mut();
        while let Some((&key, _)) = waits.range((task, 0)..=(task, u64::MAX)).next() {
            waits.remove(&key);
        }
        let mut names = self.names.borrow_mut();
        if names.is_empty() { None } else { names.remove(&task) }
    }

    pub(crate) fn named(&self, task: TaskId) -> Option<Cow<'static, str>> {
        self.names.borrow().get(&task).cloned()
    }

    /// Notes that `task` waits since `stamp`, unless it is the wait `before`, which goes on.
    fn note(&self, before: Option<WaitKey>, task: TaskId, kind: WaitKind, stamp: u64) -> WaitKey {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut waits = self.waits.borrow_mut();
        if let Some(before) = before
            && before.0 == task
            && let Some(record) = waits.get_mut(&before)
        {
            record.kind = kind;
            return before;
        }
        let key = (task, NUMBER.fetch_add(1, Ordering::Relaxed));
        waits.insert(key, Record { kind, since: stamp });
        key
    }

    fn forget(&self, key: WaitKey) {
        self.waits.borrow_mut().remove(&key);
    }
}

/// Every task of the loop that runs here; see [`EventLoop::tasks`](crate::EventLoop::tasks).
///
/// # Panics
///
/// Outside a loop.
///
/// ```
/// let (event_loop, _clock) = net::EventLoop::manual();
/// event_loop.run_until(async {
///     drop(net::spawn(net::yield_now()).named("a neighbour"));
///     let names: Vec<_> = net::tasks().into_iter().map(|task| task.name).collect();
///     assert_eq!(names, [None, Some("a neighbour".into())]);
/// }).unwrap();
/// ```
#[must_use]
pub fn tasks() -> Vec<TaskInfo> {
    here("tasks").tasks()
}

/// What the loop that runs here has counted; see [`EventLoop::stats`](crate::EventLoop::stats).
///
/// # Panics
///
/// Outside a loop.
#[must_use]
pub fn stats() -> Stats {
    here("stats").stats()
}

impl Core {
    /// Records that the running task waits; not when only a foreign waker is known.
    pub(crate) fn wait_guard(
        self: &Rc<Core>,
        cx: &Context<'_>,
        kind: WaitKind,
    ) -> Option<WaitGuard> {
        self.wait_on(None, cx, kind)
    }

    /// As [`Core::wait_guard`], for a leaf polled again: a wait of the same task goes on.
    pub(crate) fn wait_on(
        self: &Rc<Core>,
        before: Option<WaitGuard>,
        cx: &Context<'_>,
        kind: WaitKind,
    ) -> Option<WaitGuard> {
        let task = self.scheduler.own(cx.waker())?;
        let known = before.as_ref().map(|before| before.key);
        let key = self.records.note(known, task, kind, self.stamp());
        match before {
            Some(before) if before.key == key => Some(before),
            _ => Some(WaitGuard { core: Rc::clone(self), key }),
        }
    }

    /// As [`Core::wait_on`], for a leaf that may be sent to another thread.
    pub(crate) fn send_wait_on(
        &self,
        before: Option<SendWaitGuard>,
        cx: &Context<'_>,
        kind: WaitKind,
    ) -> Option<SendWaitGuard> {
        let task = self.scheduler.own(cx.waker())?;
        let known = before.as_ref().map(|before| before.0);
        let key = self.records.note(known, task, kind, self.stamp());
        match before {
            Some(before) if before.0 == key => Some(before),
            _ => Some(SendWaitGuard(key)),
        }
    }

    /// Forgets the name of a task that was cancelled, unless its destructor panicked, which its
    /// next step reports under that name.
    pub(crate) fn forget_name(&self, task: TaskId) {
        if !self.scheduler.contains(task) {
            self.records.end(task);
        }
    }

    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        let mut waits = self.waits();
        let info = |id| {
            let state = self.scheduler.state(id)?;
            let mut waits = waits.remove(&id).unwrap_or_default();
            if waits.is_empty() && state == TaskState::Parked {
                waits.push(Wait { kind: WaitKind::Waker, since: None, lasted: Duration::ZERO });
            }
            Some(TaskInfo { id, name: self.records.named(id), state, waits })
        };
        self.scheduler.ids().into_iter().filter_map(info).collect()
    }

    /// Every wait whose task is known.
    fn waits(&self) -> HashMap<TaskId, Vec<Wait>> {
        let now = self.driver.now();
        let mut waits: HashMap<TaskId, Vec<Wait>> = HashMap::new();
        let mut add = |task, kind, since| {
            let since = self.moment(since);
            let lasted = now.saturating_duration_since(since);
            waits.entry(task).or_default().push(Wait { kind, since: Some(since), lasted });
        };
        self.driver.each_source(|source| {
            for direction in Direction::BOTH {
                if let Some((Some(task), since)) = source.wait(direction) {
                    add(task, socket_wait(source, direction), since);
                }
            }
        });
        for (deadline, timer) in self.timers.borrow().iter() {
            if let Waiter::Task(task) = timer.waiter {
                add(task, WaitKind::Deadline(deadline), timer.since);
            }
        }
        for ((task, _), record) in self.records.waits.borrow().iter() {
            add(*task, record.kind.clone(), record.since);
        }
        waits
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            tasks: self.scheduler.len(),
            ready: self.scheduler.ready(),
            timers: self.timers.borrow().len(),
            socket_waits: self.source_waits.len(),
            failures: self.failures.count(),
            stale_events: self.driver.stale(),
        }
    }

    /// Whether nothing can come any more: nobody waits for a source or a timer, and nobody
    /// outside holds a waker or a handle.
    pub(crate) fn is_stuck(&self) -> bool {
        self.source_waits.len() == 0
            && self.timers.borrow().len() == 0
            && !self.scheduler.wakers_out()
    }
}

fn socket_wait(source: &Source, direction: Direction) -> WaitKind {
    let (local, peer) = (source.socket.local_addr().ok(), source.socket.peer_addr().ok());
    WaitKind::Socket { direction, local, peer }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        match self.state {
            TaskState::Parked => f.write_str(" waits")?,
            state => write!(f, " is {}", format!("{state:?}").to_lowercase())?,
        }
        for (index, wait) in self.waits.iter().enumerate() {
            write!(f, "{} {}", if index == 0 { "" } else { "," }, wait.kind)?;
            if wait.since.is_some() {
                write!(f, " for {:?}", wait.lasted)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for WaitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitKind::Socket { direction, local, peer } => {
                f.write_str(match direction {
                    Direction::Read => "to read",
                    Direction::Write => "to write",
                })?;
                // The other side, unless this one says more.
                let named = |address: &&Address| !address.is_unnamed();
                match peer.as_ref().filter(named).or(local.as_ref()) {
                    Some(address) => write!(f, " {address}"),
                    None => f.write_str(" a descriptor"),
                }
            }
            WaitKind::Deadline(_) => f.write_str("until a deadline"),
            WaitKind::Join(task) => write!(f, "until task {task} ends"),
            WaitKind::Group(left) => write!(f, "until the {left} tasks of a group end"),
            WaitKind::Descriptor => f.write_str("until a descriptor is closed"),
            WaitKind::Stop => f.write_str("until a server is asked to stop"),
            WaitKind::Threads => f.write_str("for the other threads of a server"),
            WaitKind::Unblock => f.write_str("until a closure on another thread ends"),
            WaitKind::Channel { direction, name } => {
                f.write_str(match direction {
                    Direction::Read => "to receive from",
                    Direction::Write => "to send to",
                })?;
                match name {
                    Some(name) => write!(f, " the channel {name}"),
                    None => f.write_str(" a channel"),
                }
            }
            WaitKind::Named(name) => write!(f, "for {name}"),
            WaitKind::Waker => f.write_str("until its waker is called"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_ends_leaves_no_wait() {
        let (event_loop, _) = crate::EventLoop::manual();
        let (first, second) = (event_loop.spawn(async {}), event_loop.spawn(async {}));
        let records = Records::default();
        let keys = [&first, &first, &second].map(|task| {
            let key = records.note(None, task.id(), WaitKind::Waker, 0);
            assert_eq!(records.note(Some(key), task.id(), WaitKind::Descriptor, 1), key);
            key
        });
        assert_ne!(records.note(Some(keys[0]), second.id(), WaitKind::Waker, 0), keys[0]);
        records.end(first.id());
        assert!(records.waits.borrow().keys().all(|&(task, _)| task == second.id()));
        assert_eq!(records.waits.borrow().len(), 2);
    }
}
