//! The queue of tasks whose turn will come: first in, first out, and that is the fairness law.

use std::mem;

use crate::TaskId;
use crate::slab::make_room;

/// Two laps, swapped when the first is done. It gives the order of one queue, for fewer instructions
/// than a ring, which has to see to its seam at both ends.
///
/// Whoever is queued comes into the next lap, or into this one while it has fewer than [`LEAST`]
/// turns: where two tasks take turns, a swap every second step would be a quarter of the work.
pub(crate) struct Queue {
    lap: Vec<TaskId>,
    /// How many of the lap have had their turn.
    done: usize,
    next_lap: Vec<TaskId>,
    is_long: bool,
}

/// Turns that a lap has at least, if there are as many: the same as between two looks at a selector.
const LEAST: usize = 64;

/// Turns that make a lap long: about as many tasks as no longer fit the second cache.
const LONG: usize = 16_384;

impl Queue {
    pub(crate) const fn new() -> Queue {
        Queue { lap: Vec::new(), done: 0, next_lap: Vec::new(), is_long: false }
    }

    pub(crate) const fn len(&self) -> usize {
        self.lap.len() - self.done + self.next_lap.len()
    }

    // Inlined by force, as those who call it are: with two places to push to it is taken for too long, and
    // chosen by a conditional move the place would be known too late for a task that is next already.
    #[inline(always)]
    pub(crate) fn push(&mut self, id: TaskId) {
        // Once it has so many, none is added until the swap: so the order stays.
        if self.lap.len() < LEAST {
            make_room(&mut self.lap);
            self.lap.push(id);
        } else {
            make_room(&mut self.next_lap);
            self.next_lap.push(id);
        }
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
        // Also where there is none: those who are queued next then find all of its room.
        self.lap.clear();
        mem::swap(&mut self.lap, &mut self.next_lap);
        self.is_long = self.lap.len() >= LONG;
        let first = self.lap.first().copied();
        self.done = usize::from(first.is_some());
        first
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
        // Else whoever is queued next would come before those of the next lap.
        if self.lap.len() < LEAST {
            self.lap.append(&mut self.next_lap);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::Slab;

    /// A queue, and one that is surely right.
    struct Pair {
        queue: Queue,
        oracle: VecDeque<TaskId>,
    }

    impl Pair {
        fn push(&mut self, id: TaskId) {
            self.queue.push(id);
            self.oracle.push_back(id);
        }

        fn pop(&mut self) {
            assert_eq!(self.queue.pop(), self.oracle.pop_front());
            assert_eq!(self.queue.len(), self.oracle.len());
        }

        fn retain(&mut self, keep: impl Fn(TaskId) -> bool) {
            self.queue.retain(&keep);
            self.oracle.retain(|&id| keep(id));
        }
    }

    fn ids(count: usize) -> Vec<TaskId> {
        let mut slab = Slab::new();
        (0..count).map(|_| TaskId(slab.insert(()))).collect()
    }

    /// Grows and shrinks around the least length of a lap, and is swept now and then.
    #[test]
    fn the_order_is_that_of_one_queue() {
        let mut pair = Pair { queue: Queue::new(), oracle: VecDeque::new() };
        let mut random = 1_u64;
        let mut ids = ids(60_000).into_iter();
        for round in 0..300 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (pushes, pops) = (random >> 32 & 127, random >> 40 & 127);
            ids.by_ref().take(pushes as usize).for_each(|id| pair.push(id));
            (0..pops).for_each(|_| pair.pop());
            if round % 7 == 0 {
                pair.retain(|id| id.index() as u64 % 3 != random >> 60);
            }
        }
        (0..=pair.oracle.len()).for_each(|_| pair.pop());
    }

    /// What is left of this lap leaves room in it, and the next lap has begun.
    #[test]
    fn whoever_comes_after_a_sweep_comes_last() {
        let mut pair = Pair { queue: Queue::new(), oracle: VecDeque::new() };
        let ids = ids(2 * LEAST + 1);
        let (last, others) = ids.split_last().unwrap();
        others.iter().for_each(|&id| pair.push(id));
        pair.pop();
        pair.retain(|id| id.index() > LEAST / 2);
        pair.push(*last);
        (0..=pair.oracle.len()).for_each(|_| pair.pop());
    }

    #[test]
    fn a_lap_of_two_is_swapped_once_in_many_turns() {
        let mut queue = Queue::new();
        let ids = ids(2);
        queue.push(ids[0]);
        let simple_turns = (0..10 * LEAST).filter(|turn| {
            queue.push(ids[(turn + 1) % 2]);
            let is_simple = queue.peek().is_some();
            assert_eq!(queue.pop(), Some(ids[turn % 2]));
            is_simple
        });
        assert!(simple_turns.count() >= 9 * LEAST);
    }
}
