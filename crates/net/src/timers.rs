//! The timer queue: deadlines in order, told what time it is.

use std::time::Instant;

use sched::{Slab, SlabId};

use crate::source::Waiter;

/// Timers by deadline. Setting and cancelling one take time by the logarithm of their number at worst,
/// and mostly none of it: what is set later mostly ends later, and belongs at the bottom.
///
/// A heap whose entries have four children each, which lie side by side: it is half as deep as one
/// with two. Each timer's place in it is known, so a cancelled one leaves at once. Leaving it in
/// place until half of a heap is dead, as this did before, took two to four times as long with a
/// million timers. A wheel fires a million faster, but must either wake at moments for which no
/// timer was set, or look through a slot for its earliest.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// No entry is due before its parent.
    heap: Vec<Entry>,
    /// Where the timer in each slot has its entry. Apart from the slots, because an entry that moves
    /// writes here, and a million of these fit into a cache.
    places: Vec<u32>,
    slots: Slab<Timer>,
    /// Timers set so far.
    set: u64,
}

/// A timer's number; it finds nothing once the timer has fired or was cancelled.
pub(crate) type TimerId = SlabId;

/// Who waits for a deadline.
#[derive(Debug)]
pub(crate) struct Timer {
    pub(crate) waiter: Waiter,
    /// When the wait began, as [`Core::stamp`](crate::core::Core::stamp) has it.
    pub(crate) since: u64,
}

/// When a timer is due, how many were set before it, and which it is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    number: u64,
    id: TimerId,
}

impl Entry {
    /// Of equal deadlines, the one that was set first comes first.
    fn is_before(&self, other: &Entry) -> bool {
        self.at < other.at || (self.at == other.at && self.number < other.number)
    }
}

impl Timers {
    #[inline]
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) -> TimerId {
        let id = self.slots.insert(timer);
        if id.index() == self.places.len() {
            self.places.push(0);
        }
        let entry = Entry { at, number: self.set, id };
        self.set += 1;
        let place = self.heap.len();
        self.heap.push(entry);
        if place > 0 && entry.is_before(&self.heap[parent(place)]) {
            self.rise(place, entry);
        } else {
            self.places[id.index()] = place as u32;
        }
        id
    }

    /// Takes a timer out and gives its waiter back, for the caller to drop outside the borrow.
    #[inline]
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<Waiter> {
        let timer = self.slots.remove(id)?;
        let place = self.places[id.index()] as usize;
        if let Some(last) = self.heap.pop()
            && place < self.heap.len()
        {
            self.fill(place, last);
        }
        Some(timer.waiter)
    }

    /// Replaces who is brought back; the timer stands. Returns the waiter that is of no use any
    /// more, which is the new one if the timer has gone, for the caller to drop outside the borrow.
    pub(crate) fn hand_over(&mut self, id: TimerId, waiter: Waiter) -> Waiter {
        match self.slots.get_mut(id) {
            Some(timer) => std::mem::replace(&mut timer.waiter, waiter),
            None => waiter,
        }
    }

    /// Takes out every timer, and says who waited.
    pub(crate) fn take_all(&mut self) -> Vec<Waiter> {
        let entries = std::mem::take(&mut self.heap);
        let timers = entries.into_iter().filter_map(|entry| self.slots.remove(entry.id));
        timers.map(|timer| timer.waiter).collect()
    }

    /// Whether the timer has neither fired nor been cancelled.
    pub(crate) fn is_set(&self, id: TimerId) -> bool {
        self.slots.get(id).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Takes out the earliest timer whose deadline is not after `now`, and says who waited.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Waiter> {
        if self.next()? > now {
            return None;
        }
        self.pop()
    }

    /// Takes out the earliest timer. Apart, so that a turn without one saves no registers for it.
    #[inline(never)]
    fn pop(&mut self) -> Option<Waiter> {
        let first = self.heap.first()?.id;
        self.cancel(first)
    }

    /// Every timer with its deadline, in the order of the slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Instant, &Timer)> {
        self.slots.iter().map(|(id, timer)| {
            let place = self.places[id.index()] as usize;
            (self.heap[place].at, timer)
        })
    }

    /// Puts `entry` into the gap at `place`, and from there to where it belongs.
    #[inline(never)]
    fn fill(&mut self, place: usize, entry: Entry) {
        if place > 0 && entry.is_before(&self.heap[parent(place)]) {
            self.rise(place, entry);
        } else {
            self.sink(place, entry);
        }
    }

    /// Puts `entry` into the gap at `place`, or above it, with those in between moved down.
    #[inline(never)]
    fn rise(&mut self, mut place: usize, entry: Entry) {
        while place > 0 {
            let above = self.heap[parent(place)];
            if above.is_before(&entry) {
                break;
            }
            self.put(place, above);
            place = parent(place);
        }
        self.put(place, entry);
    }

    /// Puts `entry` into the gap at `place`, or below it, with those in between moved up.
    fn sink(&mut self, mut place: usize, entry: Entry) {
        while let Some((below, first)) = self.first_child(place)
            && first.is_before(&entry)
        {
            self.put(place, first);
            place = below;
        }
        self.put(place, entry);
    }

    /// The earliest of the children of `place`, and its own place.
    #[inline]
    fn first_child(&self, place: usize) -> Option<(usize, Entry)> {
        let begin = CHILDREN * place + 1;
        let end = self.heap.len().min(begin + CHILDREN);
        let children = (begin..).zip(self.heap.get(begin..end)?);
        let first = children.reduce(|a, b| if b.1.is_before(a.1) { b } else { a });
        first.map(|(place, entry)| (place, *entry))
    }

    #[inline]
    fn put(&mut self, place: usize, entry: Entry) {
        self.places[entry.id.index()] = place as u32;
        self.heap[place] = entry;
    }
}

