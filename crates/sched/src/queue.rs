//! The queue of tasks whose turn will come: first in, first out, and that is the fairness law.

use std::mem;

use crate::TaskId;
use crate::slab::make_room;

/// Two laps, swapped when the first is done. It gives the order of one queue, for fewer instructions
/// than a ring, which has to see to its seam at both ends.
pub(crate) struct Queue {
    lap: Vec<TaskId>,
    /// How many of the lap have had their turn.
    done: usize,
    next_lap: Vec<TaskId>,
    is_long: bool,
}

/// Turns that make a lap long: about as many tasks as no longer fit the second cache.
const LONG: usize = 16_384;

impl Queue {
    pub(crate) const fn new() -> Queue {
        Queue { lap: Vec::new(), done: 0, next_lap: Vec::new(), is_long: false }
    }

    pub(crate) const fn len(&self) -> usize {
        self.lap.len() - self.done + self.next_lap.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, id: TaskId) {
        make_room(&mut self.next_lap);
        self.next_lap.push(id);
    }

    /// Whose turn it is, unless the lap is done: then [`pop`](Queue::pop) tells.
    #[inline]
    pub(crate) fn peek(&self) -> Option<TaskId> {
        self.lap.get(self.done).copied()
    }

    /// Ends the turn that [`peek`](Queue::peek) told of.
    #[inline]
    pub(crate) fn advance(&mut self) {
        self.done += 1;
    }

    /// Takes out whose turn it is, and opens the next lap where this one is done.
    pub(crate) fn pop(&mut self) -> Option<TaskId> {
        if let Some(id) = self.peek() {
            self.advance();
            return Some(id);
        }
        if self.next_lap.is_empty() {
            return None;
        }
        self.lap.clear();
        mem::swap(&mut self.lap, &mut self.next_lap);
        self.is_long = self.lap.len() >= LONG;
        self.done = 1;
        self.lap.first().copied()
    }

    /// Whether this lap has so many turns that their tasks cannot all be near the processor.
    #[inline]
    pub(crate) const fn is_long(&self) -> bool {
        self.is_long
    }

    /// Whose turn comes in this lap after `turns` others.
    pub(crate) fn ahead(&self, turns: usize) -> Option<TaskId> {
        self.lap.get(self.done + turns).copied()
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(TaskId) -> bool) {
        self.lap.drain(..self.done);
        self.done = 0;
        self.lap.retain(|&id| keep(id));
        self.next_lap.retain(|&id| keep(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slab;

    #[test]
    fn the_order_is_that_of_one_queue() {
        let mut slab = Slab::new();
        let ids: Vec<_> = (0..5).map(|_| TaskId(slab.insert(()))).collect();
        let mut queue = Queue::new();
        queue.push(ids[0]);
        queue.push(ids[1]);
        assert_eq!(queue.pop(), Some(ids[0]));
        queue.push(ids[2]);
        queue.push(ids[3]);
        assert_eq!(queue.pop(), Some(ids[1]));
        assert_eq!(queue.pop(), Some(ids[2]));
        queue.push(ids[4]);
        queue.retain(|id| id != ids[3]);
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.pop(), Some(ids[4]));
        assert_eq!((queue.pop(), queue.len()), (None, 0));
    }
}
