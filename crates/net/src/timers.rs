//! The timer queue: deadlines in order, told what time it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use sched::{Slab, SlabId};

use crate::source::Waiter;

/// Timers by deadline. Setting one is a push on a heap, cancelling one frees its slot and leaves
/// its heap entry behind; entries without a slot are skipped, and swept out once they are more
/// than half.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    slots: Slab<Timer>,
    /// Timers set so far.
    set: u64,
}

/// A deadline, how many timers were set before this one, and which it is: of equal deadlines the one
/// that was set first fires first.
type Entry = (Instant, u64, TimerId);

/// A timer's number; it finds nothing once the timer has fired or was cancelled.
pub(crate) type TimerId = SlabId;

/// Who waits for a deadline.
#[derive(Debug)]
pub(crate) struct Timer {
    pub(crate) deadline: Instant,
    pub(crate) waiter: Waiter,
    /// When the wait began, as [`Core::stamp`](crate::core::Core::stamp) has it.
    pub(crate) since: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer) -> TimerId {
        let deadline = timer.deadline;
        let id = self.slots.insert(timer);
        self.heap.push(Reverse((deadline, self.set, id)));
        self.set += 1;
        id
    }

    /// Takes a timer out and gives its waiter back, for the caller to drop outside the borrow.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<Timer> {
        let timer = self.slots.remove(id)?;
        if self.heap.len() > 2 * self.slots.len() + SWEEP_FROM {
            let slots = &self.slots;
            self.heap.retain(|Reverse((_, _, id))| slots.get(*id).is_some());
        }
        Some(timer)
    }

    /// Replaces who is brought back; the timer stands. Returns the waiter that is of no use any
    /// more, which is the new one if the timer has gone, for the caller to drop outside the borrow.
    pub(crate) fn hand_over(&mut self, id: TimerId, waiter: Waiter) -> Waiter {
        match self.slots.get_mut(id) {
            Some(timer) => std::mem::replace(&mut timer.waiter, waiter),
            None => waiter,
        }
    }

    /// Takes out every timer.
    pub(crate) fn take_all(&mut self) -> Vec<Timer> {
        self.heap.clear();
        let ids: Vec<TimerId> = self.slots.iter().map(|(id, _)| id).collect();
        ids.into_iter().filter_map(|id| self.slots.remove(id)).collect()
    }

    /// Whether the timer has neither fired nor been cancelled.
    pub(crate) fn is_set(&self, id: TimerId) -> bool {
        self.slots.get(id).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The earliest deadline.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse((deadline, _, id))) = self.heap.peek() {
            if self.slots.get(*id).is_some() {
                return Some(*deadline);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes out the earliest timer whose deadline is not after `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, _, id)) = self.heap.pop()?;
        self.slots.remove(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Timer> {
        self.slots.iter().map(|(_, timer)| timer)
    }
}

/// Cancelled entries that the heap may hold before it is swept, besides as many as there are live
/// timers.
const SWEEP_FROM: usize = 64;
