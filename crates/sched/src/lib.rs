//! A fair round-robin run queue of resumable tasks.
//!
//! # What it is
//!
//! A [`Scheduler`] holds tasks and answers one question: whose turn is it? A task is a
//! [`Resumable`](generator::Resumable) that is resumed with its waker; [`step`](Scheduler::step) runs
//! the next one up to its yield, and *returns* what it asked for, its result, or its panic. What that
//! means is the owner's business: wake the task at once for "my turn again", note it with a socket or
//! a deadline and wake it later, or do nothing. Nothing calls back into the scheduler.
//!
//! # How to use it
//!
//! ```
//! use generator::FromFuture;
//! use sched::{Outcome, Scheduler, StepError};
//!
//! let owner = std::thread::current();
//! let scheduler = Scheduler::<(), u32>::with_unpark(move || owner.unpark());
//!
//! let six = scheduler.spawn_join(FromFuture::new(async { 6 }));
//! let product = scheduler.spawn(FromFuture::new(async move { six.await.unwrap_or(0) * 7 }));
//!
//! let mut answer = None;
//! while !scheduler.is_empty() {
//!     match scheduler.step() {
//!         Ok((id, Outcome::Complete(value))) if id == product => answer = Some(value),
//!         Ok((_, Outcome::Yielded(()))) => (), // Pending: parked until it is woken.
//!         Ok(_) => (),
//!         Err(StepError::Idle) => std::thread::park(),
//!         Err(StepError::Nested) => unreachable!("this is no task"),
//!     }
//! }
//! assert_eq!(answer, Some(42));
//! ```
//!
//! [`RoundRobin`] is the smallest of all loops: generators that take turns, as an iterator.
//!
//! # What it promises
//!
//! - **Fairness, exactly.** The queue is first in, first out. If `r` tasks are ready when task A is
//!   queued, and `c` of them are cancelled before their turn, then A's step is number `r − c + 1` from
//!   there, whatever is spawned or woken meanwhile; and each of the `r − c` has one step before it. A
//!   task woken many times before its step runs once.
//! - **No wake is lost.** A wake during a task's own step queues it again. Wakes and spawns from other
//!   threads are taken in where a lap of the queue ends: after as many steps as tasks were ready where it
//!   began, or up to 64 if fewer were, and at the latest when nothing else is queued. Or
//!   by [`drain`](Scheduler::drain), after which the unpark hook guarantees that an owner who goes to sleep is called for what comes later.
//! - **Ids do not alias.** The [`TaskId`] of a task that has ended finds nothing.
//! - **Panics stay where they are.** One in a task, in its destructor, or in a closure sent by another
//!   thread comes out as [`Outcome::Panicked`], or goes to the [`JoinHandle`]; nobody else notices.
//! - **User code runs under no lock or borrow**, so that bodies, destructors and wakers may call every
//!   method. Each body is dropped once, on the scheduler's thread.
//! - **Cost.** A step takes constant time and allocates nothing. A task takes at most 56 bytes beside
//!   its body, and 40 more once its waker is cloned. A wake on the scheduler's own thread uses
//!   no atomic read-modify-write operation. Other threads have at most one wake a task under way, and
//!   [`SPAWN_LIMIT`] spawns.
//!
//! # What it refuses to do
//!
//! - Wait. It knows neither clock nor sockets; an idle [`step`](Scheduler::step) returns.
//! - Nest: a step inside a step is [`StepError::Nested`].
//! - Preempt. A body that does not yield keeps the turn.
//! - Move tasks between threads, or rank them.
//! - Break cycles by itself: a task that owns its scheduler is dropped by [`clear`](Scheduler::clear).

mod handle;
mod inbox;
mod join;
mod prefetch;
mod queue;
mod registry;
mod round_robin;
mod scheduler;
mod slab;
mod table;
mod task;
mod turn;
mod waker;

pub use handle::{Handle, SPAWN_LIMIT, SpawnError};
pub use join::{JoinError, JoinHandle};
pub use round_robin::RoundRobin;
pub use scheduler::{Cancel, Scheduler, StepError, Wakes};
pub use slab::{Slab, SlabId};
pub use task::{Outcome, Payload, Task, TaskId, TaskState};
