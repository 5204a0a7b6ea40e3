//! The name of a registration.

use std::fmt;
use std::num::NonZeroU32;

/// The name of a registration: a slot and the generation of its tenant, in 64 bits.
///
/// A key outlives its registration without harm. Once the registration is gone the key finds
/// nothing, even when the slot has a new tenant; a slot that ran through its 2³² generations is
/// never used again. A key means nothing to another selector. `Option<Key>` takes 64 bits too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub(crate) index: u32,
    pub(crate) generation: NonZeroU32,
}

impl Key {
    /// The key as the kernel carries it: the index in the low half, so that a 32-bit system that
    /// cuts the number in two keeps the index.
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.generation.get()) << 32 | u64::from(self.index)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}.{})", self.index, self.generation)
    }
}

/// What the kernel carries for the notifier. No registration has this index.
pub(crate) const NOTIFIER: u64 = u64::MAX;