fn parent(place: usize) -> usize {
    (place - 1) / CHILDREN
}

/// How many children an entry of the heap has. Eight were as fast.
const CHILDREN: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::task::Waker;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// What is done to the queue; timers are meant by how many were set before them.
    #[derive(Clone, Debug)]
    enum Act {
        /// So many nanoseconds after the start.
        Set(u64),
        Cancel(usize),
        HandOver(usize),
        /// Takes out all that is due.
        Pass(u64),
        TakeAll,
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        // Few moments, so that many are equal.
        let moment = 0..100_u64;
        let act = prop_oneof![
            60 => moment.clone().prop_map(Act::Set),
            30 => (0..200_usize).prop_map(Act::Cancel),
            5 => (0..200_usize).prop_map(Act::HandOver),
            9 => moment.prop_map(Act::Pass),
            1 => Just(Act::TakeAll),
        ];
        prop::collection::vec(act, 1..300)
    }

    /// The queue beside a sorted map that says what it should do.
    struct Pair {
        start: Instant,
        timers: Timers,
        ids: Vec<TimerId>,
        /// Those that are set, by deadline and number. The number is also what `since` carries.
        model: BTreeMap<(Instant, u64), ()>,
    }

    impl Pair {
        fn new() -> Pair {
            let (timers, model) = (Timers::default(), BTreeMap::new());
            Pair { start: Instant::now(), timers, ids: Vec::new(), model }
        }

        fn moment(&self, nanoseconds: u64) -> Instant {
            self.start + Duration::from_nanos(nanoseconds)
        }

        fn act(&mut self, act: Act) {
            match act {
                Act::Set(at) => self.set(at),
                Act::Cancel(number) => self.cancel(number),
                Act::HandOver(number) => self.hand_over(number),
                Act::Pass(now) => self.pass(now),
                Act::TakeAll => {
                    assert_eq!(self.timers.take_all().len(), self.model.len());
                    self.model.clear();
                }
            }
            self.check();
        }

        fn set(&mut self, nanoseconds: u64) {
            let at = self.moment(nanoseconds);
            let since = self.ids.len() as u64;
            let waiter = Waiter::Foreign(Waker::noop().clone());
            self.ids.push(self.timers.set(at, Timer { waiter, since }));
            self.model.insert((at, since), ());
        }

        fn is_set(&self, number: usize) -> bool {
            self.model.keys().any(|(_, set)| *set == number as u64)
        }

        fn cancel(&mut self, number: usize) {
            let Some(id) = self.ids.get(number) else { return };
            assert_eq!(self.timers.cancel(*id).is_some(), self.is_set(number));
            self.model.retain(|(_, set), ()| *set != number as u64);
        }

        fn hand_over(&mut self, number: usize) {
            let Some(id) = self.ids.get(number) else { return };
            let waker = Waker::noop().clone();
            assert_eq!(self.timers.is_set(*id), self.is_set(number));
            drop(self.timers.hand_over(*id, Waiter::Foreign(waker)));
        }

        fn pass(&mut self, nanoseconds: u64) {
            let now = self.moment(nanoseconds);
            while self.timers.pop_due(now).is_some() {
                let ((at, number), ()) = self.model.pop_first().expect("one is set");
                assert!(at <= now, "early by {:?}", at - now);
                assert!(!self.timers.is_set(self.ids[number as usize]), "out of order");
            }
            assert!(self.model.keys().next().is_none_or(|(at, _)| *at > now));
        }

        fn check(&self) {
            let timers = &self.timers;
            let next = self.model.keys().next().map(|(at, _)| *at);
            assert_eq!(timers.next(), next);
            assert_eq!(timers.len(), self.model.len());
            let mut listed: Vec<_> = timers.iter().map(|(at, timer)| (at, timer.since)).collect();
            listed.sort_unstable();
            assert!(listed.iter().eq(self.model.keys()));
            for (place, entry) in timers.heap.iter().enumerate() {
                assert_eq!(timers.places[entry.id.index()] as usize, place);
                assert!(place == 0 || timers.heap[parent(place)].is_before(entry));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_queue_agrees_with_a_sorted_map(acts in acts()) {
            let mut pair = Pair::new();
            for act in acts {
                pair.act(act);
            }
            pair.pass(100);
        }
    }

    #[test]
    fn cancelled_timers_leave_nothing() {
        let mut pair = Pair::new();
        for round in 0..3 {
            (0..100).for_each(|moment| pair.set(moment * 7 % 10));
            (0..100).for_each(|number| pair.cancel(100 * round + number));
            pair.check();
        }
        assert_eq!((pair.timers.heap.len(), pair.timers.places.len()), (0, 100));
    }

    #[test]
    fn a_timer_stays_small() {
        assert_eq!((size_of::<Entry>(), size_of::<Option<Timer>>()), (32, 32));
    }
}
