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
}

impl Queue {
    pub(crate) const fn new() -> Queue {
        Queue {
            lap: Vec::new(),
            done: 0,
            next_lap: Vec::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.lap.len() - self.done + self.next_lap.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, id: TaskId) {
        make_room(&mut self.next_lap);
        self.next_lap.push(id);
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<TaskId> {
        if self.done == self.lap.len() {
            self.lap.clear();
            self.done = 0;
            mem::swap(&mut self.lap, &mut self.next_lap);
        }
        let id = *self.lap.get(self.done)?;
        self.done += 1;
        Some(id)
    }

    /// How many turns are left in this lap.
    #[inline]
    pub(crate) const fn left(&self) -> usize {
        self.lap.len() - self.done
    }

    /// How many turns of this lap are over.
    #[inline]
    pub(crate) const fn done(&self) -> usize {
        self.done
    }

    /// Whose turns come in this lap after the next `turns`.
    pub(crate) fn ahead(&self, turns: usize) -> &[TaskId] {
        self.lap.get(self.done + turns..).unwrap_or(&[])
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
        assert_eq!((queue.len(), queue.left()), (1, 0));
        assert_eq!(queue.pop(), Some(ids[4]));
        assert_eq!((queue.pop(), queue.len()), (None, 0));
    }
}
