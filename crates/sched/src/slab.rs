//! Values in numbered slots, under ids that cannot go stale silently.

use std::fmt;
use std::num::NonZeroU64;

/// A growing table of values; each insertion gives an id that no other value will ever have.
///
/// An id is a slot's number and the slot's generation, which grows at each removal, so the id of a
/// value that was removed finds nothing, and never the slot's next tenant. A slot whose generation
/// has come to its end is retired.
///
/// Insertion, look-up and removal take constant time; insertion into a full table moves it into one
/// that is an eighth larger, so at most an eighth of the memory is unused. Memory is given back
/// when the slab is dropped. Beside the value, an entry takes 8 bytes, and the tag of an `Option<T>`.
///
/// ```
/// use sched::Slab;
///
/// let mut names = Slab::new();
/// let ann = names.insert("Ann");
/// assert_eq!(names.remove(ann), Some("Ann"));
/// let bob = names.insert("Bob");
/// assert_eq!(bob.index(), ann.index());
/// assert_eq!(names.get(bob), Some(&"Bob"));
/// assert_eq!(names.get(ann), None);
/// ```
pub struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: u32,
    len: usize,
}

/// Where a value sits in a [`Slab`]: the number of its slot, and the slot's generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlabId {
    /// The number in the upper half and the generation, which is odd, in the lower one: as one word an
    /// id moves in one instruction, which two halves do not.
    bits: NonZeroU64,
}

struct Entry<T> {
    /// Odd while there is a value, and its own; even while the slot is free; 0 once it is retired.
    /// An id carries an odd one, so that equality says at once that the value is there.
    generation: u32,
    /// The next free slot while this one is free; otherwise the crate's own, see [`Slab::entry`].
    word: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    /// Makes an empty slab, without allocating.
    pub const fn new() -> Slab<T> {
        Slab { entries: Vec::new(), free: NONE, len: 0 }
    }

    /// Puts `value` into a free slot.
    ///
    /// # Panics
    ///
    /// When 2³² − 1 slots are taken or retired.
    pub fn insert(&mut self, value: T) -> SlabId {
        let index = self.free;
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return self.append(value);
        };
        self.free = entry.word;
        self.len += 1;
        entry.generation += 1;
        entry.word = 0;
        entry.value = Some(value);
        SlabId::new(index, entry.generation)
    }

    /// Takes out the value of `id`, and with it makes the id stale.
    pub fn remove(&mut self, id: SlabId) -> Option<T> {
        let entry = self.entries.get_mut(id.index())?;
        if entry.generation != id.generation() {
            return None;
        }
        let value = entry.value.take()?;
        self.len -= 1;
        entry.generation = entry.generation.wrapping_add(1);
        if entry.generation != RETIRED {
            entry.word = self.free;
            self.free = id.index() as u32;
        }
        Some(value)
    }

    /// The value of `id`, unless it was removed.
    pub fn get(&self, id: SlabId) -> Option<&T> {
        let entry = self.entries.get(id.index())?;
        if entry.generation == id.generation() { entry.value.as_ref() } else { None }
    }

    /// The value of `id`, to be changed, unless it was removed.
    pub fn get_mut(&mut self, id: SlabId) -> Option<&mut T> {
        Some(self.entry(id)?.0)
    }

    /// Every value with its id, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = (SlabId, &T)> {
        self.entries.iter().zip(0..).filter_map(|(entry, index)| {
            let value = entry.value.as_ref()?;
            Some((SlabId::new(index, entry.generation), value))
        })
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.entries.into_iter().filter_map(|entry| entry.value)
    }

    /// How many values there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of `id` and a word beside it, zero at first, which costs nothing: free slots use
    /// it to name the next free one.
    #[inline]
    pub(crate) fn entry(&mut self, id: SlabId) -> Option<(&mut T, &mut u32)> {
        let entry = self.entries.get_mut(id.index())?;
        if entry.generation != id.generation() {
            return None;
        }
        Some((entry.value.as_mut()?, &mut entry.word))
    }

    /// The word beside the value of `id`, to be changed.
    #[inline]
    pub(crate) fn word_mut(&mut self, id: SlabId) -> Option<&mut u32> {
        let entry = self.entries.get_mut(id.index())?;
        (entry.generation == id.generation()).then_some(&mut entry.word)
    }

    /// Where the entry of `id` lies, or would lie, for a hint to the processor.
    pub(crate) fn place(&self, id: SlabId) -> *const () {
        self.entries.as_ptr().wrapping_add(id.index()).cast()
    }

    /// The word beside the value of `id`.
    pub(crate) fn word(&self, id: SlabId) -> Option<u32> {
        self.get(id)?;
        Some(self.entries[id.index()].word)
    }

    #[cold]
    fn append(&mut self, value: T) -> SlabId {
        let index = u32::try_from(self.entries.len()).unwrap_or(NONE);
        assert!(index != NONE, "a slab holds at most 2^32 - 1 values");
        make_room(&mut self.entries);
        let generation = FIRST;
        self.entries.push(Entry { generation, word: 0, value: Some(value) });
        self.len += 1;
        SlabId::new(index, generation)
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl SlabId {
    fn new(index: u32, generation: u32) -> SlabId {
        let bits = u64::from(index) << 32 | u64::from(generation);
        SlabId { bits: NonZeroU64::new(bits).expect("the generation is odd") }
    }

    #[inline]
    pub(crate) const fn to_bits(self) -> u64 {
        self.bits.get()
    }

    /// The id whose bits these are; none for 0.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<SlabId> {
        NonZeroU64::new(bits).map(|bits| SlabId { bits })
    }

    /// The number of the slot: small, and used again once the value is removed.
    pub const fn index(self) -> usize {
        (self.bits.get() >> 32) as usize
    }

    #[inline]
    const fn generation(self) -> u32 {
        self.bits.get() as u32
    }
}

impl fmt::Display for SlabId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every second generation is a value's: this counts the slot's values.
        write!(f, "{}v{}", self.index(), self.generation().div_ceil(2))
    }
}

impl fmt::Debug for SlabId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes room for one more, and if there was none for an eighth of what is there. Doubling would leave up to half empty.
#[inline]
pub(crate) fn make_room<T>(values: &mut Vec<T>) {
    #[cold]
    fn grow<T>(values: &mut Vec<T>) {
        values.reserve_exact((values.len() / 8).max(LEAST_GROWTH));
    }
    if values.len() == values.capacity() {
        grow(values);
    }
}

/// No slot: the end of the list of free ones.
const NONE: u32 = u32::MAX;

/// The generation of a slot's first value.
const FIRST: u32 = 1;

/// What comes after a slot's last generation.
const RETIRED: u32 = 0;

/// By how much a table grows while an eighth of it is less.
const LEAST_GROWTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_whose_generation_would_wrap_is_retired() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        slab.entries[0].generation = u32::MAX;
        let last = SlabId::new(0, u32::MAX);
        assert_eq!(slab.remove(last), Some('a'));
        assert_eq!((slab.remove(last), slab.get(first), slab.get(last)), (None, None, None));
        let next = slab.insert('b');
        assert_eq!(next.to_string(), "1v1");
        assert_eq!((slab.get(last), slab.len()), (None, 1));
    }

    #[test]
    fn an_entry_has_eight_bytes_beside_its_value() {
        assert_eq!(size_of::<Entry<Box<u8>>>(), 16);
        assert_eq!(size_of::<Option<SlabId>>(), 8);
    }
}
