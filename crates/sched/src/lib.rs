//! A fair round-robin run queue of resumable tasks.

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
mod waker;

pub use handle::{Handle, SPAWN_LIMIT, SpawnError};
pub use join::{JoinError, JoinHandle};
pub use round_robin::RoundRobin;
pub use scheduler::{Cancel, Scheduler, StepError};
pub use slab::{Slab, SlabId};
pub use task::{Outcome, Payload, Task, TaskId, TaskState};
